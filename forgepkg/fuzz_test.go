package forgepkg

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/forgeone/forgeone/abi"
)

// FuzzOpen: nothing panics, every error has a code and a place, and only what
// was signed verifies.
func FuzzOpen(f *testing.F) {
	signed := [][]byte{build(f, small()), build(f, input())}
	for _, b := range signed {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte(Magic))
	f.Add(header{1, 1, 1}.append(nil))
	ps := take(f, small())
	ps.blobs[1] = archive(2, entry("a", 1)+entry("b", 2), "xyz")
	f.Add(ps.bytes(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := OpenReader(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = p.Verify(ring, VerifyOptions{Now: now})
		}
		if err == nil {
			if !slices.ContainsFunc(signed, func(s []byte) bool { return bytes.Equal(s, b) }) {
				t.Fatalf("verified what nobody signed: %x", b)
			}
			return
		}
		var e *abi.Error
		if !errors.As(err, &e) || e.Where == "" {
			t.Fatalf("error without code or place: %v", err)
		}
		if info, ok := abi.LookupCode(e.Code); !ok || info.Exit != 1 {
			t.Fatalf("%v has code %s", err, e.Code)
		}
	})
}

// FuzzAssets: an archive that reads is the one archive of its files.
func FuzzAssets(f *testing.F) {
	f.Add(archive(0, "", ""))
	f.Add(archive(2, entry("a", 1)+entry("b/c", 2), "xyz"))
	f.Add(archive(1<<16, entry("a", 1), "x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, at, e := readIndex(bytes.NewReader(b), uint64(len(b)))
		if e != nil {
			return
		}
		fsys := fstest.MapFS{}
		for _, f := range list {
			fsys[f.name] = &fstest.MapFile{Data: b[at : at+int64(f.length)]}
			at += int64(f.length)
		}
		files, err := scanAssets(fsys)
		if err != nil {
			t.Fatalf("%x reads as files that can't be packed: %v", b, err)
		}
		var again bytes.Buffer
		if err := writeAssets(&again, fsys, files); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("%x is packed again as %x (%v)", b, again.Bytes(), err)
		}
	})
}
