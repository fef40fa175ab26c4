package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/forgeone/forgeone/internal/seal"
)

// pageCache bounds how many pages are kept in memory, 1 MiB in all.
const pageCache = 256

// pageFile reads pages of a state file, each authenticated when it is read. The
// file is closed by the garbage collector: the follower may be asked for longer
// than the log is open.
type pageFile struct {
	f    io.ReaderAt
	info fs.FileInfo
	at   int64
	n    uint64

	// remake makes all pages again from the log; spoiled is told why, once.
	remake  func() ([][]byte, error)
	spoiled func(err error)
	bad     atomic.Bool

	mu    sync.Mutex
	mac   *seal.MAC
	cache map[uint64][]byte
	made  [][]byte
}

func newPageFile(f io.ReaderAt, at int64, n uint64, key seal.Key) *pageFile {
	return &pageFile{f: f, at: at, n: n, mac: seal.NewMAC(key), cache: map[uint64][]byte{}}
}

// Page implements Pages.
func (p *pageFile) Page(n uint64) ([]byte, error) {
	if n >= p.n {
		return nil, fmt.Errorf("there is no page %d of %d", n, p.n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made != nil {
		return p.made[n], nil
	}
	if b := p.cache[n]; b != nil {
		return b, nil
	}
	b, err := p.read(n)
	if err != nil {
		return p.again(n, err)
	}
	if len(p.cache) >= pageCache {
		for old := range p.cache { // any: what is asked for often comes back
			delete(p.cache, old)
			break
		}
	}
	p.cache[n] = b
	return b, nil
}

func (p *pageFile) read(n uint64) ([]byte, error) {
	b := make([]byte, pageBytes)
	if _, err := p.f.ReadAt(b, p.at+int64(n)*pageBytes); err != nil {
		return nil, fmt.Errorf("page %d: %w", n, err)
	}
	if tag := p.mac.Tag(n, 0, b[:PageSize]); !seal.Equal(tag[:], b[PageSize:]) {
		return nil, fmt.Errorf("page %d does not authenticate", n)
	}
	return b[:PageSize], nil
}

// again makes the pages anew because one is not what was written.
func (p *pageFile) again(n uint64, cause error) ([]byte, error) {
	if p.remake == nil {
		return nil, cause
	}
	if !p.bad.Swap(true) {
		p.spoiled(cause)
	}
	made, err := p.remake()
	if err == nil && uint64(len(made)) != p.n {
		err = errors.New("the log gives other pages")
	}
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	p.made, p.cache = made, nil
	return made[n], nil
}
