package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
)

// catchUp reads what was appended since, checks it, and gives it to the
// follower. Without the lock it stops, without an error, at what looks wrong:
// somebody may be writing there.
func (l *Log) catchUp(locked bool) error {
	from, control := l.w.c.tree.N, l.control
	if l.w.file != nil {
		l.w.again() // what was read ahead may be older than what is there now
	}
	goal := extent{seg: ^uint64(0)}
	if !locked {
		var err error
		if goal, err = l.w.extent(); err != nil {
			return err
		}
	}
	for !l.w.reached(goal) {
		first := l.w.c.tree.N
		b, err := l.w.next()
		var d *damage
		if err == io.EOF {
			break
		} else if errors.As(err, &d) {
			l.w.again()
			if !locked && l.w.file != nil {
				break
			}
			if err := l.mend(d); err != nil {
				return err
			}
			break
		} else if err != nil {
			return err
		}
		if err := l.give(b, first); err != nil {
			return err
		}
	}
	if locked && l.o.Key != nil {
		i, err := l.w.file.Stat()
		if err != nil {
			return err
		}
		l.alloc = i.Size()
	}
	if l.w.c.tree.N == from && (l.head.Load() != nil || !locked) {
		return nil
	}
	if err := l.checkHead(); err != nil {
		return err
	}
	l.publishHead()
	if l.control > control && l.o.Key != nil {
		return l.raise(l.control, 0)
	}
	return nil
}

// give gives the records of b to the follower.
func (l *Log) give(b *batch, first uint64) error {
	for i, e := range b.entries {
		if kind, _, _ := peek(e); l.o.Control(kind) {
			l.control = first + uint64(i) + 1
		}
	}
	if l.o.Follower == nil {
		return nil
	}
	return l.w.each(b, first, func(index uint64, r abi.Record) error {
		if err := l.o.Follower.Follow(index, r); err != nil {
			return l.w.c.damage(CodeRefused, b.offsets[index-first], index, "a record does not follow from those before it", err)
		}
		return nil
	})
}

// checkHead checks that the key of the current term signed the last commit, and
// the log's name.
func (l *Log) checkHead() error {
	c := &l.w.c
	if l.o.Origin != "" && c.origin != l.o.Origin {
		return c.damage(CodeOrigin, 0, 0, "the log is of "+c.origin+", not of "+l.o.Origin, nil)
	}
	// A commit over a hand-over is signed by the key before, which was checked
	// when it was read.
	list := c.terms.list
	if n := len(list); n > 1 && list[n-1].From == c.tree.N {
		return nil
	}
	if err := c.signed(c.note, c.terms.current()); err != nil {
		return c.damage(CodeSignature, c.off, c.tree.N, "the last commit is not signed by the key of its term", err)
	}
	return nil
}

// adopt makes sure that what is appended is signed with the key of the current
// term.
func (l *Log) adopt() error {
	key := l.w.c.terms.current()
	stale := func(err error) error {
		return &abi.Error{
			Code: CodeStale, What: fmt.Sprintf("the log's key since term %d is another: %v", len(l.w.c.terms.list)-1, key),
			Where: l.o.Dir, Hint: "forgeone log verify", Err: err,
		}
	}
	next := l.o.Key
	switch {
	case l.signer != nil && bytes.Equal(l.signer.Private().Public(), key):
		return nil
	case bytes.Equal(next.Public(), key):
	case l.o.NextKey == nil:
		return stale(nil)
	default:
		var err error
		if next, err = l.o.NextKey(key); err != nil {
			return stale(err)
		}
		if next == nil || !bytes.Equal(next.Public(), key) {
			return stale(errors.New("the key found for it is another one"))
		}
	}
	l.signer = signednote.NewSigner(l.w.c.origin, next)
	return nil
}

// check makes sure, before anything is appended, that what is open is still
// what the paths lead to: else two processes might write two logs, or one into
// a file that is gone.
func (l *Log) check() error {
	if l.o.Key == nil {
		return nil
	}
	lock, err := l.turn.Stat()
	if err != nil {
		return err
	}
	seg, err := l.w.file.Stat()
	if err != nil {
		return err
	}
	for _, x := range []struct {
		path string
		open fs.FileInfo
	}{
		{l.o.Dir, l.dir},
		{filepath.Join(l.o.Dir, lockName), lock},
		{filepath.Join(l.o.Dir, counterName), l.counter.Info()},
		{l.w.path(l.w.c.seg), seg},
	} {
		i, err := l.o.FS.Stat(x.path)
		if isMissing(err) || (err == nil && !os.SameFile(i, x.open)) {
			return moved(x.path, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func moved(path string, err error) *abi.Error {
	return &abi.Error{Code: CodeMoved, What: "the evidence log was moved or deleted while open", Where: path, Err: err}
}
