package trace

import (
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forgeone/forgeone/abi"
)

var update = flag.Bool("update", false, "write the vectors anew: only when the format gets a new version")

// vectorCalls are the calls of the vectors.
func vectorCalls() []*sample {
	yes := &abi.Decision{Verdict: abi.Allow, Reason: abi.ReasonPermit, Rules: []abi.Rule{{ID: "r", File: "f", Line: 7}}, Epoch: 1, Trust: abi.Trust{P: 40, A: 100, C: 60, N: 100, R: 100}}
	no := &abi.Decision{Reason: abi.ReasonNoGrant, Errno: abi.ENOENT, Epoch: 1, Trust: yes.Trust}
	tick, get, put, open := clock(), read(3, "abc"), write("hi"), refused("x")
	tick.d, get.d, put.d, open.d = yes, yes, yes, no
	return []*sample{tick, get, put, open}
}

// TestChunkVector: the plaintext of a chunk, byte for byte as docs/FORMATS.md takes it apart.
func TestChunkVector(t *testing.T) {
	last := through()
	last.d = vectorCalls()[3].d
	charged := clock()
	charged.d, charged.c.Charge = vectorCalls()[0].d, 800
	calls := append(vectorCalls(), last, charged)
	e, p := newEncoder(), page{first: 0}
	for i, s := range calls {
		x := extra{out: len(s.out)}
		if i == 0 {
			x.sampled, x.duration, x.time = true, 300, 1700000000000000000
		}
		for j := range x.tag {
			x.tag[j] = byte(j)
		}
		p.heads = e.head(p.heads, &s.c, &s.o, s.d, &x)
		p.outs = append(p.outs, s.out...)
		p.calls++
	}
	var k chunker
	k.take(&p)
	const want = "616263" + // outs
		"06" + "10" + "01e807" + "000500000000096d6f6e6f746f6e696300" + "00" + "010100" + "28643c6464" + "00" + "01" + "00" + "01" + "0172" + "0166" + "07" +
		"15cd5b0700000000" + "ac02" + "00002a36fe9c9717" +
		"15" + "04" + "030b" + "00010000" + "00" + "010d2f696e2f612e6a736f6e6e657400" + "01" + "03000000" + "03" +
		"1b" + "02" + "0102" + "02" + "000102030405060708090a0b0c0d0e0f" + "00020000" + "00" + "00067374646f757400" + "01" + "02000000" +
		"20" + "01" + "03010100020200" + "0178" + "00010001" + "2c" + "000178" + "00" + "00" + "000400" + "28643c6464" + "2c" + "0100" + "00" + "2c" +
		"20" + "01" + "03010600020200" + "06782f2e2e2f62" + "0001020000" + "01" + "022f6200" + "0202" + "01022f61" + "00022f78" + "02" + "2c" +
		"06" + "40" + "01e807" + "01" + "01" + "15cd5b0700000000" + "a006" +
		"0000000000000000" + "06000000" + "da000000" // foot
	if got := hex.EncodeToString(k.plain); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	d := decoder{shapes: newShapes(), rows: len(abi.Rows())}
	if err := d.reset(k.plain, 0); err != nil {
		t.Fatal(err)
	}
	var ev Event
	for i, s := range calls {
		if err := d.next(&ev); err != nil || ev.Num != s.c.Row.Num || string(ev.Out) != string(s.out) {
			t.Fatal(i, ev, err)
		}
	}
	if err := d.next(&ev); err != io.EOF {
		t.Fatal(err)
	}
}

// TestFileVector reads a recording made by the first version of the format. It
// must read for as long as the version is 1.
func TestFileVector(t *testing.T) {
	file, text := filepath.Join("testdata", "v1.f1rec"), filepath.Join("testdata", "v1.txt")
	if *update {
		_ = os.Remove(file) // it may not be there
		w, err := Create(file, testHeader(), testKey, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range vectorCalls() {
			s.write(t, w)
		}
		w.handOver()
		for range 300 {
			clock().write(t, w)
		}
		finish(t, w)
	}
	r := open(t, file)
	var b strings.Builder
	seal, _ := r.Seal()
	fmt.Fprintf(&b, "header %s\nseal %s\n%+v\n%+v\n", r.HeaderDigest().Hex(), seal.Hex(), *r.Header(), *r.end)
	var ev Event
	for range 6 {
		if err := r.Next(&ev); err != nil {
			t.Fatal(err)
		}
		d := *ev.Decision
		ev.Decision = nil
		fmt.Fprintf(&b, "%+v\n  %+v\n", ev, d)
	}
	if n, err := drain(r); n != 298 || err != nil {
		t.Fatal(n, err)
	}
	if *update {
		if err := os.WriteFile(text, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}
