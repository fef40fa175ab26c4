package forgeone_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/replay"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
)

// vector is one block of docs/FORMATS.md: a name and a value per line, or for
// some kinds a text of its own.
type vector struct {
	*testing.T
	text string
	at   map[string]string
}

var vectorBlock = regexp.MustCompile("(?s)```vector ([a-z]+)\n(.*?)\n```")

// vectorKinds check one block each.
var vectorKinds = map[string]func(vector){
	"sum":       func(v vector) { d := seal.Sum(v.at["domain"], v.bytes("data")); v.is("digest", d[:]) },
	"key":       keyVector,
	"signature": func(v vector) { v.is("signature", v.private().Sign(v.at["domain"], v.bytes("data"))) },
	"hmac": func(v vector) {
		d := seal.Authenticate(v.key("key"), v.at["domain"], v.bytes("data"))
		v.is("tag", d[:])
	},
	"derive": func(v vector) { d := v.key("key").Derive(v.at["label"]); v.is("out", d[:]) },
	"box": func(v vector) {
		v.is("sealed", seal.NewBox(v.key("key")).Seal(nil, v.number("number"), v.bytes("ad"), v.bytes("plain")))
	},
	"gmac": func(v vector) {
		d := seal.NewMAC(v.key("key")).Tag(v.number("index"), uint32(v.number("buffer")), v.bytes("data"))
		v.is("tag", d[:])
	},
	"wrap":    wrapVector,
	"record":  recordVector,
	"act":     actVector,
	"commit":  commitVector,
	"export":  exportVector,
	"postlog": postLogVector,
	"cosig":   cosigVector,
	"policy":  policyVector,
	"config":  configVector,
	"end":     endVector,
	"segment": segmentVector,
	"package": packageVector,
	"post":    postVector,
	"pair":    pairVector,

	"revocations": revocationsVector,
	"statement":   statementVector,
	"chunk":       chunkVector,
}

// TestVectors checks every vector of docs/FORMATS.md against the code.
func TestVectors(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range vectorBlock.FindAllStringSubmatch(doc(t, "docs/FORMATS.md"), -1) {
		check := vectorKinds[m[1]]
		if check == nil {
			t.Errorf("nobody checks vectors of kind %q", m[1])
			continue
		}
		seen[m[1]] = true
		t.Run(m[1], func(t *testing.T) {
			at := map[string]string{}
			for l := range strings.Lines(m[2]) {
				name, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), " ")
				at[name] = strings.TrimSpace(value)
			}
			check(vector{t, m[2], at})
		})
	}
	for k := range vectorKinds {
		if !seen[k] {
			t.Errorf("docs/FORMATS.md has no vector of kind %q", k)
		}
	}
}

func (v vector) unhex(s string) []byte {
	v.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		v.Fatal(err)
	}
	return b
}

func (v vector) bytes(name string) []byte {
	v.Helper()
	if _, ok := v.at[name]; !ok {
		v.Fatalf("the vector has no %s", name)
	}
	return v.unhex(v.at[name])
}

func (v vector) number(name string) uint64 {
	v.Helper()
	n, err := strconv.ParseUint(v.at[name], 10, 64)
	if err != nil {
		v.Fatal(err)
	}
	return n
}

func (v vector) key(name string) seal.Key { return seal.Key(v.bytes(name)) }

func (v vector) private() *seal.PrivateKey {
	v.Helper()
	k, err := seal.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "FORGEONE PRIVATE KEY", Headers: map[string]string{"Algorithm": "ed25519"}, Bytes: v.bytes("seed")}))
	if err != nil {
		v.Fatal(err)
	}
	return k
}

func (v vector) is(name string, got []byte) {
	v.Helper()
	if want := v.bytes(name); !bytes.Equal(got, want) {
		v.Errorf("%s is %x, docs/FORMATS.md says %x", name, got, want)
	}
}

func keyVector(v vector) {
	pub := v.private().Public()
	if pub.String() != v.at["public"] {
		v.Errorf("public key %s", pub)
	}
	id := pub.ID()
	v.is("id", id[:])
}

