package forgeone_test

import (
	"context"
	"encoding/binary"
	"encoding/pem"
	"path/filepath"
	"strings"
	"time"

	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/seal"
)

// postLogVector hands a log over to a term with an ML-DSA-44 key and exports it.
func postLogVector(v vector) {
	block := func(alg, name string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "FORGEONE PRIVATE KEY", Headers: map[string]string{"Algorithm": alg}, Bytes: v.bytes(name)})
	}
	post, err := seal.ParsePost(block("mldsa44", "seed"))
	if err != nil {
		v.Fatal(err)
	}
	next, err := seal.ParsePrivate(block("ed25519", "next"))
	if err != nil {
		v.Fatal(err)
	}
	o := evidence.Options{Dir: filepath.Join(v.TempDir(), "log"), Key: v.private(), Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	if err := evidence.Create(o); err != nil {
		v.Fatal(err)
	}
	l, err := evidence.Open(o)
	if err != nil {
		v.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Rotate(context.Background(), next, post.Public()); err != nil {
		v.Fatal(err)
	}
	dir := filepath.Join(v.TempDir(), "tiles")
	keys := func(evidence.PostPublicKey) (*evidence.PostPrivateKey, error) { return post, nil }
	if _, err := evidence.Export(context.Background(), o.Dir, dir, []evidence.PublicKey{o.Key.Public()}, evidence.ExportOptions{PostKey: keys}); err != nil {
		v.Fatal(err)
	}
	note := doc(v.T, filepath.Join(dir, "checkpoint"))
	text, lines, _ := strings.Cut(note, "\n\n")
	if got := strings.ReplaceAll(text+"\n", "\n", "|"); got != v.at["text"] {
		v.Errorf("text is %s, docs/FORMATS.md says %s", got, v.at["text"])
	}
	_, line, _ := strings.Cut(lines, "\n")
	sum := seal.SHA256([]byte(line))
	v.is("line", sum[:])
	vkeys := strings.Split(doc(v.T, filepath.Join(dir, "vkey")), "\n")
	sum = seal.SHA256([]byte(vkeys[len(vkeys)-2]))
	v.is("vkey", sum[:])
	// What is signed, put together as the page says.
	c, err := evidence.ParseCheckpoint([]byte(note))
	if err != nil {
		v.Fatal(err)
	}
	name := append([]byte{byte(len(c.Origin))}, c.Origin...)
	m := append([]byte("subtree/v1\n\x00"), name...)
	m = append(binary.BigEndian.AppendUint64(m, 0), name...)
	m = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(m, 0), c.Size)
	m = append(m, c.Root[:]...)
	v.is("message", m)
	if s := c.Sigs[1].Sig; binary.BigEndian.Uint64(s) != 0 || !post.Public().VerifyRaw(m, s[8:]) {
		v.Error("the line does not verify")
	}
}
