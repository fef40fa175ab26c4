package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

const (
	stateLock = ".lock"
	stateTmp  = ".tmp"
)

// keeper decides when a snapshot is written. It belongs to the server's
// goroutine; what it starts touches nothing of the log.
type keeper struct {
	last    uint64 // size of the log at the last snapshot
	mended  bool   // one was written in place of a file that was not usable
	writing sync.WaitGroup
	busy    chan struct{} // closed when what was started has ended
}

// keep writes a snapshot if it is time, in the background if the log goes on. It
// is called between turns: what the follower knows then is durable.
func (l *Log) keep(closing bool) {
	k, o := &l.keeper, l.o.Snapshot
	if o == nil || l.o.Key == nil {
		return
	}
	if closing {
		defer k.writing.Wait()
	}
	size := l.w.c.tree.N
	broken := !k.mended && (l.opening.Unusable != nil || l.kept != nil && l.kept.pages.bad.Load())
	if l.stuck() || !broken && size-k.last < o.every(size) {
		return
	}
	if k.busy != nil {
		select {
		case <-k.busy:
		default:
			if !closing {
				return
			}
			k.writing.Wait()
		}
	}
	// From here on it counts as done: what fails is not tried at each turn.
	k.last, k.mended = size, k.mended || broken
	s, err := l.o.Follower.(Snapshotter).Snapshot()
	if err == nil && s.Size != size {
		err = errors.New("the follower is elsewhere than the log")
	}
	var h *stateHead
	if err == nil {
		h, err = stateOf(&l.w.c, l.control, s.Head)
	}
	if err != nil {
		_ = o.warn(CodeStateWrite, "the state file was not written", err)
		return
	}
	k.busy = make(chan struct{})
	k.writing.Go(func() {
		defer close(k.busy)
		if err := l.writeState(h, s); err != nil {
			_ = o.warn(CodeStateWrite, "the state file was not written", err)
		}
	})
}

// stuck tells whether the follower may not be asked: the log failed, or Close has
// returned.
func (l *Log) stuck() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed != nil || l.abandoned
}

// writeState writes a snapshot, unless somebody else is writing one, or a newer
// one is there. It runs beside everything else.
func (l *Log) writeState(h *stateHead, s *Snapshot) error {
	o, fs := l.o.Snapshot, l.o.FS
	lock, ok, err := sys.TryLock(o.Path + stateLock)
	if err != nil || !ok {
		return err
	}
	defer func() { _ = lock.Unlock() }()
	if l.newer(h) {
		return nil
	}
	tmp := o.Path + stateTmp
	if err := fs.Remove(tmp); err != nil && !isMissing(err) { // of a process that died
		return err
	}
	f, err := fs.Create(tmp)
	if err != nil {
		return err
	}
	err = lay(f, o.Key, h, s)
	if err == nil {
		err = f.Datasync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	if err := fs.Rename(tmp, o.Path); err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	return fs.SyncDir(filepath.Dir(o.Path))
}

// newer tells whether the file there is of this log, at least as new as h, and
// not the very one whose pages are bad.
func (l *Log) newer(h *stateHead) bool {
	is, err := readState(l.o.FS, l.o.Snapshot.Path, l.o.Snapshot.Key)
	if err != nil {
		return false
	}
	if c, ok := is.pages.f.(sys.File); ok {
		defer func() { _ = c.Close() }() // it was only read
	}
	if l.kept != nil && l.kept.pages.bad.Load() && os.SameFile(is.pages.info, l.kept.pages.info) {
		return false
	}
	_, err = is.head.chain()
	return err == nil && is.head.Origin == h.Origin && is.head.Size >= h.Size
}

// lay writes the whole file.
func lay(f sys.File, key seal.Key, h *stateHead, s *Snapshot) error {
	buf, pageKey, err := encodeState(key, h, s.Pages)
	if err != nil {
		return err
	}
	off, mac, n := int64(0), seal.NewMAC(pageKey), uint64(0)
	flush := func() error {
		m, err := f.WriteAt(buf, off)
		off, buf = off+int64(m), buf[:0]
		return err
	}
	err = s.Write(func(b []byte) error {
		if len(b) > PageSize || n >= s.Pages {
			return errPageSize
		}
		at := len(buf)
		buf = append(append(buf, b...), make([]byte, PageSize-len(b))...)
		tag := mac.Tag(n, 0, buf[at:])
		buf = append(buf, tag[:]...)
		if n++; len(buf) >= chunk {
			return flush()
		}
		return nil
	})
	if err == nil && n != s.Pages {
		err = errors.New("there are fewer pages than announced")
	}
	if err != nil {
		return err
	}
	return flush()
}
