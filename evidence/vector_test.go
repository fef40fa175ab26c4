package evidence

import (
	"encoding/hex"
	"path/filepath"
	"strings"
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
	vectorLogKey  = "8401041b17979cfe362a0000a50101025820e7f162a10bec559afea195e4dce84b69568d5d2cb0963eb446c0685e2b17f2f004582040d1bd9884e65aff9804a1060bd3b8f95a22ccc3da8a395ac13e78b1e8b8aa79055840dafe2769eed26d44c35a6fcfcba3c71fb5bf0a3238516a81b9e5ab4f474bad2a27cb8396a3b15a896b887be851834215af6af4c324ad1bd777d81a5b26463d0b0658400a189681ee2722dd4776346ddbfdf0989a53c7c6c71ea1ffe8c0e60595e5591da42f88b9ec08b3ea6524b87c039ad1ce4648f2f393607058d4d19afb6a865309"
	vectorSegment = "fbf1c0827377a9212052518616dd36ed418f9c418efc696551dddea85c604a8e"
	vectorSeal    = "341b93e3e31f4548ac1af5a9c4ba346ee81210bdbbe515e2c4272d7f225507b9"
	vectorNote    = `forgeone.local/5ba850db5ad59491
2
QNG9mITmWv+YBKEGC9O4+VoizMPaijlawT54sei4qnk=

— forgeone.local/5ba850db5ad59491 ZuVGp6/g0hcgAuBm42Ibumf2itPKnIhFt6E8OxRouq103Vr6dpRfBTs1TIN1N37/SRc7nrJs3XaGzD2dabSbKCqnfgg=
`
)

// TestTermVector: the hand-over of docs/FORMATS.md "Terms", which follows the log
// of TestVector.
func TestTermVector(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "log"), Key: testKey(t), SegmentBytes: minSegment, Now: func() time.Time { return time.Unix(1700000000, 0) }}
	if err := Create(o); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, o)
	add(t, l, uninstall("a"))
	next, err := seal.ParsePrivate([]byte(strings.Replace(testKeyText, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=", 1)))
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, l, next)
	b := readFile(t, segment(o, 0))
	at, _ := frames(t, b)
	from, to := at[len(at)-2]+frameHead, at[len(at)-1]
	if got := hex.EncodeToString(b[from:to]); got != vectorLogKey {
		t.Errorf("log.key %s, want %s", got, vectorLogKey)
	}
}
