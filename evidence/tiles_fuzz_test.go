package evidence

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
)

func FuzzProof(f *testing.F) {
	o, dir := exported(f, 40)
	pins := []PublicKey{o.Key.Public()}
	for _, i := range []uint64{0, 7, 40} {
		p, _, err := ProveFromTiles(dir, i, pins, VerifyOptions{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Marshal())
		p.Entry = nil
		f.Add(p.Marshal())
	}
	c, err := ParseCheckpoint(readFile(f, filepath.Join(dir, checkpointName)))
	if err != nil {
		f.Fatal(err)
	}
	entries, err := tileFolder(dir).bundle(merkle.Tile{Level: merkle.EntriesLevel, N: 0, Width: int(c.Size)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			wantCode(t, err, CodeNoProof)
			return
		}
		if !bytes.Equal(p.Marshal(), b) {
			t.Fatalf("%q is parsed to %q", b, p.Marshal())
		}
		if got, err := p.Verify(pins, VerifyOptions{}); err == nil {
			if got.Root != c.Root || !bytes.Equal(p.Entry, entries[got.Index]) {
				t.Fatalf("%q shows record %d of another log", b, got.Index)
			}
		}
	})
}

// FuzzTiles: whatever the files of an export are, the verifier ends, and says yes
// only to the records that were logged.
func FuzzTiles(f *testing.F) {
	o, dir := exported(f, 40)
	want := mustVerifyTiles(f, o, dir)
	names := needed(f, dir)
	for i, name := range names {
		b := readFile(f, filepath.Join(dir, name))
		f.Add(uint8(i), b)
		f.Add(uint8(i), b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, at uint8, b []byte) {
		path := filepath.Join(dir, names[int(at)%len(names)])
		was := readFile(t, path)
		writeFile(t, path, b)
		defer writeFile(t, path, was)
		n := uint64(0)
		r, err := VerifyTiles(context.Background(), dir, []PublicKey{o.Key.Public()}, VerifyOptions{Each: func(uint64, abi.Record) error {
			n++
			return nil
		}})
		if err == nil && (r.Root != want.Root || n != want.Records) {
			t.Errorf("%s verifies with %q: %d records, root %x", path, b, r.Records, r.Root)
		}
	})
}
