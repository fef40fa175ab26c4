package evidence

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

// witnessedLog is a log that two witnesses have seen, with records after that.
type witnessedLog struct {
	Options
	log  *Log
	wits [2]NoteKey
	keys [2]*PrivateKey
}

func newWitnessed(t *testing.T) *witnessedLog {
	t.Helper()
	w := &witnessedLog{Options: newLog(t)}
	w.log = openLog(t, w.Options)
	for i := range w.keys {
		w.keys[i] = newKey(t)
	}
	add(t, w.log, runEnd(1), runEnd(2))
	w.see(t, w.log.Checkpoint(), 0, 1)
	return w
}

// see has the witnesses cosign a note, which becomes the log's cosigned one.
func (w *witnessedLog) see(t *testing.T, n []byte, who ...int) *Checkpoint {
	t.Helper()
	c := parsed(t, n)
	for _, i := range who {
		w.wits[i] = cosign(t, c, w.keys[i], []string{"w.example/a", "w.example/b"}[i], 1700000000+int64(i))
	}
	w.put(t, c.Bytes())
	return c
}

func (w *witnessedLog) put(t *testing.T, b []byte) {
	t.Helper()
	if err := sys.WriteFile(filepath.Join(w.Dir, CosignedFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *witnessedLog) verify(o VerifyOptions) (Report, error) {
	return Verify(context.Background(), w.Dir, []PublicKey{w.Key.Public()}, o)
}

func (w *witnessedLog) want(t *testing.T, o VerifyOptions, state WitnessState, code abi.Code) Report {
	t.Helper()
	r, err := w.verify(o)
	if r.Witnessed.State != state || abi.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s %s", r.Witnessed.State, err, state, code)
	}
	return r
}

func (w *witnessedLog) both() VerifyOptions { return VerifyOptions{Witnesses: w.wits[:]} }

func TestWitnessed(t *testing.T) {
	w := newWitnessed(t)
	w.want(t, VerifyOptions{}, Unwitnessed, "") // nobody says whose word counts
	r := w.want(t, w.both(), AllWitnessed, "")
	if x := r.Witnessed; x.Size != 3 || x.Quorum != 2 || x.Of != 2 || len(x.By) != 2 || x.Newest().Unix() != 1700000001 {
		t.Errorf("%+v", x)
	}
	add(t, w.log, runEnd(3))
	if r := w.want(t, w.both(), PrefixWitnessed, ""); r.Witnessed.Size != 3 || r.Records != 4 {
		t.Errorf("%+v", r)
	}
	// By the log's own word.
	add(t, w.log, abi.Record{Body: &abi.WitnessSet{Quorum: 2, Witnesses: []abi.Witness{{Key: w.wits[0].String()}, {Key: w.wits[1].String()}}}})
	w.want(t, VerifyOptions{}, PrefixWitnessed, "")
	w.see(t, w.log.Checkpoint(), 0)
	w.want(t, VerifyOptions{}, QuorumMissing, CodeQuorum)
	w.want(t, VerifyOptions{Witnesses: w.wits[:1]}, AllWitnessed, "")
	if err := os.Remove(filepath.Join(w.Dir, CosignedFile)); err != nil {
		t.Fatal(err)
	}
	w.want(t, VerifyOptions{}, QuorumMissing, CodeQuorum)
}

// TestUnknownWitness: a cosignature of somebody else does not count.
func TestUnknownWitness(t *testing.T) {
	w := newWitnessed(t)
	stranger := NoteKey{Name: "w.example/b", Type: SigWitness, Key: newKey(t).Public()}
	w.want(t, VerifyOptions{Witnesses: []NoteKey{w.wits[0], stranger}}, QuorumMissing, CodeQuorum)
	w.want(t, VerifyOptions{Witnesses: []NoteKey{w.wits[0], stranger}, Quorum: 1}, AllWitnessed, "")
	_, err := w.verify(VerifyOptions{Witnesses: []NoteKey{w.wits[0], {Name: "w.example/z", Type: SigWitness, Key: w.wits[0].Key}}})
	wantCode(t, err, CodeNoteKey) // one witness under two names
	_, err = w.verify(VerifyOptions{Witnesses: w.wits[:], Quorum: 3})
	wantCode(t, err, CodeUsage)
	_, err = w.verify(VerifyOptions{Quorum: 1})
	wantCode(t, err, CodeUsage)
	_, err = w.verify(VerifyOptions{Witnesses: []NoteKey{{Name: w.log.Origin(), Type: SigLog, Key: w.Key.Public()}}})
	wantCode(t, err, CodeNoteKey)
}

// TestQuorumLowered: the attacker holds the log's key and writes that no witness
// is needed any more. The copy says so of itself; whoever names the witnesses
// is not deceived.
func TestQuorumLowered(t *testing.T) {
	w := newWitnessed(t)
	add(t, w.log, abi.Record{Body: &abi.WitnessSet{Quorum: 2, Witnesses: []abi.Witness{{Key: w.wits[0].String()}, {Key: w.wits[1].String()}}}})
	add(t, w.log, abi.Record{Body: &abi.WitnessSet{}})
	if err := os.Remove(filepath.Join(w.Dir, CosignedFile)); err != nil {
		t.Fatal(err)
	}
	w.want(t, VerifyOptions{}, Unwitnessed, "")
	w.want(t, w.both(), QuorumMissing, CodeQuorum)
}

// TestOldImage: an older log is put back, beside the newer cosigned checkpoint, or
// with the older one too.
func TestOldImage(t *testing.T) {
	w := newWitnessed(t)
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(w.Dir)); err != nil {
		t.Fatal(err)
	}
	add(t, w.log, runEnd(3))
	seen := w.see(t, w.log.Checkpoint(), 0, 1)
	w.Dir = old
	// Nothing of it shows in the image itself, its cosigned checkpoint included.
	w.want(t, w.both(), AllWitnessed, "")
	// Its cosignatures are old: they say when.
	o := w.both()
	o.Since = time.Unix(1700000001, 0)
	w.want(t, o, QuorumMissing, CodeQuorum)
	o.Quorum = 1
	w.want(t, o, AllWitnessed, "")
	// What somebody else kept shows it.
	o = w.both()
	o.Cosigned = seen
	w.want(t, o, Behind, CodeBehind)
	_, err := w.verify(VerifyOptions{Heads: []*Checkpoint{seen}})
	wantCode(t, err, CodeBehind)
	w.put(t, seen.Bytes())
	w.want(t, w.both(), Behind, CodeBehind)
}

