package evidence

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// VerifyOptions say what more Verify does.
type VerifyOptions struct {
	// Origin, if not empty, is the name the log must have.
	Origin string
	// Post are pins too: ML-DSA-44 keys, each of which must be of a term of the log.
	// An export or proof must then be signed by such a key: in an export by that of
	// its newest term, which those before handed over to; in a proof by one of
	// these. A folder of segments has Ed25519 signatures on its commits only: there
	// they bind the hand-overs.
	Post []PostPublicKey
	// Each, if not nil, is called with every record, in order, once the commit
	// over it was verified. Its error ends the
	// verification and comes back as it is.
	Each func(index uint64, r abi.Record) error
	// Progress, if not nil, is called now and then, and at the end, with what was
	// verified so far.
	Progress func(records, bytes uint64)
	// Heads are checkpoints that the log must have had, kept elsewhere by the
	// caller, who vouches for them: their signatures are not looked at.
	Heads []*Checkpoint
	// Witnesses are those whose cosignatures count, and Quorum how many of them
	// must vouch; 0: all. With no witnesses given, those count that the log itself
	// names, with its own quorum, which binds nobody who holds the log's key.
	Witnesses []NoteKey
	Quorum    uint64
	// Unwitnessed says not to ask for any witness, those that the log names neither.
	Unwitnessed bool
	// Since, if not zero, is when witnesses must have vouched at the earliest: an
	// older log put back together with its cosigned checkpoint shows by that only.
	// It asks for one witness at least, also where the log asks for none.
	Since time.Time
	// Cosigned is the checkpoint that witnesses cosigned; one of them at least must
	// have. Nil: the one in dir.
	Cosigned *Checkpoint
}

// Report is what Verify found. After an error it holds what was verified
// before.
type Report struct {
	Origin     string
	Records    uint64
	Commits    uint64
	Segments   uint64
	Bytes      uint64     // of the segments, up to their last commits
	Root       abi.Digest // of the tree over all records
	Checkpoint string     // the last commit: a signed note over Records and Root
	Terms      []Term     // whose keys signed, the current one last
	Torn       uint64     // bytes behind the last commit
	// Witnessed is what witnesses say. Without them, that nothing newer was cut off
	// rests on whoever kept a checkpoint elsewhere.
	Witnessed Witnessed
}

// Verify checks the log in dir against the given keys, which are pins: each of
// them must be the key of some term of the log. The log's beginning names the key
// of term 0, and the key of each term hands over to the next in a record log.key
// that both sign; so one pin vouches for the others, as far as "Pins" in the
// package's comment says. Verify reads each byte once, in little memory, and
// checks every checksum; that every commit is signed by the key of its term, a
// commit over a hand-over by the key before, and is over the very records before
// it (the tree's size and root at each commit); every segment's header and seal;
// that times do not go back; that a log named after its first key has that one;
// and that nothing but zeros follows the last commit.
//
// Whether a pin is a term's key is known at the end only: what Each was told
// counts when Verify returns without an error.
//
// Without Each, records are hashed but not decoded, beyond their version, kind
// and time; with Each, every record must be one that this software writes, to
// the byte. (Decoding costs some ten times as much as hashing.)
//
// A log may be written meanwhile. Verify looks how far it reaches, with the
// log's lock shared for that moment, and verifies the log as it was then; it
// ends also when others append faster than it reads. It reads without a
// lock, and where it meets anything wrong it looks again from the last commit
// with the lock, so that what it reports is never a write in progress.
//
// # Errors
//
// Damage is an *abi.Error with the place: CodeDamaged, CodeTorn,
// CodeSignature, CodeTree, CodeChain, CodeRecord, CodeOrigin, CodeTerm; CodePin
// names a key that is none of the log's. A log that is whole, and not what others
// saw of it, is CodeBehind, CodeForked or CodeQuorum, or its cosignatures are
// CodeNote or CodeCosignature. CodeMissing and
// CodeIO mean that it could not be told; CodeUsage that no key was given.
func Verify(ctx context.Context, dir string, keys []PublicKey, o VerifyOptions) (Report, error) {
	if len(keys)+len(o.Post) == 0 {
		return Report{}, &abi.Error{Code: CodeUsage, What: "a log is verified with a public key, and none is given", Where: dir}
	}
	v := &verifier{ctx: ctx, o: o, pins: keys, w: newWalker(sys.OS{}, dir)}
	v.w.c.checked = true
	v.report.Witnessed.State = Unwitnessed
	err := v.openLock()
	if err == nil {
		err = v.heads.begin(dir, &v.o)
	}
	if err == nil {
		err = v.run()
	}
	if err == nil {
		if k := v.w.c.terms.lacks(keys); k != nil {
			err = noTerm(dir, k)
		}
	}
	if err == nil {
		_, err = v.w.c.terms.pinned(o.Post, dir)
	}
	if err == nil {
		v.report.Witnessed, err = v.heads.end(dir, &v.o, v.w.c.origin, v.w.c.tree.N)
	}
	if v.report.Records == 0 && isMissing(err) && v.w.file == nil {
		err = missing(dir, err)
	}
	v.finish()
	if e := v.release(); err == nil {
		err = e
	}
	if v.own != nil {
		return v.report, v.own
	}
	return v.report, publish(dir, err)
}

// noTerm says that a pinned key is none of the log's.
func noTerm(dir string, key PublicKey) error {
	return &abi.Error{Code: CodePin, What: "the key " + key.String() + " signed no term of this log", Where: dir}
}

