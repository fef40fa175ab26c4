package kernel

import (
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
)

// TestDenialsAreSlowed: a tenth of the denials that a run may have is answered at
// once, each further tenth a millisecond later, and a run that is stopped does
// not wait.
func TestDenialsAreSlowed(t *testing.T) {
	s := &sink{run: &run{ctl: gate.NewControl()}, limit: 1000}
	slow := func(total uint64) time.Duration {
		s.total = total
		begin := time.Now()
		s.slow()
		return time.Since(begin)
	}
	for total, least := range map[uint64]time.Duration{101: time.Millisecond, 555: 5 * time.Millisecond, 999: 9 * time.Millisecond} {
		if d := slow(total); d < least {
			t.Errorf("denial %d was answered after %v, not %v", total, d, least)
		}
	}
	free := time.Now()
	for range 20_000 { // a millisecond each would be 20 s
		s.total = 100
		s.slow()
	}
	if d := time.Since(free); d > 15*time.Second {
		t.Errorf("free denials took %v", d)
	}
	s.limit = 1 << 62
	s.total = s.limit - 1
	s.run.ctl.Stop(abi.OutcomeStopped)
	s.slow()
	// Without a limit nobody waits.
	s.limit, s.total = 0, 1<<62
	s.slow()
}
