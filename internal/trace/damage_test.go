package trace

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// readBytes opens b as a recording and reads all of it.
func readBytes(b []byte, key seal.Key, cutShort bool) error {
	r, err := newReader("x", memory{bytes.NewReader(b)}, int64(len(b)), key, cutShort)
	if err != nil {
		return err
	}
	_, err = drain(r)
	return err
}

// small returns a sealed recording of several chunks and the offsets of its frames.
func small(t testing.TB, chunks int) ([]byte, []int) {
	t.Helper()
	w, path := newWriter(t, 0)
	for range chunks {
		for _, s := range []*sample{clock(), read(3, strings.Repeat("hello ", 3)), refused("/etc/passwd")} {
			s.write(t, w)
		}
		w.handOver()
	}
	for range 500 { // one compressed
		read(3, "0123456789").write(t, w)
	}
	finish(t, w)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := prefixSize + int(binary.LittleEndian.Uint32(b[8:])) + int(binary.LittleEndian.Uint32(b[12:]))
	var frames []int
	for range chunks + 2 {
		frames = append(frames, at)
		at += frameSize + int(binary.LittleEndian.Uint32(b[at+1:]))
	}
	if b[frames[chunks]] != frameZstd || b[frames[chunks+1]] != frameEnd || at+trailerSize != len(b) {
		t.Fatal("not the recording this test wants")
	}
	return b, frames
}

func TestFlipEveryByte(t *testing.T) {
	b, frames := small(t, 2)
	if err := readBytes(b, testKey, false); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bit := byte(1) << (i % 8)
		b[i] ^= bit
		err := readBytes(b, testKey, false)
		b[i] ^= bit
		if err == nil {
			t.Fatalf("byte %d flipped, and nobody saw it", i)
		}
		var want []abi.Code
		switch {
		case i < len(magic):
			want = []abi.Code{CodeFormat}
		case i < frames[0]:
			want = []abi.Code{CodeDamaged, CodeForeign, CodeUnsealed}
		default:
			want = []abi.Code{CodeDamaged}
		}
		code(t, err, codeIn(err, want))
		// The place is the part that was changed.
		part := ""
		for n := range frames[:len(frames)-1] {
			if i >= frames[n] && i < frames[n+1] {
				part = chunkName(uint64(n)) + " at byte"
			}
		}
		if !strings.Contains(err.Error(), part) {
			t.Fatalf("byte %d is in %s, the error says %v", i, part, err)
		}
	}
}

func codeIn(err error, want []abi.Code) abi.Code {
	for _, c := range want {
		if abi.CodeOf(err) == c {
			return c
		}
	}
	return want[0]
}

func TestCutEverywhere(t *testing.T) {
	b, frames := small(t, 1)
	for n := range b {
		err := readBytes(b[:n], testKey, false)
		if n == 0 {
			code(t, err, CodeEmpty)
			continue
		}
		code(t, err, CodeUnsealed)
		if n < frames[0] {
			continue
		}
		// A view reads what is whole.
		r, err := newReader("x", memory{bytes.NewReader(b[:n])}, int64(n), testKey, true)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		var want uint64
		if n >= frames[1] {
			want = 3
		}
		if n >= frames[2] {
			want = 503
		}
		if got, err := drain(r); got != want || err != nil {
			t.Fatalf("cut at %d: %d calls, %v", n, got, err)
		}
		if where, yes := r.Truncated(); !yes || where == "" {
			t.Fatal("not told as truncated")
		}
		if _, ok := r.End(); ok {
			t.Fatal("an end")
		}
	}
	code(t, readBytes(append(bytes.Clone(b), 0), testKey, false), CodeDamaged)
	code(t, readBytes(append(bytes.Clone(b), 0), testKey, true), CodeDamaged)
}

// TestTornTail: what a crash may leave after the last whole chunk.
func TestTornTail(t *testing.T) {
	b, frames := small(t, 2)
	last := bytes.Clone(b[:frames[2]])
	clear(last[frames[1]+frameSize+3:]) // the frame's length came to the disk, its end did not
	for name, f := range map[string][]byte{
		"zeros":      append(bytes.Clone(b[:frames[1]]), make([]byte, 5000)...),
		"few zeros":  append(bytes.Clone(b[:frames[1]]), make([]byte, 5)...),
		"last frame": last,
	} {
		r, err := newReader("x", memory{bytes.NewReader(f)}, int64(len(f)), testKey, true)
		if err != nil {
			t.Fatal(name, err)
		}
		if n, err := drain(r); n != 3 || err != nil {
			t.Errorf("%s: %d calls, %v", name, n, err)
		}
		if where, yes := r.Truncated(); !yes || !strings.Contains(where, "chunk 1") {
			t.Errorf("%s: %s", name, where)
		}
		code(t, readBytes(f, testKey, false), CodeUnsealed)
	}
	// In the middle it is damage, sealed or not.
	f := bytes.Clone(b[:frames[2]])
	f[frames[0]+frameSize+3] ^= 1
	code(t, readBytes(f, testKey, true), CodeDamaged)
}