type verifier struct {
	ctx    context.Context
	o      VerifyOptions
	pins   []PublicKey
	w      *walker
	goal   extent
	turn   *sys.Turnstile // nil: there is no lock file, so nobody writes
	locked bool
	report Report
	heads  headCheck
	told   uint64 // bytes at the last Progress
	own    error  // what Each answered
	// took, if not nil, gets every batch that was verified; its error ends the
	// verification.
	took func(b *batch) error
}

// openLock opens the log's lock, if there is one.
func (v *verifier) openLock() error {
	t, err := sys.OpenTurnstileRead(filepath.Join(v.w.dir, lockName))
	if err == nil {
		v.turn = t
	} else if !isMissing(err) {
		return err
	}
	return nil
}

func (v *verifier) release() error {
	err := v.w.close()
	if v.turn != nil {
		err = errors.Join(err, v.turn.Close())
	}
	return err
}

// run reads as far as the log reaches at the beginning. Behind that there were
// zeros then, if nobody was writing: the lock is held for this look.
func (v *verifier) run() (err error) {
	if err := v.lock(); err != nil {
		return err
	}
	if v.goal, err = v.w.extent(); err != nil {
		return err
	}
	if err := v.unlock(); err != nil {
		return err
	}
	for !v.w.reached(v.goal) {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		first := v.w.c.tree.N
		b, err := v.w.next()
		switch {
		case err == nil:
			if err := v.accept(b, first); err != nil {
				return err
			}
			if err := v.unlock(); err != nil {
				return err
			}
		case err != io.EOF && v.w.file == nil, v.locked || v.turn == nil:
			return v.end(err)
		default:
			if err := v.lock(); err != nil {
				return err
			}
			v.w.again()
		}
	}
	return nil
}

// end judges where the reading ended; nobody writes now.
func (v *verifier) end(err error) error {
	var d *damage
	if err != io.EOF && !errors.As(err, &d) {
		return err
	}
	if v.w.file == nil || (d != nil && d.seg != v.w.c.seg) {
		return err
	}
	if err := v.w.strays(); err != nil {
		return err
	}
	end, e := v.w.tail()
	if e != nil {
		return e
	}
	if end == v.w.c.off {
		if d == nil {
			return nil
		}
		return d
	}
	v.report.Torn = uint64(end - v.w.c.off)
	if d == nil {
		d = v.w.c.damage(CodeTorn, v.w.c.off, v.w.c.tree.N, "bytes that are not zero follow the last commit", nil)
	}
	if d.code != CodeDamaged {
		return d
	}
	// Damage with a commit behind it is damage; without one, a torn tail.
	if _, e := v.w.fs.Stat(v.w.path(v.w.c.seg + 1)); e == nil || v.w.c.opened {
		return d
	}
	known := signednote.NewVerifiers(v.w.c.origin, append([]PublicKey{v.w.c.terms.current()}, v.pins...)...)
	later, e := v.w.findCommit(end, func(n []byte) bool { return known.Alone(n) == nil })
	if e != nil {
		return e
	}
	if later == nil {
		d.code = CodeTorn
		d.what = "bytes that were never committed follow the last commit: " + d.what
	}
	return d
}

// lock takes the lock shared. It gives up when the context ends; the lock that
// then may come is let go of with its file.
func (v *verifier) lock() error {
	turn := v.turn
	if turn == nil {
		return v.ctx.Err()
	}
	got := make(chan error, 1)
	go func() { got <- turn.RLock() }()
	select {
	case err := <-got:
		v.locked = err == nil
		return err
	case <-v.ctx.Done():
		v.turn = nil
		go func() {
			<-got
			_ = turn.Close() // opened for reading
		}()
		return v.ctx.Err()
	}
}

func (v *verifier) unlock() error {
	if !v.locked {
		return nil
	}
	v.locked = false
	return v.turn.Unlock()
}

// accept counts a batch that was verified.
func (v *verifier) accept(b *batch, first uint64) error {
	r := &v.report
	if v.o.Origin != "" && v.w.c.origin != v.o.Origin {
		return v.w.c.damage(CodeOrigin, 0, 0, "the log is of "+v.w.c.origin+", not of "+v.o.Origin, nil)
	}
	if v.o.Each != nil {
		err := v.w.each(b, first, func(index uint64, r abi.Record) error {
			v.own = v.o.Each(index, r)
			return v.own
		})
		if err != nil {
			return err
		}
	}
	if err := v.heads.accept(b, first, &v.w.c); err != nil {
		return err
	}
	if v.took != nil {
		if err := v.took(b); err != nil {
			return err
		}
	}
	if b.start == headerSize {
		r.Segments++
		r.Bytes += headerSize
	}
	r.Commits++
	r.Records = v.w.c.tree.N
	r.Bytes += uint64(b.end - b.start)
	if v.o.Progress != nil && r.Bytes-v.told >= 16<<20 {
		v.told = r.Bytes
		v.o.Progress(r.Records, r.Bytes)
	}
	return nil
}

func (v *verifier) finish() {
	r, c := &v.report, &v.w.c
	r.Origin, r.Root, r.Checkpoint, r.Terms = c.origin, c.root, string(c.note), copyTerms(c.terms.list)
	if v.o.Progress != nil {
		v.o.Progress(r.Records, r.Bytes)
	}
}
