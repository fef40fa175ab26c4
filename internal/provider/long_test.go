package provider

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestLongNames: folders nested without end, each opened from the one before,
// end as ENAMETOOLONG and with nothing to decide, however they were refused.
func TestLongNames(t *testing.T) {
	for n, long := range map[int]bool{maxName: false, maxName + 1: true} {
		for _, refused := range []abi.Refusal{abi.RefuseNone, abi.RefuseNoGrant, abi.RefuseReadOnly} {
			var o abi.Object
			(&target{full: strings.Repeat("a", n), refused: refused}).settle(&o)
			if got := o.Kind == abi.ObjNone && o.Errno == abi.ENAMETOOLONG && o.Refused == 0 && o.Name == ""; got != long {
				t.Errorf("a name of %d bytes, refused %d: %+v", n, refused, o)
			}
		}
	}
}