func TestRearranged(t *testing.T) {
	b, f := small(t, 3)
	other, of := small(t, 3) // its frames may be of other lengths: they hold times
	part := func(from, to int) []byte { return b[from:to] }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	head, c0, c1, c2, rest := part(0, f[0]), part(f[0], f[1]), part(f[1], f[2]), part(f[2], f[3]), b[f[3]:]
	for name, x := range map[string][]byte{
		"swapped":       join(head, c1, c0, c2, rest),
		"dropped":       join(head, c0, c2, rest),
		"first dropped": join(head, c1, c2, rest),
		"duplicated":    join(head, c0, c1, c1, c2, rest),
		"spliced":       join(head, c0, other[of[1]:of[2]], c2, rest),
		"other header":  join(other[:of[0]], b[f[0]:]),
		"end early":     join(head, c0, b[f[4]:]),
	} {
		err := readBytes(x, testKey, false)
		code(t, err, CodeDamaged)
		// Who has no key but can compute a chain and a seal gets no further.
		code(t, readBytes(reseal(t, x), testKey, false), CodeDamaged)
		t.Log(name, err)
	}
	code(t, readBytes(b, seal.Key{9}, false), CodeForeign)
	code(t, readBytes([]byte("F1REC\x00\x02\nsomething else"), testKey, false), CodeFormat)
	code(t, readBytes([]byte("#!/bin/sh\n"), testKey, false), CodeFormat)
}

// reseal computes chain and trailer of b anew, as somebody without the key can.
func reseal(t *testing.T, b []byte) []byte {
	t.Helper()
	b = bytes.Clone(b)
	r := memory{bytes.NewReader(b)}
	h, err := readHeader("x", r, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := (&Reader{path: "x", file: r, size: int64(len(b)), body: h.size, digest: h.digest}).scan()
	if err != nil {
		t.Fatal(err)
	}
	tr := trailer{s.chunks, s.trailer.calls, s.chain, sealOf(h.digest, s.chain, s.chunks, s.trailer.calls)}
	return tr.append(b[:s.after])
}

// TestCountsAreBound: the public counts can't be changed, seal and all.
func TestCountsAreBound(t *testing.T) {
	b, _ := small(t, 1)
	n := len(b) - trailerSize + len(trailerMagic) + 8
	b[n]++
	code(t, readBytes(reseal(t, b), testKey, false), CodeDamaged)
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none"), testKey)
	code(t, err, CodeMissing)
	_, err = Open(dir, testKey)
	code(t, err, CodeRead)
	if used, err := InUse(filepath.Join(dir, "none")); used || err != nil {
		t.Error(used, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("InUse made a file")
	}
}

func TestInUse(t *testing.T) {
	w, path := newWriter(t, 0)
	clock().write(t, w)
	if used, err := InUse(path); !used || err != nil {
		t.Error(used, err)
	}
	_, err := Create(path, testHeader(), testKey, 0)
	code(t, err, CodeExists)
	w.Abort()
	w.Abort()
	if used, err := InUse(path); used || err != nil {
		t.Error(used, err)
	}
	_, err = Open(path, testKey)
	code(t, err, CodeUnsealed)
	r, err := OpenTruncated(path, testKey)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := drain(r); n != 1 || err != nil {
		t.Error(n, err)
	}
	_, err = w.Finish(End{})
	code(t, err, CodeWrite)
}

// TestOlderTable: a recording whose table is the beginning of ours reads; one
// of another table does not.
func TestOlderTable(t *testing.T) {
	if TableDigest(3) == TableDigest(4) || TableDigest(len(abi.Rows())) != tableDigest(len(abi.Rows())) {
		t.Fatal("digests of tables")
	}
	for _, c := range []struct {
		rows  int
		table abi.Digest
		want  abi.Code
	}{
		{10, TableDigest(10), ""},
		{10, TableDigest(11), CodeTable},
		{0, TableDigest(0), CodeTable},
		{-1, TableDigest(0), CodeTable},
		{len(abi.Rows()) + 1, TableDigest(99), CodeTable},
	} {
		h := &fileHeader{public: public{Rows: c.rows, Table: c.table}}
		if got := abi.CodeOf(h.checkTable("x")); got != c.want {
			t.Errorf("%d rows: %q, want %q", c.rows, got, c.want)
		}
	}
}

// FuzzOpen: no file makes the reader panic, hang or allocate at will.
func FuzzOpen(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "v1.f1rec"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-trailerSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, cutShort := range []bool{false, true} {
			if err := readBytes(b, testKey, cutShort); err != nil && abi.CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
		}
	})
}

// FuzzChunk: nor does any chunk, for one who has the key.
func FuzzChunk(f *testing.F) {
	e := newEncoder()
	var heads []byte
	for _, s := range []*sample{clock(), read(3, "hello"), refused("/x"), write("x"), through(), clock()} {
		heads = e.head(heads, &s.c, &s.o, s.d, &extra{out: len(s.out), sampled: true})
	}
	k := chunker{}
	k.take(&page{heads: heads, outs: []byte("hello"), calls: 6})
	f.Add(k.plain)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{shapes: newShapes(), rows: len(abi.Rows())}
		if d.reset(b, 0) != nil {
			return
		}
		var ev Event
		var err error
		n := 0
		for err == nil {
			if err = d.next(&ev); err == nil {
				n++
				_ = ev.Row().Name
			}
		}
		if n > len(b) {
			t.Fatalf("%d calls in %d bytes: %v", n, len(b), err)
		}
	})
}