func wrapVector(v vector) {
	k, err := seal.Unwrap(v.key("kek"), v.bytes("wrapped"))
	if err != nil {
		v.Fatal(err)
	}
	v.is("key", k[:])
}

func recordVector(v vector) {
	b := v.bytes("bytes")
	r, err := codec.DecodeRecord(b)
	if err != nil {
		v.Fatal(err)
	}
	if r.Time != 1_700_000_000_000_000_000 {
		v.Errorf("time %d", r.Time)
	}
	again, err := codec.EncodeRecord(r)
	if err != nil || !bytes.Equal(again, b) {
		v.Errorf("%v encodes to %x, %v", r.Kind, again, err)
	}
}

func commitVector(v vector) {
	d := seal.Authenticate(v.key("key").Derive(v.at["run"]), v.at["domain"], v.bytes("data"))
	v.is("tag", d[:])
}

// policyFile is the form of a kept policy, as FORMATS.md says it.
func policyFile(t *testing.T, name string, text []byte) []byte {
	t.Helper()
	b, err := codec.Marshal([]any{[]any{[]any{name, text}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func policyVector(v vector) {
	d := policy.Digest([]policy.Source{{Name: v.at["name"], Text: v.bytes("text")}})
	v.is("digest", d[:])
	v.is("file", policyFile(v.T, v.at["name"], v.bytes("text")))
}

func configVector(v vector) {
	text := v.bytes("text")
	d := config.Digest(text)
	v.is("digest", d[:])
	path := filepath.Join(v.TempDir(), "config")
	if _, err := config.Write(path, text, v.private()); err != nil {
		v.Fatal(err)
	}
	if got, want := doc(v.T, path), string(text)+v.at["last-line"]+"\n"; got != want {
		v.Errorf("the file is\n%swant\n%s", got, want)
	}
}

func endVector(v vector) {
	e := trace.End{
		Outcome: abi.Outcome(v.number("outcome")), Exit: uint32(v.number("exit")), Trap: v.at["trap"], Calls: v.number("calls"),
		Ticks: v.number("ticks"), Fuel: v.number("fuel"), State: [16]byte(v.bytes("state")), Entry: v.number("entry") == 1,
	}
	d := replay.EndDigest(&e)
	v.is("digest", d[:])
}

// segmentVector makes the log that FORMATS.md takes apart, and compares.
func segmentVector(v vector) {
	k := vector{v.T, "", map[string]string{"seed": "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"}}.private()
	o := evidence.Options{Dir: filepath.Join(v.TempDir(), "log"), Key: k, SegmentBytes: 16 << 10, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	if err := evidence.Create(o); err != nil {
		v.Fatal(err)
	}
	l, err := evidence.Open(o)
	if err != nil {
		v.Fatal(err)
	}
	defer l.Close()
	_, err = l.Update(context.Background(), func() ([]abi.Record, error) {
		return []abi.Record{{Body: &abi.PackageUninstall{Name: "a"}}}, nil
	})
	if err != nil {
		v.Fatal(err)
	}
	b := []byte(doc(v.T, filepath.Join(o.Dir, "00000000.seg")))
	head := func(off int, want string) {
		if w := v.unhex(strings.ReplaceAll(want, " ", "")); !bytes.Equal(b[off:off+len(w)], w) {
			v.Errorf("byte %d: %x, want %x", off, b[off:off+len(w)], w)
		}
	}
	crc := regexp.MustCompile(`CRC-32C ([0-9a-f]{8})`).FindStringSubmatch(v.at["header"])
	if got := binary.LittleEndian.Uint32(b[4092:]); crc == nil || crc[1] != strconv.FormatUint(uint64(got), 16) {
		v.Errorf("the header's checksum is %08x", got)
	}
	rest := regexp.MustCompile(`(?m)^ {10,}([0-9a-f]+)$`).FindStringSubmatch(v.text)
	if rest == nil {
		v.Fatal("the first record has no second line")
	}
	head(4096, v.at["4096"]+rest[1])
	for _, off := range []string{"4187", "4405", "4430"} {
		hexa, _, _ := strings.Cut(strings.ReplaceAll(v.at[off], ", body:", ""), " (")
		n, _ := strconv.Atoi(off)
		head(n, hexa)
	}
	sum := regexp.MustCompile(`fbf1[0-9a-f]{60}`).FindString(v.at["4648"])
	if got := seal.SHA256(b[:4648]); hex.EncodeToString(got[:]) != sum {
		v.Errorf("SHA-256 of the segment is %x", got)
	}
	root := l.Root()
	v.is("root", root[:])
	var note []string
	for l := range strings.Lines(v.text) {
		if s := strings.TrimSpace(l); strings.HasPrefix(l, "          ") && !regexp.MustCompile(`^[0-9a-f]{40,}$`).MatchString(s) {
			note = append(note, s)
		}
	}
	if got := string(b[4430+9 : 4648]); got != strings.Join(note[:3], "\n")+"\n\n"+note[3]+"\n" || string(l.Checkpoint()) != got {
		v.Errorf("the commit is\n%s", got)
	}
	if bytes.ContainsFunc(b[4648:], func(r rune) bool { return r != 0 }) {
		v.Error("something lies behind the last commit")
	}
}

var dumpLine = regexp.MustCompile(`(?m)^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} ?)+)  `)

func packageVector(v vector) {
	const path = "forgepkg/testdata/hello.forgepkg"
	var dump []byte
	for _, m := range dumpLine.FindAllStringSubmatch(v.text, -1) {
		dump = append(dump, v.unhex(strings.ReplaceAll(m[1], " ", ""))...)
	}
	b := []byte(doc(v.T, path))
	if !bytes.Equal(b, dump) {
		v.Errorf("the dump has %d bytes, %s has %d, and they differ", len(dump), path, len(b))
	}
	p, err := forgepkg.Open(path)
	if err != nil {
		v.Fatal(err)
	}
	defer p.Close()
	m := p.Manifest()
	for name, got := range map[string]abi.Digest{"key-id": m.Signers[0], "module": m.Blobs[0].Digest, "assets": m.Blobs[1].Digest, "package": p.Digest()} {
		if want, _, _ := strings.Cut(v.at[name], " "); got.Hex() != want {
			v.Errorf("%s is %s, docs/FORMATS.md says %s", name, got.Hex(), want)
		}
	}
}

// chunkVector compares the chunk with the constant that package trace tests
// its encoder and decoder with.
func chunkVector(v vector) {
	var got string
	for l := range strings.Lines(v.text) {
		left, _, _ := strings.Cut(strings.TrimLeft(l, " "), "  ")
		for _, w := range regexp.MustCompile(`"[^"]*"|[0-9a-f]+`).FindAllString(left, -1) {
			if s, ok := strings.CutPrefix(w, `"`); ok {
				w = hex.EncodeToString([]byte(strings.TrimSuffix(s, `"`)))
			}
			got += w
		}
	}
	_, code, ok := strings.Cut(doc(v.T, "internal/trace/vector_test.go"), "const want = ")
	code, _, end := strings.Cut(code, "if got")
	if !ok || !end {
		v.Fatal("internal/trace has no constant of its vector any more")
	}
	var want string
	for _, m := range regexp.MustCompile(`"([0-9a-f]*)"`).FindAllStringSubmatch(code, -1) {
		want += m[1]
	}
	if got != want {
		v.Errorf("got  %s\nwant %s", got, want)
	}
}

// cosigVector is a witness's verifier key and its line on a checkpoint.
func cosigVector(v vector) {
	k := evidence.NoteKey{Name: v.at["name"], Type: evidence.SigWitness, Key: v.private().Public()}
	if k.String() != v.at["vkey"] {
		v.Errorf("verifier key %s", k)
	}
	text := v.bytes("text")
	c, err := evidence.ParseCheckpoint(append(append(text, '\n'), v.at["line"]+"\n"...))
	if err != nil {
		v.Fatal(err)
	}
	at := time.Unix(int64(v.number("time")), 0)
	if line := evidence.Cosign(v.private(), k.Name, at, c); line != v.at["line"]+"\n" {
		v.Errorf("cosignature %s", line)
	}
	if when, ok, err := c.SignedBy(k); !ok || err != nil || !when.Equal(at) {
		v.Error(when, ok, err)
	}
}
