package trace

import (
	"encoding/binary"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// item is what the background goroutine is handed: a page, or a barrier that
// it closes when all before it is written.
type item struct {
	page    *page
	barrier chan struct{}
}

// handOver gives the page under way to the background and takes another.
func (w *Writer) handOver() {
	w.mu.Lock()
	p := w.page
	if p.calls == 0 { // flushed, or nothing yet: the page can begin again
		w.page = p.recycle()
		w.page.first = w.calls
		w.mu.Unlock()
		return
	}
	w.enc.next()
	w.full <- item{page: p}
	w.page = nil // not ours any more
	w.mu.Unlock()

	var n *page
	select {
	case n = <-w.free:
	default:
		if w.made < maxPages {
			w.made++
			n = newPage()
		} else {
			n = <-w.free
		}
	}
	w.mu.Lock()
	n.first = w.calls
	w.page = n
	w.mu.Unlock()
}

// settle waits until everything handed over is written, or has failed to be.
func (w *Writer) settle() {
	b := make(chan struct{})
	w.full <- item{barrier: b}
	<-b
}

// background writes chunks until the channel is closed. It is the only
// goroutine that a recording has.
func (w *Writer) background(flush time.Duration) {
	defer close(w.done)
	if err := w.fs.SyncDir(filepath.Dir(w.path)); err != nil {
		w.fail(err)
	}
	t := time.NewTicker(flush)
	defer t.Stop()
	for {
		select {
		case it, open := <-w.full:
			if !open {
				return
			}
			if it.barrier != nil {
				close(it.barrier)
				continue
			}
			n := w.chunk.take(it.page)
			w.free <- it.page.recycle()
			w.chunk.behind = len(w.full) > 0
			w.write(n)
		case <-t.C:
			w.flush()
		}
	}
}

// flush writes what is committed in the page under way. The page stays where
// it is: a call may be blocked with its output in it.
func (w *Writer) flush() {
	w.mu.Lock()
	p := w.page
	if p == nil || p.calls == 0 || len(w.full) > 0 { // what was handed over goes first
		w.mu.Unlock()
		return
	}
	n := w.chunk.take(p)
	p.hb, p.ob = len(p.heads), len(p.outs)
	p.first += uint64(p.calls)
	p.calls = 0
	w.enc.next()
	w.mu.Unlock()
	w.write(n)
}

// write puts the chunk that was taken into the file. laid is how many bytes
// of it were accounted for.
func (w *Writer) write(laid int) {
	if w.failed.Load() != nil {
		return // a recording with a hole is worth less than a short one
	}
	n, err := w.chunk.write(w.file)
	if err != nil {
		w.fail(err)
		return
	}
	w.saved.Add(int64(laid - n)) // never below zero
}

// recycle empties p. One that a large output has swollen is not kept.
func (p *page) recycle() *page {
	if cap(p.outs) > pageSize+maxInline || cap(p.heads) > 2*pageSize {
		return newPage()
	}
	*p = page{heads: p.heads[:0], outs: p.outs[:0]}
	return p
}

// chunker turns pages into frames. The background goroutine owns it, and after
// it Finish.
type chunker struct {
	box    *seal.Box
	header abi.Digest
	chain  [32]byte
	seal   abi.Digest // once ended
	chunks uint64
	calls  uint64
	size   int64 // of the file so far

	zstd   *zstd.Encoder // made when a chunk is worth it
	behind bool          // pages are waiting: compress faster, and less
	taken  uint32        // calls in plain
	plain  []byte        // a chunk
	small  []byte        // the same, compressed
	out    []byte        // a frame
}

// worthIt is the size below which a chunk is stored as it is: making the
// encoder would cost more than is gained.
const worthIt = 4 << 10

// take copies what p has into the scratch buffer as a chunk, and returns how
// many bytes of the file were accounted for it.
func (k *chunker) take(p *page) int {
	heads, outs := p.heads[p.hb:], p.outs[p.ob:]
	b := append(k.plain[:0], outs...)
	b = append(b, heads...)
	b = binary.LittleEndian.AppendUint64(b, p.first)
	b = binary.LittleEndian.AppendUint32(b, p.calls)
	k.plain = binary.LittleEndian.AppendUint32(b, uint32(len(heads)))
	k.taken = p.calls
	return len(heads) + len(outs) + overhead
}

// write compresses, encrypts and appends the chunk taken, and returns the
// frame's size. After an error nothing of it counts.
func (k *chunker) write(f sys.File) (int, error) {
	kind, err := k.compress()
	if err != nil {
		return 0, err
	}
	body := k.plain
	if kind != frameStored {
		body = k.small
	}
	n, err := k.frame(f, kind, body, len(k.plain))
	if err != nil {
		return 0, err
	}
	k.chunks++
	k.calls += uint64(k.taken)
	if cap(k.plain) > 1<<20 { // it was one large call's
		k.plain, k.small, k.out = nil, nil, nil
	}
	return n, nil
}

// compress makes k.small of k.plain, and returns the kind of frame for it:
// frameStored if nothing is gained. A guest that calls faster than zstd
// compresses gets S2, at three times the speed.
func (k *chunker) compress() (kind byte, err error) {
	switch {
	case len(k.plain) < worthIt:
		return frameStored, nil
	case k.behind:
		kind = frameS2
		if n := s2.MaxEncodedLen(len(k.plain)); cap(k.small) < n {
			k.small = make([]byte, n)
		}
		k.small = s2.Encode(k.small[:cap(k.small)], k.plain)
	default:
		kind = frameZstd
		if k.zstd == nil {
			if k.zstd, err = newZstd(); err != nil {
				return 0, err
			}
		}
		k.small = k.zstd.EncodeAll(k.plain, k.small[:0])
	}
	if len(k.small) >= len(k.plain) {
		kind = frameStored
	}
	return kind, nil
}

func newZstd() (*zstd.Encoder, error) {
	// The window spans a whole ordinary chunk. No checksum: the AEAD is one.
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(pageSize+maxInline), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
}

// frame appends one frame to the file.
func (k *chunker) frame(f sys.File, kind byte, body []byte, size int) (int, error) {
	k.out = append(k.out[:0], make([]byte, frameSize)...)
	frame{kind, uint32(len(body) + seal.BoxOverhead), uint32(size)}.put(k.out)
	ad := associated(k.header, k.out)
	k.out = k.box.Seal(k.out, k.chunks, ad[:], body)
	if _, err := f.WriteAt(k.out, k.size); err != nil {
		return 0, err
	}
	k.chain = link(k.chain, k.out)
	k.size += int64(len(k.out))
	return len(k.out), nil
}

// end writes the end frame and the trailer.
func (k *chunker) end(f sys.File, e *End) error {
	e.Trap = cut(e.Trap, maxRuleText)
	b, err := codec.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := k.frame(f, frameEnd, b, len(b)); err != nil {
		return err
	}
	k.seal = sealOf(k.header, k.chain, k.chunks, k.calls)
	t := trailer{k.chunks, k.calls, k.chain, k.seal}
	k.out = t.append(k.out[:0])
	if _, err := f.WriteAt(k.out, k.size); err != nil {
		return err
	}
	k.size += int64(len(k.out))
	return nil
}
