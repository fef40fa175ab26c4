package evidence

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
)

// signedHead returns a signed checkpoint of size records.
func signedHead(t testing.TB, key *PrivateKey, origin string, size uint64, root abi.Digest) *Checkpoint {
	t.Helper()
	n, err := signednote.NewSigner(origin, key).Note(signednote.AppendText(nil, origin, size, root))
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, n)
}

func parsed(t testing.TB, b []byte) *Checkpoint {
	t.Helper()
	c, err := ParseCheckpoint(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cosign adds the cosignature of a witness.
func cosign(t testing.TB, c *Checkpoint, key *PrivateKey, name string, at int64) NoteKey {
	t.Helper()
	k := NoteKey{Name: name, Type: SigWitness, Key: key.Public()}
	if n, err := c.Add([]byte(Cosign(key, name, time.Unix(at, 0), c)), k); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	return k
}

// storedTree is a tree as package tlog keeps it.
type storedTree []tlog.Hash

func (m storedTree) ReadHashes(at []int64) (h []tlog.Hash, err error) {
	for _, i := range at {
		h = append(h, m[i])
	}
	return h, nil
}

// TestLogConsistency: our proofs are those of package tlog, and verify.
func TestLogConsistency(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	for i := range 40 {
		var rs []abi.Record
		for j := range i%7 + 1 {
			rs = append(rs, runEnd(i*10+j))
		}
		add(t, l, rs...)
	}
	var m storedTree
	roots := []abi.Digest{{}}
	w := newWalker(l.o.FS, o.Dir)
	defer w.close()
	for {
		b, err := w.next()
		if err != nil {
			break
		}
		for _, e := range b.entries {
			hs, err := tlog.StoredHashes(int64(len(roots)-1), e, m)
			if err != nil {
				t.Fatal(err)
			}
			m = append(m, hs...)
			root, err := tlog.TreeHash(int64(len(roots)), m)
			if err != nil {
				t.Fatal(err)
			}
			roots = append(roots, abi.Digest(root))
		}
	}
	n := uint64(len(roots) - 1)
	if n != l.Size() || roots[n] != l.Root() {
		t.Fatalf("%d records, %d were read", l.Size(), n)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(1, n).Draw(t, "size")
		old := rapid.Uint64Range(0, size).Draw(t, "old")
		proof, err := LogConsistency(context.Background(), o.Dir, old, size)
		if err != nil {
			t.Fatal(err)
		}
		if old > 0 {
			want, err := tlog.ProveTree(int64(size), int64(old), m)
			if err != nil || fmt.Sprint(want) != fmt.Sprint(tlogProof(proof)) {
				t.Fatalf("%d to %d: %v, want %v %v", old, size, proof, want, err)
			}
		}
		if old == 0 {
			return
		}
		if err := VerifyConsistency(old, roots[old], size, roots[size], proof); err != nil {
			t.Fatal(err)
		}
		if VerifyConsistency(old, roots[old-1], size, roots[size], proof) == nil {
			t.Fatal("another beginning passes")
		}
		if old < size && VerifyConsistency(old, roots[old], size, roots[size-1], proof) == nil {
			t.Fatal("another end passes")
		}
	})
	_, err := LogConsistency(context.Background(), o.Dir, 3, n+1)
	wantCode(t, err, CodeRecord)
	_, err = LogConsistency(context.Background(), o.Dir, 4, 3)
	wantCode(t, err, CodeUsage)
	_, err = LogConsistency(context.Background(), t.TempDir(), 1, 3)
	wantCode(t, err, CodeMissing, CodeIO)
}

func tlogProof(p []abi.Digest) (q tlog.TreeProof) {
	for _, d := range p {
		q = append(q, tlog.Hash(d))
	}
	return q
}
