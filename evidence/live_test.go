package evidence

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

// TestLiveTiles: the folder follows while producers append, and holds everything
// after Close.
func TestLiveTiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiles")
	o := newLog(t, func(o *Options) { o.Tiles, o.SegmentBytes = dir, 1<<20 })
	l := openLog(t, o)
	var wg sync.WaitGroup
	for p := range 8 {
		wg.Go(func() {
			for i := range 500 {
				add(t, l, runEnd(p*1000+i))
			}
		})
	}
	wg.Wait()
	for {
		n, err := l.Tiles()
		if err != nil {
			t.Fatal(err)
		}
		if n == l.Size() {
			break
		}
		time.Sleep(10 * time.Millisecond) // the test's own limit ends this
	}
	mustVerifyTiles(t, o, dir)
	fill(t, l, 300)
	size := l.Size()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Tiles(); n != size || err != nil {
		t.Errorf("%d of %d records, %v", n, size, err)
	}
	if r := mustVerifyTiles(t, o, dir); r.Records != size {
		t.Errorf("%d of %d records", r.Records, size)
	}
}

// TestLiveTilesFail: an error there is told and stops nothing.
func TestLiveTilesFail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiles")
	writeFile(t, dir, []byte("a file where a folder should be"))
	o := newLog(t, func(o *Options) { o.Tiles = dir })
	l := openLog(t, o)
	fill(t, l, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Tiles()
	wantCode(t, err, CodeIO)
	if r := mustVerify(t, o); r.Records != 11 {
		t.Errorf("%d records", r.Records)
	}
	// Without a key there is nothing to verify with.
	o.Key = nil
	_, err = Open(o)
	wantCode(t, err, CodeUsage)
}

// BenchmarkAppendWithTiles is BenchmarkAppend with 1024 producers and a tile
// folder that is kept up to date.
func BenchmarkAppendWithTiles(b *testing.B) {
	for _, name := range []string{"", "tiles"} {
		b.Run("folder="+name, func(b *testing.B) {
			dir := name
			if dir != "" {
				dir = filepath.Join(b.TempDir(), dir)
			}
			l := openLog(b, newLog(b, func(o *Options) { o.Tiles = dir }))
			var wg sync.WaitGroup
			b.ResetTimer()
			const n = 1024
			for p := range n {
				wg.Go(func() {
					for i := p; i < b.N; i += n {
						if _, err := l.Update(b.Context(), func() ([]abi.Record, error) { return []abi.Record{runEnd(i)}, nil }); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			behind, err := l.Tiles()
			if err != nil {
				b.Error(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(l.Size()-behind), "behind")
		})
	}
}

// TestLiveTilesHeld: another process that has the folder and does not end does
// not keep Close from ending.
func TestLiveTilesHeld(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiles")
	o := newLog(t, func(o *Options) { o.Tiles = dir })
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := sys.Lock(filepath.Join(dir, exportLock))
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, o)
	fill(t, l, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Tiles(); n != 0 || abi.CodeOf(err) != CodeGaveUp {
		t.Errorf("%d records, %v", n, err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
}
