package host

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestListingMemory: what a listing takes is what its bound says, however long
// the names are, and one that is refused has not taken more either.
func TestListingMemory(t *testing.T) {
	box := t.TempDir()
	for i := range 4000 {
		write(t, filepath.Join(box, fmt.Sprintf("%05d", i)+strings.Repeat("n", maxName-5)), "")
	}
	r, d := open(t, box, false)
	for limit, errno := range map[int]abi.Errno{2 << 20: abi.ESUCCESS, 1 << 20: abi.EOVERFLOW} {
		r.maxListing = limit
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		all, e := d.List()
		runtime.ReadMemStats(&after)
		want(t, fmt.Sprint("a limit of ", limit), e, errno)
		// The names once; the slice of entries grows by copying, so up to thrice.
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(limit)+(1<<20) {
			t.Errorf("a limit of %d: %d bytes for %d entries", limit, took, len(all))
		}
	}
}
