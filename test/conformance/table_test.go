package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// row is what one guest took, all of it warm: its code is compiled already.
type row struct {
	name           string
	tests, calls   int
	here, on, back time.Duration // run here, on bare wazero (0: not run there), replay
	recording      int64
}

// table gathers rows and prints them; nothing is asserted of them.
type table struct {
	mu   sync.Mutex
	rows []row
}

func (b *table) add(r row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = append(b.rows, r)
}

func (b *table) log(t *testing.T) {
	var s strings.Builder
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "guest\ttests\tcalls\tforgeone ms\tbare wazero ms\treplay ms\trecording KiB\t")
	for _, r := range b.rows {
		on := "-"
		if r.on > 0 {
			on = fmt.Sprint(r.on.Milliseconds())
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\t%d\t\n", r.name, r.tests, r.calls, r.here.Milliseconds(), on, r.back.Milliseconds(), r.recording>>10)
	}
	w.Flush()
	t.Logf("whole processes, compiled before\n%s", s.String())
}