// TestCutAndContinued: records are cut off at a commit, and others appended with
// the log's own key, after witnesses saw the first.
func TestCutAndContinued(t *testing.T) {
	w := newWitnessed(t)
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(w.Dir)); err != nil {
		t.Fatal(err)
	}
	add(t, w.log, runEnd(3))
	seen := w.see(t, w.log.Checkpoint(), 0, 1)
	w.Dir = old
	fork := openLog(t, w.Options)
	add(t, fork, runEnd(4))
	w.put(t, seen.Bytes())
	w.want(t, w.both(), Forked, CodeForked)
	_, err := w.verify(VerifyOptions{Heads: []*Checkpoint{seen}})
	wantCode(t, err, CodeForked)
	// The same with more records after it, in other batches: the head then lies
	// in the middle of one.
	w.Dir = filepath.Join(t.TempDir(), "log")
	if err := Create(w.Options); err != nil {
		t.Fatal(err)
	}
	again := openLog(t, w.Options)
	add(t, again, runEnd(1), runEnd(2), runEnd(3), runEnd(4), runEnd(5))
	w.put(t, seen.Bytes())
	w.want(t, w.both(), Forked, CodeForked)
}

// TestHeadInABatch: a head need not be where a commit is.
func TestHeadInABatch(t *testing.T) {
	o := newLog(t)
	l := openLog(t, o)
	var heads []*Checkpoint
	for i := range 5 {
		add(t, l, runEnd(i))
		heads = append(heads, parsed(t, l.Checkpoint()))
	}
	var entries []abi.Record
	if err := Read(o.Dir, 1, func(_ uint64, r abi.Record) error {
		entries = append(entries, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var first abi.Record
	if err := Read(o.Dir, 0, func(i uint64, r abi.Record) error {
		if i == 0 {
			first = r
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	o.Dir = filepath.Join(t.TempDir(), "log")
	o.Now = func() time.Time { return time.Unix(0, first.Time) }
	if err := Create(o); err != nil {
		t.Fatal(err)
	}
	add(t, openLog(t, o), entries...)
	if _, err := Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Heads: heads}); err != nil {
		t.Error(err)
	}
	heads[2].Root[0] ^= 1
	_, err := Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Heads: heads})
	wantCode(t, err, CodeForked)
	heads[2].Root[0] ^= 1
	heads[1].Origin = "another"
	_, err = Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Heads: heads})
	wantCode(t, err, CodeOrigin)
}

// TestCosignedEdited: the file beside the log was edited.
func TestCosignedEdited(t *testing.T) {
	w := newWitnessed(t)
	c, err := ReadCosigned(w.Dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Sigs[1].Sig[20] ^= 1
	w.put(t, c.Bytes())
	_, err = w.verify(w.both())
	wantCode(t, err, CodeCosignature)
	c.Sigs[1].Sig[20] ^= 1
	other := signedHead(t, w.Key, w.log.Origin(), 9, c.Root) // a larger size, with the signatures of the smaller
	other.Sigs = append(other.Sigs, c.Sigs[1:]...)
	w.put(t, other.Bytes())
	_, err = w.verify(w.both())
	wantCode(t, err, CodeCosignature)
	w.put(t, []byte("nothing of the kind"))
	_, err = w.verify(VerifyOptions{})
	wantCode(t, err, CodeNote)
	w.see(t, signedHead(t, w.Key, "another.example", 3, c.Root).Bytes(), 0, 1)
	_, err = w.verify(w.both())
	wantCode(t, err, CodeOrigin)
}

// TestDemandWithoutQuorum: who asks how fresh cosignatures are, or brings them,
// is not told yes where nobody vouches; a proof does not pass over what it can't
// show.
func TestDemandWithoutQuorum(t *testing.T) {
	w := newWitnessed(t)
	c, err := ReadCosigned(w.Dir)
	if err != nil {
		t.Fatal(err)
	}
	w.want(t, VerifyOptions{}, Unwitnessed, "")
	w.want(t, VerifyOptions{Since: time.Unix(1, 0)}, QuorumMissing, CodeQuorum)
	w.want(t, VerifyOptions{Cosigned: c}, QuorumMissing, CodeQuorum)
	w.want(t, VerifyOptions{Cosigned: c, Unwitnessed: true}, Unwitnessed, "")
	w.want(t, VerifyOptions{Cosigned: c, Witnesses: w.wits[:1]}, AllWitnessed, "")
	p, _, err := Prove(t.Context(), w.Dir, "", 1, []PublicKey{w.Key.Public()}, ProveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []VerifyOptions{{Heads: []*Checkpoint{c}}, {Cosigned: c}, {Each: func(uint64, abi.Record) error { return nil }}} {
		_, err := p.Verify([]PublicKey{w.Key.Public()}, o)
		wantCode(t, err, CodeUsage)
	}
	_, err = p.Verify([]PublicKey{w.Key.Public()}, VerifyOptions{Since: time.Unix(1, 0)})
	wantCode(t, err, CodeQuorum)
}
