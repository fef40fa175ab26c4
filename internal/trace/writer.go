package trace

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// page is a buffer that calls are laid down in. From hb and ob on, nothing of
// it has gone to the background yet.
type page struct {
	heads, outs []byte
	hb, ob      int
	first       uint64 // index of the first call from hb on
	calls       uint32 // from hb on
}

// newPage returns a small page: most runs make few calls.
func newPage() *page {
	return &page{heads: make([]byte, 0, 8<<10), outs: make([]byte, 0, 16<<10)}
}

// Writer writes one recording. Reserve, Commit, Finish and Abort belong to one
// goroutine at a time: the thread of the guest, then whoever ends the run.
type Writer struct {
	path   string
	header abi.Digest
	state  *seal.MAC
	input  *seal.MAC
	lock   *sys.FileLock
	held   bool // the lock outlives Finish and Abort
	fs     sys.FS
	file   sys.File

	// The calling thread's.
	calls    uint64
	space    space
	stage    []byte // output of a call too large for a page
	sampled  bool
	began    time.Time
	finished bool
	x        extra

	// mu guards enc, and page's contents against the background's copying.
	mu   sync.Mutex
	enc  *encoder
	page *page

	full  chan item  // never blocks: it has room for every page and one barrier
	free  chan *page // pages to be filled again
	made  int        // pages in being, at most maxPages
	chunk chunker
	done  chan struct{} // closed when the background goroutine is through

	// saved is what the background's chunks took less than was set aside for them.
	saved  atomic.Int64
	failed atomic.Pointer[error]
}

// maxPages bounds the pages in being: one under way and three that wait. A
// guest that calls faster than its recording can be written waits for one.
const maxPages = 4

// flushAfter is how long a committed call may wait for its chunk to fill.
const flushAfter = time.Second

// Create makes the recording path, which must not exist, with its header, and
// locks it (flock) until Finish or Abort: a recording that nobody locks is
// nobody's. limit bounds the bytes on disk, 0 for no bound; it is at least
// MinLimit. Its name is made durable in the background while the run goes on,
// its contents by Finish: before that a crash of the machine may lose both, and
// the log says that the run was begun.
//
// # Errors
//
// F1-RPL-012 if there is something under that name, F1-RPL-009 if the limit is
// too small or the header too large, F1-RPL-008 if it can't be written.
func Create(path string, h Header, kek seal.Key, limit uint64) (*Writer, error) {
	return create(sys.OS{}, path, h, kek, limit, flushAfter)
}

func create(fsys sys.FS, path string, h Header, kek seal.Key, limit uint64, flush time.Duration) (*Writer, error) {
	if limit == 0 || limit > math.MaxInt64 {
		limit = math.MaxInt64
	}
	key := seal.NewKey()
	head, err := encodeHeader(&h, kek, key)
	if err == nil && limit < MinLimit+uint64(len(head)) {
		err = errLimit(limit, len(head))
	}
	if err != nil {
		return nil, &abi.Error{Code: CodeLimit, What: "this run can't be recorded", Where: path, Hint: "forgeone config show", Err: err}
	}
	f, err := fsys.Create(path)
	if err != nil {
		return nil, writeError(path, err)
	}
	w := &Writer{
		path: path, header: seal.Sum(headerDomain, head), fs: fsys, file: f,
		state: seal.NewMAC(key.Derive(labelState)), input: seal.NewMAC(key.Derive(labelInput)),
		space: space{used: int64(len(head)), limit: int64(limit)},
		enc:   newEncoder(), page: newPage(), made: 1,
		full: make(chan item, maxPages+1), free: make(chan *page, maxPages), done: make(chan struct{}),
	}
	w.chunk = chunker{box: seal.NewBox(key.Derive(labelChunk)), header: w.header, chain: w.header, size: int64(len(head))}
	if w.lock, err = sys.Lock(path); err == nil {
		_, err = f.WriteAt(head, 0)
	}
	if err != nil {
		w.drop()
		_ = fsys.Remove(path) // it never was a recording
		return nil, writeError(path, err)
	}
	go w.background(flush)
	return w, nil
}

// HeaderDigest is what the evidence log keeps of the header when the run starts.
func (w *Writer) HeaderDigest() abi.Digest { return w.header }

// StateMAC returns the MAC that End.State is made with. It is the caller's; it
// is not safe for concurrent use.
func (w *Writer) StateMAC() *seal.MAC { return w.state }

// Reserve makes room for c: when it returns OutcomeNone, c.Out has c.OutCap
// bytes (of any content) and Commit can't fail for want of room. Any other
// outcome ends the run before c has an effect, and stays: OutcomeRecordingFull
// at the recording's limit or when the disk is full, OutcomeLogFailed when
// writing failed, OutcomeKernel for a call that is out of bounds.
//
// What c.Out holds after Commit belongs to the recording and must not be written.
func (w *Writer) Reserve(c *abi.Call, o *abi.Object) abi.Outcome {
	names := len(o.Name) + len(o.Name2) + len(c.Path[0]) + len(c.Path[1])
	for _, p := range o.Via {
		names += len(p.Name)
	}
	if uint(c.OutCap) > maxOut || names > maxNames {
		return abi.OutcomeKernel
	}
	p := w.page
	need := int64(maxHead + names + c.OutCap)
	if len(p.heads)+len(p.outs) >= pageSize || !w.space.fits(need) || w.failed.Load() != nil {
		if out := w.makeRoom(need); out != abi.OutcomeNone {
			return out
		}
		p = w.page
	}
	if c.OutCap <= maxInline {
		n := len(p.outs)
		if n+c.OutCap > cap(p.outs) {
			w.growPage(n + c.OutCap)
		}
		c.Out = p.outs[n : n+c.OutCap : n+c.OutCap]
	} else {
		if cap(w.stage) < c.OutCap {
			w.stage = make([]byte, c.OutCap)
		}
		c.Out = w.stage[:c.OutCap:c.OutCap]
	}
	if w.sampled = sampled(w.calls); w.sampled {
		w.began = time.Now()
	}
	return abi.OutcomeNone
}

