package evidence

import (
	"encoding/hex"
	"path/filepath"
	"testing"
	"time"

	"github.com/forgeone/forgeone/internal/seal"
)

// TestVector: the bytes of docs/FORMATS.md, which were checked with another
// implementation. A change here is a change of the format.
func TestVector(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "log"), Key: testKey(t), SegmentBytes: minSegment, Now: func() time.Time { return time.Unix(1700000000, 0) }}
	if err := Create(o); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, o)
	add(t, l, uninstall("a"))
	b := readFile(t, segment(o, 0))
	_, end := frames(t, b)
	got := seal.SHA256(b[:end])
	if h, want := hex.EncodeToString(got[:]), vectorSegment; h != want {
		t.Errorf("SHA-256 of the segment up to byte %d = %s, want %s", end, h, want)
	}
	if s := l.w.c.seal().Hex(); s != vectorSeal {
		t.Errorf("seal %s, want %s", s, vectorSeal)
	}
	if n := string(l.Checkpoint()); n != vectorNote {
		t.Errorf("checkpoint\n%swant\n%s", n, vectorNote)
	}
}

const (
	vectorSegment = "fbf1c0827377a9212052518616dd36ed418f9c418efc696551dddea85c604a8e"
	vectorSeal    = "341b93e3e31f4548ac1af5a9c4ba346ee81210bdbbe515e2c4272d7f225507b9"
	vectorNote    = `forgeone.local/5ba850db5ad59491
2
QNG9mITmWv+YBKEGC9O4+VoizMPaijlawT54sei4qnk=

— forgeone.local/5ba850db5ad59491 ZuVGp6/g0hcgAuBm42Ibumf2itPKnIhFt6E8OxRouq103Vr6dpRfBTs1TIN1N37/SRc7nrJs3XaGzD2dabSbKCqnfgg=
`
)
