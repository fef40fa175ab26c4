package evidence

import (
	"bytes"
	"context"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/signednote"
)

// Rotate hands the log over to the key next: it appends a log.key record, as a
// batch of its own that the present key signs, and signs everything after with
// next. post is the ML-DSA-44 key that will sign published checkpoints too, nil
// for none; if the present term has one, that signs the record too
// (Options.PostKey), also when it has no successor. Rotate returns when the record is durable, with its index; whoever
// holds the present private key can erase it then. next must be durable before:
// without it the log can't be continued.
//
// Other Logs on the same folder learn of it when they catch up, and ask their
// Options.NextKey.
//
// # Errors
//
// Those of Update. CodeTerm: the key was a key of the log before, or has had
// too many. CodeStale: this Log's own key is not current.
// CodePostKey: Options.PostKey does not know the key of the present term. All these handed
// nothing over. After CodeIO, CodeMoved and CodeStopped it is unknown until the
// log is opened again.
func (l *Log) Rotate(ctx context.Context, next *PrivateKey, post PostPublicKey) (index uint64, err error) {
	if next == nil {
		return 0, &abi.Error{Code: CodeUsage, What: "a log is handed over to a key, and none is given", Where: l.o.Dir}
	}
	// A function without records: it takes its turn among the others.
	return l.submit(ctx, &waiter{f: func() ([]abi.Record, error) { return nil, nil }, next: next, post: bytes.Clone(post)})
}

// rotate serves w, which is a Rotate. What came before it is made durable first:
// the record holds the root of all that stands before it, in a batch that
// nobody else's records share.
func (l *Log) rotate(w *waiter) error {
	if err := l.flush(); err != nil {
		return err
	}
	if err := l.rollIfFull(false); err != nil {
		return err
	}
	c, t := &l.w.c, &l.tx
	oldPost, err := l.postKey(c.terms.last().Post)
	if err != nil {
		finish(w, 0, err)
		return nil
	}
	rec := abi.Record{
		Kind: abi.KindLogKey, Time: max(l.o.Now().UnixNano(), t.time),
		Body: c.terms.newLogKey(l.signer.Private(), w.next, w.post, oldPost, t.tree.N, c.root),
	}
	entry, err := codec.EncodeRecord(rec)
	if err != nil {
		return err
	}
	terms := c.terms
	if err := terms.apply(rec.Kind, entry, t.tree.N, func() abi.Digest { return c.root }); err != nil {
		finish(w, 0, &abi.Error{Code: CodeTerm, What: "the log is not handed over: " + err.Error(), Where: l.o.Dir})
		return nil
	}
	t.scratch = appendFrame(t.scratch[:0], frameRecord, entry)
	if err := l.allocate(int64(len(t.scratch)+commitSpace), false); err != nil {
		return err
	}
	w.first = t.tree.N
	rs := []abi.Record{rec}
	if err := l.follow(w.first, rs); err != nil {
		return l.refuse(w, err)
	}
	l.add(rs)
	t.waiters = append(t.waiters, w)
	t.terms, t.signer = &terms, signednote.NewSigner(c.origin, w.next)
	return l.flush()
}

// postKey returns the private half of an ML-DSA-44 key, nil of none.
func (l *Log) postKey(public PostPublicKey) (*PostPrivateKey, error) {
	if public == nil {
		return nil, nil
	}
	var err error
	if l.o.PostKey != nil {
		var key *PostPrivateKey
		if key, err = l.o.PostKey(public); err == nil && bytes.Equal(key.Public(), public) {
			return key, nil
		}
	}
	return nil, &abi.Error{Code: CodePostKey, What: "the log can't be handed over: the private part of its post-quantum key " + public.ID().Short() + " is not here", Where: l.o.Dir, Hint: "forgeone doctor", Err: err}
}
