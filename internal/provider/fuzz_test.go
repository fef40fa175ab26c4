package provider

import (
	"path"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// FuzzPath gives any bytes for a path: the answer is a canonical name or none.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"", "/", ".", "..", "in/a.txt", "in//..//w/./l", "w/l/../../in/", "\x00", "\xff", "in/a.txt/", strings.Repeat("a/", 3000), "w/l"} {
		f.Add(p, true)
		f.Add(p, false)
	}
	f.Fuzz(func(t *testing.T, p string, fl bool) {
		h := usual(t)
		h.plant("w", "l", "../w/./l/..")
		flags := uint32(0)
		if fl {
			flags = follow
		}
		for _, r := range []reply{
			h.do(abi.PathFilestatGet, 3, flags, p), h.do(abi.PathOpen, 3, flags, p, abi.OFlagCreat, abi.FileRights, all, 0), h.do(abi.PathRename, 3, p, 3, "w/x"),
		} {
			if !r.e.Valid() || r.Name != "" && (path.Clean(r.Name) != r.Name || r.Name[0] != '/') || r.Kind == abi.ObjFile && r.Name == "" {
				t.Fatalf("%q: %q %v %v", p, r.Name, r.Kind, r.e)
			}
			if r.performed && r.Name != "/" && !strings.HasPrefix(r.Name, "/w") && !strings.HasPrefix(r.Name, "/in") && !strings.HasPrefix(r.Name, "/deep") {
				t.Fatalf("%q reached %q", p, r.Name)
			}
		}
	})
}

// FuzzPoll gives any bytes for subscriptions. The run is already told to stop,
// so that nothing waits.
func FuzzPoll(f *testing.F) {
	f.Add(subs(clockSub(1, 0, 0, 0), fdSub(2, abi.EventFDRead, 0), fdSub(3, abi.EventFDWrite, 9)), 3)
	f.Add(subs(clockSub(1, 1, 1<<63, abi.SubclockAbstime)), 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		h := usual(t)
		h.stdin.end = false
		close(h.done)
		n = min(max(n, 0), 20)
		r := h.do(abi.PollOneoff, in, n)
		if !r.e.Valid() || r.e == 0 && (len(r.out) == 0 || len(r.out) > n*abi.EventSize) {
			t.Fatal(r.e, len(r.out))
		}
	})
}
