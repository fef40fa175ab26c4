package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/evidence"
)

// What follows knows the protocol from its specification and golang.org/x/mod, and
// shares no code with what it is tested against.

// cosigKey is a witness's key as the specification has it.
type cosigKey struct {
	name string
	pub  ed25519.PublicKey
}

func (k cosigKey) Name() string { return k.name }

func (k cosigKey) KeyHash() uint32 {
	d := sha256.Sum256(append([]byte(k.name+"\n\x04"), k.pub...))
	return binary.BigEndian.Uint32(d[:])
}

func (k cosigKey) Verify(msg, sig []byte) bool {
	return len(sig) == 72 && ed25519.Verify(k.pub, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg), sig[8:])
}

type hashes []tlog.Hash

func (m hashes) ReadHashes(at []int64) (h []tlog.Hash, err error) {
	for _, i := range at {
		h = append(h, m[i])
	}
	return h, nil
}

// TestForeignLog: a log that is not ours has its checkpoints cosigned by our witness.
func TestForeignLog(t *testing.T) {
	const origin = "log.example/foreign"
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	w := newWitness(t)
	k, err := evidence.ParseNoteKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	w.logs = append(w.logs, k)
	part := strings.SplitN(w.Key().String(), "+", 3)
	raw, err := base64.StdEncoding.DecodeString(part[2])
	if err != nil || raw[0] != 4 {
		t.Fatal(part, err)
	}
	known := note.VerifierList(verifier, cosigKey{part[0], raw[1:]})
	var m hashes
	old := int64(0)
	for n := int64(0); n < 70; {
		for range 1 + n%9 {
			hs, err := tlog.StoredHashes(n, fmt.Appendf(nil, "leaf %d", n), m)
			if err != nil {
				t.Fatal(err)
			}
			m, n = append(m, hs...), n+1
		}
		root, err := tlog.TreeHash(n, m)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\nan extension\n", origin, n, root)}, signer)
		if err != nil {
			t.Fatal(err)
		}
		q := fmt.Sprintf("old %d\n", old)
		if old > 0 {
			p, err := tlog.ProveTree(n, old, m)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range p {
				q += h.String() + "\n"
			}
		}
		status, _, line := w.post(t, q+"\n"+string(signed))
		if status != 200 {
			t.Fatal(status, line)
		}
		opened, err := note.Open(append(signed, line...), known)
		if err != nil || len(opened.Sigs) != 2 || len(opened.UnverifiedSigs) != 0 {
			t.Fatalf("%d records: %+v %v", n, opened, err)
		}
		old = n
	}
}

// strictWitness refuses whatever the specification does not allow.
type strictWitness struct {
	t    *testing.T
	log  note.Verifier
	name string
	key  ed25519.PrivateKey
	mu   sync.Mutex
	size int64
	root tlog.Hash
}

func (s *strictWitness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.Method != "POST" || r.URL.Path != "/prefix/add-checkpoint" {
		s.t.Error("request:", r.Method, r.URL, err)
	}
	head, text, ok := bytes.Cut(b, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) > 64 || !strings.HasPrefix(lines[0], "old ") {
		s.t.Errorf("body %q", b)
	}
	old, err := strconv.ParseInt(lines[0][4:], 10, 64)
	if err != nil || lines[0] != fmt.Sprintf("old %d", old) {
		s.t.Errorf("old size %q", lines[0])
	}
	n, err := note.Open(text, note.VerifierList(s.log))
	if err != nil {
		http.Error(rw, "signature", http.StatusForbidden)
		return
	}
	var origin, hash string
	var size int64
	if _, err := fmt.Sscanf(n.Text, "%s\n%d\n%s\n", &origin, &size, &hash); err != nil || origin != s.log.Name() || old > size {
		s.t.Errorf("checkpoint %q", n.Text)
	}
	root, err := tlog.ParseHash(hash)
	if err != nil {
		s.t.Error(err)
	}
	if old != s.size || (size == s.size && root != s.root) {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", s.size)
		return
	}
	var proof tlog.TreeProof
	for _, l := range lines[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			s.t.Error(err)
		}
		proof = append(proof, h)
	}
	if old == 0 && len(proof) > 0 || old > 0 && tlog.CheckTree(proof, size, root, old, s.root) != nil {
		http.Error(rw, "proof", http.StatusUnprocessableEntity)
		return
	}
	s.size, s.root = size, root
	const at = 1700000000
	sig := binary.BigEndian.AppendUint64(nil, at)
	sig = append(sig, ed25519.Sign(s.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, n.Text))...)
	k := cosigKey{s.name, s.key.Public().(ed25519.PublicKey)}
	for _, x := range []cosigKey{{"another.example", k.pub}, k} { // a line of a key that nobody knows is ignored
		fmt.Fprintf(rw, "— %s %s\n", x.name, base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, x.KeyHash()), sig...)))
	}
}

// TestStrictWitness: our log is cosigned by a witness that is not ours.
func TestStrictWitness(t *testing.T) {
	l := newLog(t)
	v, err := note.NewVerifier(l.vkey.String())
	if err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &strictWitness{t: t, log: v, name: "strict.example", key: key}
	s := httptest.NewServer(w)
	defer s.Close()
	p := Peer{Key: evidence.NoteKey{Name: w.name, Type: evidence.SigWitness, Key: evidence.PublicKey(pub)}, URL: s.URL + "/prefix/"}
	for i := range 12 {
		if o := l.sync(t, 1, p); !o.Kept || only(t, o).Time.Unix() != 1700000000 {
			t.Fatalf("%d records: %+v", l.Size(), o)
		}
		for j := range i {
			l.add(t, fmt.Sprint(i, j))
		}
		if i%4 == 3 { // as if nothing were known of it
			if err := Forget(t.Context(), l.o.Dir, w.name); err != nil {
				t.Fatal(err)
			}
		}
	}
}
