package evidence

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
)

// smallLog makes a closed log of one segment and three commits.
func smallLog(t testing.TB) Options {
	o := newLog(t, small)
	l := openLog(t, o)
	add(t, l, runEnd(1), uninstall("a"))
	add(t, l, runEnd(2), uninstall("b"), abi.Record{Body: &abi.Policy{Epoch: 1}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// largeLog makes a closed log of four segments.
func largeLog(t testing.TB) Options {
	o := newLog(t, small)
	l := openLog(t, o)
	for i := 0; mustSegments(t, o) < 4; i++ {
		rs := make([]abi.Record, 20)
		for j := range rs {
			rs[j] = runEnd(20*i + j)
		}
		add(t, l, rs...)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

func mustSegments(t testing.TB, o Options) int {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(o.Dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return len(m)
}

// refused checks that Verify finds damage and says where.
func refused(t *testing.T, o Options, what string) {
	t.Helper()
	_, err := verify(t, o)
	info, ok := abi.LookupCode(abi.CodeOf(err))
	if !ok || info.Exit != 1 {
		t.Fatalf("%s: Verify says %v", what, err)
	}
	if e := err.(*abi.Error); e.Where == "" || e.What == "" {
		t.Fatalf("%s: no place in %#v", what, e)
	}
}

func TestEveryByteFlipped(t *testing.T) {
	t.Parallel()
	o := smallLog(t)
	path := segment(o, 0)
	good := readFile(t, path)
	_, end := frames(t, good)
	mustVerify(t, o)
	flip := func(i int, mask byte) {
		bad := bytes.Clone(good)
		bad[i] ^= mask
		writeFile(t, path, bad)
		refused(t, o, fmt.Sprintf("byte %d xor %#x", i, mask))
	}
	for i := range end {
		flip(int(i), 1<<(i%8))
	}
	for i := int(end); i < len(good); i += 11 {
		flip(i, 1)
	}
	flip(len(good)-1, 1)
	writeFile(t, path, good)
	mustVerify(t, o)
}

// TestEveryByteFlippedAndSummed: whoever changes a byte can compute checksums
// too.
func TestEveryByteFlippedAndSummed(t *testing.T) {
	t.Parallel()
	o := smallLog(t)
	path := segment(o, 0)
	good := readFile(t, path)
	at, end := frames(t, good)
	for i, from := range at {
		to := end
		if i+1 < len(at) {
			to = at[i+1]
		}
		for j := from + 8; j < to; j++ {
			bad := bytes.Clone(good)
			bad[j] ^= 1 << (j % 8)
			binary.LittleEndian.PutUint32(bad[from+4:], frameSum(bad[from:from+frameHead], bad[from+frameHead:to]))
			writeFile(t, path, bad)
			refused(t, o, fmt.Sprintf("byte %d of frame %d", j-from, i))
		}
	}
	for j := 0; j < hCRC; j += 3 {
		bad := bytes.Clone(good)
		bad[j] ^= 1 << (j % 8)
		binary.LittleEndian.PutUint32(bad[hCRC:], crc32.Checksum(bad[:hCRC], castagnoli()))
		writeFile(t, path, bad)
		refused(t, o, fmt.Sprintf("header byte %d", j))
	}
}

func TestSegmentsFlipped(t *testing.T) {
	t.Parallel()
	o := largeLog(t)
	for n := range uint64(4) {
		path := segment(o, n)
		good := readFile(t, path)
		step := 97
		if testing.Short() {
			step = 397
		}
		for i := int(n); i < len(good); i += step {
			bad := bytes.Clone(good)
			bad[i] ^= 0x80
			writeFile(t, path, bad)
			refused(t, o, fmt.Sprintf("%s byte %d", segmentName(n), i))
		}
		writeFile(t, path, good)
	}
	mustVerify(t, o)
}

// TestRearranged: frames and whole segments dropped, doubled, moved, inserted.
func TestRearranged(t *testing.T) {
	o := smallLog(t)
	path := segment(o, 0)
	good := readFile(t, path)
	at, end := frames(t, good)
	at = append(at, end)
	frame := func(i int) []byte { return good[at[i]:at[i+1]] }
	n := len(at) - 1
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	arrange := func(order ...int) {
		bad := bytes.Clone(good[:headerSize])
		for _, i := range order {
			bad = append(bad, frame(i)...)
		}
		writeFile(t, path, append(bad, make([]byte, 4096)...))
		refused(t, o, fmt.Sprint("order ", order))
		l, err := Open(o)
		if slices.Contains(order, n-1) && !slices.Equal(order[:min(n, len(order))], all) {
			wantCode(t, err, CodeTampered) // the last commit is there, what it is over is not
		} else if err != nil {
			t.Fatalf("order %v: %v", order, err) // a torn tail: mended
		} else if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n - 1 { // (dropping the last commit makes a torn tail)
		if good[at[i]+8] == frameCommit {
			continue // see TestCommitDropped
		}
		arrange(append(append([]int(nil), all[:i]...), all[i+1:]...)...)              // dropped
		arrange(append(append(append([]int(nil), all[:i+1]...), i), all[i+1:]...)...) // doubled
		swapped := append([]int(nil), all...)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		arrange(swapped...)
	}
	arrange(append(slices.Clone(all), all[n-1])...)       // the last commit again
	arrange(append(slices.Clone(all), all[2:n]...)...)    // all batches again
	arrange(append(append([]int{}, all[2:]...), 0, 1)...) // the first batch last
}

// TestCommitDropped: without one of its commits, not the last, the open segment
// says what it said; a sealed one is refused for its seal.
func TestCommitDropped(t *testing.T) {
	for n := range uint64(2) {
		o := largeLog(t)
		if n == 0 {
			o = smallLog(t)
		}
		want := mustVerify(t, o)
		b := readFile(t, segment(o, 0))
		at, _ := frames(t, b)
		for i := range at {
			if b[at[i]+8] == frameCommit {
				writeFile(t, segment(o, 0), append(bytes.Clone(b[:at[i]]), b[at[i+1]:]...))
				break
			}
		}
		got, err := verify(t, o)
		if n == 1 {
			wantCode(t, err, CodeChain)
		} else if err != nil || got.Root != want.Root || got.Records != want.Records || got.Commits != want.Commits-1 {
			t.Fatalf("%+v, %v; before %+v", got, err, want)
		}
	}
}

func TestSegmentsRearranged(t *testing.T) {
	o := largeLog(t)
	a, b := segment(o, 1), segment(o, 2)
	one, two := readFile(t, a), readFile(t, b)
	writeFile(t, a, two)
	writeFile(t, b, one)
	_, err := verify(t, o)
	wantCode(t, err, CodeChain)
	_, err = Open(o)
	wantCode(t, err, CodeTampered, CodeChain)
	writeFile(t, a, one)
	if err := os.Remove(b); err != nil {
		t.Fatal(err)
	}
	_, err = verify(t, o)
	wantCode(t, err, CodeChain)
	_, err = Open(o)
	wantCode(t, err, CodeTampered)
	if err := Read(o.Dir, 0, func(uint64, abi.Record) error { return nil }); err != nil {
		t.Fatal(err) // Read lists what there is
	}
	writeFile(t, b, append(bytes.Clone(two), 0)) // a sealed segment that grew by a zero
	refused(t, o, "a longer sealed segment")
	_, err = Open(o)
	wantCode(t, err, CodeTampered)
	writeFile(t, b, two[:len(two)-1])
	refused(t, o, "a cut sealed segment")
	_, err = Open(o)
	wantCode(t, err, CodeTampered)
	if err := os.Remove(segment(o, 0)); err != nil {
		t.Fatal(err)
	}
	_, err = verify(t, o)
	wantCode(t, err, CodeMissing)
	wantCode(t, Create(o), CodeExists)
}

// TestCutAtCommit: a log cut off right behind a commit is a shorter log, and
// only a checkpoint kept elsewhere tells. The report must say how long it is
// and that nobody witnessed it.
func TestCutAtCommit(t *testing.T) {
	o := smallLog(t)
	before := mustVerify(t, o)
	path := segment(o, 0)
	good := readFile(t, path)
	at, _ := frames(t, good)
	clear(good[at[len(at)-4]:])
	writeFile(t, path, good)
	after := mustVerify(t, o)
	if after.Records != before.Records-3 || after.Checkpoint == before.Checkpoint || after.Witnessed.Yes() {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	// Cut and continued: the old checkpoint shows it, for its root is not that of
	// any prefix any more.
	l := openLog(t, o)
	add(t, l, runEnd(7), runEnd(8), runEnd(9))
	if r := mustVerify(t, o); r.Records != before.Records || r.Root == before.Root {
		t.Fatalf("before %+v, now %+v", before, r)
	}
}

func TestForeignKeys(t *testing.T) {
	o := smallLog(t)
	other, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	_, err = Verify(ctx, o.Dir, []PublicKey{other.Public()}, VerifyOptions{})
	wantCode(t, err, CodePin)
	_, err = Verify(ctx, o.Dir, []PublicKey{o.Key.Public(), other.Public()}, VerifyOptions{})
	wantCode(t, err, CodePin)
	if _, err := Verify(ctx, o.Dir, []PublicKey{o.Key.Public(), o.Key.Public()}, VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	// Made anew with another key, the same records and the same origin: not with
	// this software, and where the name is not of a key, for nothing.
	forged := Options{Dir: filepath.Join(t.TempDir(), "log"), Key: other, Origin: DefaultOrigin(o.Key.Public()), SegmentBytes: minSegment}
	wantCode(t, Create(forged), CodeUsage)
	forged.Origin = "log.example/one"
	if err := Create(forged); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, forged)
	add(t, l, runEnd(1), uninstall("a"))
	_, err = Verify(ctx, forged.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{})
	wantCode(t, err, CodePin)
	forged.Key = o.Key
	_, err = Open(forged)
	wantCode(t, err, CodeStale)
	// Continued by another key.
	ours := o
	ours.Key = other
	_, err = Open(ours)
	wantCode(t, err, CodeStale)
	l2 := openLog(t, o)
	if _, err := l2.Update(ctx, func() ([]abi.Record, error) {
		l2.signer = signednote.NewSigner(l2.Origin(), other) // as in a program that was changed
		return []abi.Record{runEnd(1)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	_, err = verify(t, o)
	wantCode(t, err, CodeSignature)
	_, err = Open(o)
	wantCode(t, err, CodeSignature)
	_, err = Verify(ctx, o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Origin: "elsewhere"})
	wantCode(t, err, CodeOrigin)
}

// TestWrongOrigin: a log of the same key under another name is another log.
func TestWrongOrigin(t *testing.T) {
	o := newLog(t, small, func(o *Options) { o.Origin = "one.example/log" })
	p := newLog(t, small, func(o *Options) { o.Origin = "two.example/log" })
	a, b := readFile(t, segment(o, 0)), readFile(t, segment(p, 0))
	writeFile(t, segment(o, 0), append(bytes.Clone(a[:headerSize]), b[headerSize:]...))
	_, err := verify(t, o)
	wantCode(t, err, CodeOrigin)
	_, err = Open(o)
	wantCode(t, err, CodeTampered)
}