// Commit records c, which Reserve made room for, as it was answered.
func (w *Writer) Commit(c *abi.Call, o *abi.Object, d *abi.Decision) {
	x := &w.x
	x.out, x.sampled = 0, w.sampled
	if c.Errno == abi.ESUCCESS {
		x.out = c.OutLen
	}
	if len(c.In) > 0 {
		x.tag = w.input.Tag(w.calls, 0, c.In)
	}
	if w.sampled {
		x.duration, x.time = int64(time.Since(w.began)), w.began.UnixNano()
	}
	out := c.Out[:x.out]

	w.mu.Lock()
	p := w.page
	before := len(p.heads)
	p.heads = w.enc.head(p.heads, c, o, d, x)
	if c.OutCap <= maxInline {
		p.outs = p.outs[:len(p.outs)+x.out] // out lies there already
	} else {
		p.outs = append(p.outs, out...)
	}
	grown := len(p.heads) - before + x.out
	if p.calls++; p.calls == 1 {
		grown += overhead
	}
	w.mu.Unlock()

	w.space.used += int64(grown)
	w.calls++
	if cap(w.stage) > abi.MaxTransfer {
		w.stage = nil
	}
}

// growPage gives the page under way room for n bytes of output. It stays below
// pageSize+maxInline, since a page of pageSize is handed over.
func (w *Writer) growPage(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.page
	p.outs = append(make([]byte, 0, min(max(n, 4*cap(p.outs)), pageSize+maxInline)), p.outs...)
}

// makeRoom is the slow part of Reserve: a page that is full, no room on disk
// that is known to be there, or a failure.
func (w *Writer) makeRoom(need int64) abi.Outcome {
	if out := w.failure(); out != abi.OutcomeNone {
		return out
	}
	if len(w.page.heads)+len(w.page.outs) >= pageSize {
		w.handOver()
	}
	w.space.used -= w.saved.Swap(0)
	if w.space.fits(need) {
		return abi.OutcomeNone
	}
	if w.space.used+need+held > w.space.limit {
		// Compression may have gained what is missing: wait until it is known.
		w.handOver()
		w.settle()
		w.space.used -= w.saved.Swap(0)
	}
	if err := w.space.extend(w.file, need); err != nil {
		w.space.full = true
		if err != errFull && !noRoom(err) {
			w.fail(err)
		}
	}
	return w.failure()
}

// failure is what Reserve answers from now on, OutcomeNone if nothing failed.
func (w *Writer) failure() abi.Outcome {
	if err := w.failed.Load(); err != nil && !noRoom(*err) {
		return abi.OutcomeLogFailed
	} else if err != nil || w.space.full {
		return abi.OutcomeRecordingFull
	}
	return abi.OutcomeNone
}

// fail keeps the first error of writing.
func (w *Writer) fail(err error) { w.failed.CompareAndSwap(nil, &err) }

// Finish hands what is left to the file, ends it with e and the seal, and makes
// it durable: one fdatasync. e.Calls is set here. The recording is unlocked in any case; after an error it has no
// seal and reads as cut short.
func (w *Writer) Finish(e End) (Sealed, error) {
	if w.finished {
		return Sealed{}, writeError(w.path, errFinished)
	}
	w.handOver()
	w.stop()
	e.Calls = w.calls
	s, err := w.finish(&e)
	w.drop()
	if err != nil {
		return Sealed{}, writeError(w.path, err)
	}
	return s, nil
}

func (w *Writer) finish(e *End) (Sealed, error) {
	var err error
	if p := w.failed.Load(); p != nil {
		err = *p // there is a hole: no seal may stand after it
	} else {
		err = w.chunk.end(w.file, e)
	}
	if e := w.file.Truncate(w.chunk.size); err == nil {
		err = e
	}
	if e := w.file.Datasync(); err == nil {
		err = e
	}
	return Sealed{Seal: w.chunk.seal, Size: uint64(w.chunk.size)}, err
}

// Abort ends the recording without a seal, with the calls committed so far.
// After Finish it does nothing.
func (w *Writer) Abort() {
	if w.finished {
		return
	}
	w.handOver()
	w.stop()
	_ = w.file.Truncate(w.chunk.size) // what stands there reads as cut short anyway
	w.drop()
}

// stop ends the background goroutine; the file is the caller's from here on.
func (w *Writer) stop() {
	w.finished = true
	close(w.full)
	<-w.done
}

// drop lets go of the file and its lock.
func (w *Writer) drop() {
	_ = w.file.Close() // durable or given up already
	if w.lock != nil && !w.held {
		_ = w.lock.Unlock()
	}
}

// Hold keeps the recording locked beyond Finish and Abort, until release is
// called: whoever records the run's end in the log must not be taken for dead
// before that is done.
func (w *Writer) Hold() (release func()) {
	w.held = true
	return func() { _ = w.lock.Unlock() }
}

// InUse tells whether somebody is writing the recording path. A missing one is
// nobody's.
func InUse(path string) (bool, error) {
	if _, err := (sys.OS{}).Stat(path); err != nil {
		err = openError(path, err)
		if abi.CodeOf(err) == CodeMissing {
			return false, nil
		}
		return false, err
	}
	l, got, err := sys.TryLock(path)
	if err != nil {
		return false, readError(path, err)
	}
	if !got {
		return true, nil
	}
	return false, l.Unlock()
}
