package evidence

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
)

// TestProve: from the log and from tiles comes the same proof, for every record
// against every size with a commit, and it holds.
func TestProve(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	sizes := []uint64{1}
	for _, n := range []int{1, 5, 20, 300} {
		fill(t, l, n)
		sizes = append(sizes, l.Size())
	}
	tiles, pins := filepath.Join(t.TempDir(), "tiles"), []PublicKey{o.Key.Public()}
	for _, size := range append(sizes, 0) {
		last := size
		if size == 0 {
			last = l.Size()
		}
		for _, index := range []uint64{0, last / 3, last / 2, last - 1} {
			a, shown, err := Prove(context.Background(), o.Dir, "", index, pins, ProveOptions{At: size})
			if err != nil {
				t.Fatal(err)
			}
			b, _, err := Prove(context.Background(), o.Dir, tiles, index, pins, ProveOptions{At: size})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Marshal(), b.Marshal()) || shown.Index != index || shown.Records != last {
				t.Errorf("record %d of %d: from the log\n%s, from tiles\n%s", index, last, a.Marshal(), b.Marshal())
			}
			p, err := ParseProof(a.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := p.Verify(pins, VerifyOptions{}); err != nil || got.Root != shown.Root {
				t.Error(err)
			}
			hs, err := ProveInclusion(tiles, last, index)
			if err != nil || !slices.Equal(hs, a.Hashes) {
				t.Errorf("hashes of record %d of %d: %v", index, last, err)
			}
		}
	}
	for _, from := range []string{"", tiles} {
		_, _, err := Prove(context.Background(), o.Dir, from, l.Size(), pins, ProveOptions{})
		wantCode(t, err, CodeTooShort)
		_, _, err = Prove(context.Background(), o.Dir, from, 0, pins, ProveOptions{At: 9999})
		wantCode(t, err, CodeNoCommit)
		_, _, err = Prove(context.Background(), o.Dir, from, 0, []PublicKey{newKey(t).Public()}, ProveOptions{})
		wantCode(t, err, CodePin)
	}
	_, _, err := ProveFromTiles(tiles, 0, []PublicKey{newKey(t).Public()}, VerifyOptions{})
	wantCode(t, err, CodeSignature)
}

// TestProveConsistency: each size continues each smaller one, and not otherwise.
func TestProveConsistency(t *testing.T) {
	_, dir := exported(t, 700)
	_, c, err := openTiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	root := func(size uint64) abi.Digest {
		h, err := tlog.TreeHash(int64(size), tileFolder(dir).hashes(c))
		if err != nil {
			t.Fatal(err)
		}
		return abi.Digest(h)
	}
	sizes := []uint64{1, 2, 255, 256, 257, 600, c.size}
	for _, old := range sizes {
		for _, size := range sizes {
			p, err := ProveConsistency(dir, old, size)
			if old > size {
				wantCode(t, err, CodeTooShort)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyConsistency(old, root(old), size, root(size), p); err != nil {
				t.Errorf("from %d to %d: %v", old, size, err)
			}
			wantCode(t, VerifyConsistency(old, abi.Digest{1}, size, root(size), p), CodeProof)
			wantCode(t, VerifyConsistency(old, root(old), size, root(size), append(p, abi.Digest{})), CodeProof)
		}
	}
	_, err = ProveConsistency(dir, 1, c.size+1)
	wantCode(t, err, CodeTooShort)
}

// TestProofAltered: no byte of a proof can be changed unseen, but for signatures
// of strangers.
func TestProofAltered(t *testing.T) {
	o, dir := exported(t, 300)
	pins := []PublicKey{o.Key.Public()}
	p, _, err := ProveFromTiles(dir, 77, pins, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	good := p.Marshal()
	verify := func(b []byte) error {
		p, err := ParseProof(b)
		if err == nil {
			_, err = p.Verify(pins, VerifyOptions{})
		}
		return err
	}
	for i := range good {
		for _, x := range []byte{1, 2, 16, 128} {
			b := slices.Clone(good)
			b[i] ^= x
			if verify(b) == nil {
				t.Fatalf("byte %d changed by %d: %q", i, x, b)
			}
		}
		if verify(good[:i]) == nil {
			t.Fatalf("cut at byte %d", i)
		}
	}
	lines := strings.SplitAfter(string(good), "\n")
	for i := range lines {
		if verify([]byte(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), ""))) == nil && lines[i] != "" {
			t.Errorf("line %d left out", i+1)
		}
		if verify([]byte(strings.Join(slices.Insert(slices.Clone(lines), i, lines[i]), ""))) == nil && lines[i] != "" && !strings.HasPrefix(lines[i], "— ") {
			t.Errorf("line %d doubled", i+1)
		}
	}
	// The record's line may be missing in a proof, but then it shows no record.
	bare := *p
	bare.Entry = nil
	wantCode(t, verify(bare.Marshal()), CodeNoProof)
	for _, q := range []Proof{
		{p.Index + 1, p.Entry, p.Hashes, p.Checkpoint},
		{p.Index, append(slices.Clone(p.Entry), 0), p.Hashes, p.Checkpoint},
		{1 << 62, p.Entry, p.Hashes, p.Checkpoint},
		{p.Index, p.Entry, p.Hashes[1:], p.Checkpoint},
		{p.Index, p.Entry, nil, p.Checkpoint},
	} {
		wantCode(t, verify(q.Marshal()), CodeProof)
	}
	if _, err := p.Verify(nil, VerifyOptions{}); abi.CodeOf(err) != CodeUsage {
		t.Error(err)
	}
	_, err = p.Verify([]PublicKey{newKey(t).Public()}, VerifyOptions{})
	wantCode(t, err, CodeSignature)
	// A stranger's signature beside is ignored, as signed-note wants it.
	if err := verify(append(slices.Clone(good), "— stranger.example AAAAAQABAgM=\n"...)); err != nil {
		t.Error(err)
	}
}

// TestProofSize: what a proof without its record takes among a million.
func TestProofSize(t *testing.T) {
	p := Proof{Index: 999_999, Hashes: make([]abi.Digest, 20)}
	var err error
	origin := DefaultOrigin(testKey(t).Public())
	p.Checkpoint, err = signednote.NewSigner(origin, testKey(t)).Note(signednote.AppendText(nil, origin, 1_000_000, abi.Digest{}))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Marshal()); n > 1200 {
		t.Errorf("%d bytes", n)
	}
}
