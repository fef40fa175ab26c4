package witness

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/seal"
)

// Options say how a Witness is opened.
type Options struct {
	Dir  string             // its folder; made, with a key, when it is not there
	Name string             // its name; "": the one it has, or one made from its key
	Logs []evidence.NoteKey // logs it knows, besides those listed in its folder
	Now  func() time.Time   // nil: time.Now
	Tell func(string)       // gets a line for people per cosignature and refusal; may be nil
}

// Witness cosigns checkpoints. It is safe for concurrent use.
type Witness struct {
	s    *store
	logs []evidence.NoteKey
	now  func() time.Time
	tell func(string)

	mu    sync.Mutex
	turns map[string]*sync.Mutex // by origin; only of logs that are known
}

// Open opens the witness in a folder; one process can at a time. The list of logs
// in the folder is checked here, and read anew at each request.
func Open(o Options) (*Witness, error) {
	s, err := openStore(o.Dir, o.Name)
	if err != nil {
		return nil, err
	}
	w := &Witness{s: s, logs: o.Logs, now: o.Now, tell: o.Tell, turns: map[string]*sync.Mutex{}}
	if w.now == nil {
		w.now = time.Now
	}
	if w.tell == nil {
		w.tell = func(string) {}
	}
	if _, err := s.logs(""); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Key returns the witness's verifier key.
func (w *Witness) Key() evidence.NoteKey { return w.s.own }

// Close lets go of the folder. No request may be under way.
func (w *Witness) Close() error { return w.s.lock.Unlock() }

// answer is what a request gets.
type answer struct {
	status int
	size   bool // the body is a tree size
	body   string
}

func refusal(status int, why string) answer { return answer{status: status, body: why + "\n"} }

func conflict(size uint64) answer {
	return answer{status: http.StatusConflict, size: true, body: strconv.FormatUint(size, 10) + "\n"}
}

// failed is a fault of the witness: the client learns no more than that.
func (w *Witness) failed(err error) answer {
	w.tell(err.Error())
	return refusal(http.StatusInternalServerError, "this witness can't tell at the moment")
}

// keysOf returns the keys by which a log may sign.
func (w *Witness) keysOf(origin string) ([]evidence.NoteKey, error) {
	found, err := w.s.logs(origin)
	for _, k := range w.logs {
		if k.Name == origin {
			found = append(found, k)
		}
	}
	return found, err
}

// turn returns the lock of a log's memory.
func (w *Witness) turn(origin string) *sync.Mutex {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.turns[origin]
	if t == nil {
		t = new(sync.Mutex)
		w.turns[origin] = t
	}
	return t
}

// add answers add-checkpoint, in the order of the specification's checks.
func (w *Witness) add(body []byte) answer {
	r, err := parseRequest(body)
	if err != nil {
		return refusal(http.StatusBadRequest, err.Error())
	}
	known, err := w.keysOf(r.head.Origin)
	switch {
	case err != nil:
		return w.failed(err)
	case len(known) == 0:
		return refusal(http.StatusNotFound, "this witness does not know the log")
	}
	if err := keep(r.head, known); err != nil {
		return refusal(http.StatusForbidden, err.Error())
	}
	if r.old > r.head.Size {
		return refusal(http.StatusBadRequest, "the old size is beyond the checkpoint")
	}
	t := w.turn(r.head.Origin)
	t.Lock()
	defer t.Unlock()
	return w.advance(r)
}

// keep drops the signatures of c that are not a known key's, and checks those
// that are.
func keep(c *evidence.Checkpoint, known []evidence.NoteKey) error {
	sigs := c.Sigs
	c.Sigs = nil
	for _, s := range sigs {
		for _, k := range known {
			if s.Name != k.Name || s.Hash != k.Hash() {
				continue
			}
			one := *c
			one.Sigs = []evidence.NoteSignature{s}
			if _, _, err := one.SignedBy(k); err != nil {
				return err
			}
			c.Put(s) // a key's line once, however often it is there
			break
		}
	}
	if len(c.Sigs) == 0 {
		return errors.New("no key that this witness knows signed the checkpoint")
	}
	return nil
}

// advance moves the memory of a log to r.head and cosigns it. The log's turn is
// held.
func (w *Witness) advance(r request) answer {
	last, err := w.s.load(r.head.Origin)
	if err != nil {
		return w.failed(err)
	}
	var size uint64
	root := emptyRoot()
	if last != nil {
		size, root = last.Size, last.Root
	}
	if r.old != size {
		return conflict(size)
	}
	if last != nil && r.head.Size == size && r.head.Root != root {
		path, err := w.s.accuse(r.head)
		if err != nil {
			w.tell(err.Error())
		}
		w.tell(fmt.Sprintf("%s has two histories of %d records: compare %s with %s", r.head.Origin, size, w.s.head(r.head.Origin), path))
		return conflict(size)
	}
	if err := continues(size, root, r); err != nil {
		w.tell(fmt.Sprintf("%s: %v", r.head.Origin, err))
		return refusal(http.StatusUnprocessableEntity, "the consistency proof does not verify")
	}
	at := w.now()
	if last != nil { // what was said last is the newest also when the clock goes back
		if before, _, err := last.SignedBy(w.s.own); err == nil && before.After(at) {
			at = before
		}
	}
	line := evidence.Cosign(w.s.key, w.s.own.Name, at, r.head)
	if n, err := r.head.Add([]byte(line), w.s.own); err != nil || n != 1 {
		return w.failed(cmp.Or(err, errors.New("this witness's own line does not verify: what says the clock?")))
	}
	// What is remembered must be readable ever after.
	if _, err := evidence.ParseCheckpoint(r.head.Bytes()); err != nil {
		return w.failed(err)
	}
	if err := w.s.save(r.head); err != nil {
		return w.failed(err)
	}
	w.tell(fmt.Sprintf("%s: %d records, cosigned", r.head.Origin, r.head.Size))
	return answer{status: http.StatusOK, body: line}
}

// continues checks the proof that r.head continues the size records with that
// root. From nothing everything follows, without a proof.
func continues(size uint64, root abi.Digest, r request) error {
	switch {
	case size > 0:
		return evidence.VerifyConsistency(size, root, r.head.Size, r.head.Root, r.proof)
	case len(r.proof) > 0:
		return errors.New("nothing is to be proved from an empty log on")
	case r.head.Size == 0 && r.head.Root != root:
		return errors.New("the root of an empty log is another")
	}
	return nil
}

// emptyRoot is the root of a tree of no records.
func emptyRoot() abi.Digest { return seal.SHA256() }
