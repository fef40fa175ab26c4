package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
)

// FuzzScanner: whatever stands in a segment, reading it ends, takes little
// memory, and what it accepts is what appendFrame writes.
func FuzzScanner(f *testing.F) {
	seg := readFile(f, segment(smallLog(f), 0))
	_, end := frames(f, seg)
	f.Add(seg[headerSize:end])
	f.Add(seg[headerSize : end+20])
	f.Add(seg[headerSize : end-3])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 7})
	f.Fuzz(func(t *testing.T, in []byte) {
		var s scanner
		s.reset(bytes.NewReader(in), 0)
		for off := int64(0); ; {
			b, err := s.next()
			if err != nil {
				if _, ok := err.(*damage); !ok && err != io.EOF {
					t.Fatal(err)
				}
				break
			}
			var again []byte
			for _, e := range b.entries {
				again = appendFrame(again, frameRecord, e)
			}
			if again = appendFrame(again, frameCommit, b.note); b.start != off || !bytes.Equal(again, in[b.start:b.end]) || !bytes.Equal(again, b.raw) {
				t.Fatalf("batch at %d is not what was written", off)
			}
			off = b.end
		}
		if cap(s.buf) > maxBatch+maxAhead+len(in) {
			t.Fatalf("%d bytes of memory for %d bytes of input", cap(s.buf), len(in))
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(header{Origin: "a"}.encode())
	f.Add(header{Number: 7, First: 9, Prev: abi.Digest{1}, Origin: "forgeone.local/0123456789abcdef"}.encode())
	f.Add([]byte(headerMagic))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := parseHeader(in)
		if err == nil && !bytes.Equal(h.encode(), in[:headerSize]) {
			t.Fatalf("%+v is not what it was read from", h)
		}
	})
}

func FuzzNote(f *testing.F) {
	l := openLog(f, newLog(f))
	f.Add(l.Checkpoint())
	f.Add([]byte("a\n1\n\n\n— a \n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := parseNote(in)
		if err != nil {
			return
		}
		text := signednote.AppendText(nil, c.origin, c.size, c.root)
		if string(text) != c.text || !bytes.HasPrefix(in, append(text, '\n')) {
			t.Fatalf("%q reads as %q", in, text)
		}
		sig := bytes.TrimSuffix(in[len(text)+1+len("— ")+len(c.origin)+1:], []byte("\n"))
		raw, err := base64.StdEncoding.DecodeString(string(sig))
		if err != nil || base64.StdEncoding.EncodeToString(raw) != string(sig) {
			t.Fatalf("signature %q is not canonical", sig)
		}
	})
}

// FuzzPeek: peek accepts every record, and reads it right.
func FuzzPeek(f *testing.F) {
	for _, when := range []int64{0, 23, 24, 255, 256, -1, math.MaxInt64, math.MinInt64, 1 << 32} {
		r := uninstall("a")
		r.Time = when
		e, err := codec.EncodeRecord(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		kind, when, ok := peek(in)
		r, err := codec.DecodeRecord(in)
		if err == nil && (!ok || kind != r.Kind || when != r.Time) {
			t.Fatalf("% x: peek says %v %d %v, the codec %v %d", in, kind, when, ok, r.Kind, r.Time)
		}
	})
}

// TestTree: the frontier gives the roots of an independent implementation, at
// every size.
func TestTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 70).Draw(t, "entries")
		var tr merkle.Tree
		h := merkle.NewHasher()
		var stored []tlog.Hash
		get := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
			for _, a := range at {
				out = append(out, stored[a])
			}
			return out, nil
		})
		for i, e := range entries {
			hs, err := tlog.StoredHashes(int64(i), e, get)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, hs...)
			tr.Push(h, h.Leaf(e))
			want, err := tlog.TreeHash(int64(i+1), get)
			if err != nil || abi.Digest(want) != tr.Root(h) {
				t.Fatalf("size %d: %v", i+1, err)
			}
		}
	})
}

// FuzzPost: a line counts only if it is, to the byte, of the form that the key
// makes over this head; nothing makes the reader fail.
func FuzzPost(f *testing.F) {
	key, err := seal.ParsePost(pem.EncodeToMemory(&pem.Block{Type: "FORGEONE PRIVATE KEY", Headers: map[string]string{"Algorithm": seal.MLDSA44}, Bytes: make([]byte, 32)}))
	if err != nil {
		f.Fatal(err)
	}
	// (Each process of a fuzzer makes the same one.)
	l := openLog(f, newLog(f, func(o *Options) { o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) } }))
	n := l.Checkpoint()
	c, err := parsePublished(n)
	if err != nil {
		f.Fatal(err)
	}
	s := postSign(key, c)
	f.Add(append(bytes.Clone(n), s.Line()...))
	f.Add(append(bytes.Clone(n), NoteSignature{Name: s.Name, Hash: s.Hash, Sig: s.Sig[:9]}.Line()...))
	f.Add(append(append(bytes.Clone(n), s.Line()...), s.Line()...))
	f.Add(n)
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := parsePublished(in)
		if err != nil || checkPost(in, c, key.Public()) != nil {
			return
		}
		// It is a signature over c: who has no key takes it from where it was.
		p, err := signednote.Parse(in)
		if err != nil || !bytes.Contains(in, []byte(s.Line())) || c.root != p.Root {
			t.Fatalf("%q counts", in)
		}
	})
}
