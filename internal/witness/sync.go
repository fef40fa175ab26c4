package witness

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
)

// maxTries is how often one witness is asked again because it told another size:
// more than once only when somebody else has the same log cosigned meanwhile.
const maxTries = 4

// Prover proves that the first size records of a log begin with the first old
// ones (RFC 6962, section 2.1.2). It is asked from several goroutines.
type Prover interface {
	Consistency(ctx context.Context, old, size uint64) ([]abi.Digest, error)
}

// LogProver proves from a log's folder, reading it once per proof, one at a time.
type LogProver struct {
	Dir string
	mu  sync.Mutex
	had map[[2]uint64][]abi.Digest
}

// Consistency implements Prover.
func (l *LogProver) Consistency(ctx context.Context, old, size uint64) ([]abi.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := [2]uint64{old, size}
	if p, ok := l.had[k]; ok {
		return p, nil
	}
	p, err := evidence.LogConsistency(ctx, l.Dir, old, size)
	if err == nil {
		if l.had == nil {
			l.had = map[[2]uint64][]abi.Digest{}
		}
		l.had[k] = p
	}
	return p, err
}

// Peer is a witness to be asked.
type Peer struct {
	Key  evidence.NoteKey
	URL  string // submission prefix
	Seen uint64 // the size that it cosigned last, as far as is known here
}

// Result is what one witness answered.
type Result struct {
	Peer  Peer
	Knows uint64    // the size that it knows of the log, 0 if it did not say
	Time  time.Time // of its cosignature
	Err   error     // nil: it cosigned
}

// Ask has head cosigned by the peers, at once, and adds to it what they signed.
// The results are in the order of peers.
//
// # Errors
//
// Of a result: CodeOlder, the witness has seen more records than head has;
// CodeHistory, it has seen another history; CodeForgot, it knows less than it
// vouched for before, and its word is worth nothing; CodeUnknownLog,
// CodeUnknownKey, CodeUnreachable, CodeAnswer, CodeNoSignature. Whoever can change
// what an http address answers can cause each of them, but no cosignature.
func Ask(ctx context.Context, c *http.Client, head *evidence.Checkpoint, proofs Prover, peers []Peer) []Result {
	results := make([]Result, len(peers))
	lines := make([][]byte, len(peers))
	var wait sync.WaitGroup
	for i, p := range peers {
		wait.Go(func() { results[i], lines[i] = ask(ctx, c, head, proofs, p) })
	}
	wait.Wait()
	for i := range results {
		r := &results[i]
		if r.Err != nil {
			continue
		}
		n, err := head.Add(lines[i], r.Peer.Key)
		if err == nil && n > 0 {
			r.Time, _, err = head.SignedBy(r.Peer.Key)
		} else {
			err = &abi.Error{Code: CodeNoSignature, What: fmt.Sprintf("the answer holds no cosignature of %s", r.Peer.Key.Name), Where: r.Peer.URL, Err: err}
		}
		r.Err = err
	}
	return results
}

// ask asks one witness until it is known what it says.
func ask(ctx context.Context, c *http.Client, head *evidence.Checkpoint, proofs Prover, p Peer) (r Result, lines []byte) {
	r.Peer = p
	old := min(p.Seen, head.Size)
	for range maxTries {
		q := request{old: old, head: head}
		if q.proof, r.Err = proofs.Consistency(ctx, old, head.Size); r.Err != nil {
			return r, nil
		}
		a, err := submit(ctx, c, p.URL, q)
		switch {
		case err != nil:
			r.Err = err
			return r, nil
		case a.status == http.StatusOK:
			r.Knows = head.Size
			return r, a.body
		case a.status != http.StatusConflict:
			r.Err = refused(p, head, a)
			return r, nil
		}
		r.Knows = a.size
		if r.Err = judge(p, head, old, a.size); r.Err != nil {
			return r, nil
		}
		old = a.size
	}
	r.Err = &abi.Error{Code: CodeAnswer, What: "the witness names another size each time", Where: p.URL}
	return r, nil
}

// judge says what it means that the witness knows size records, when asked to go
// on from old.
func judge(p Peer, head *evidence.Checkpoint, old, size uint64) error {
	switch {
	case size > head.Size:
		return &abi.Error{
			Code: CodeOlder, What: fmt.Sprintf("this log is older than what %s has seen: %d records there, %d here", p.Key.Name, size, head.Size), Where: p.URL,
			Hint: "find the newer log, and keep this one as evidence",
		}
	case size == old && size == head.Size:
		return history(p, head)
	case size == old:
		return &abi.Error{Code: CodeAnswer, What: fmt.Sprintf("the witness refuses the size %d and names the same", old), Where: p.URL}
	case size < p.Seen:
		return &abi.Error{
			Code: CodeForgot, What: fmt.Sprintf("%s vouched for %d records and now knows %d: its memory was put back", p.Key.Name, p.Seen, size), Where: p.URL,
			Hint: "ask its operator; if that is how it is, forgeone log witness remove " + abi.Shell(p.Key.Name) + " and add it again",
		}
	}
	return nil
}
