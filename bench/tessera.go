package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// tesseraLog is the rival's log: its POSIX driver in a folder beside ours. It
// writes tiles before it acknowledges, and fsyncs.
type tesseraLog struct {
	add  tessera.AddFn
	stop func(context.Context) error
}

// newTessera makes one that takes batches of as many entries as there are
// producers, so that none of them waits for its timer.
func (b *bench) newTessera(name string, producers int) (*tesseraLog, error) {
	secret, _, err := note.GenerateKey(nil, "tessera.example/"+name)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	driver, err := posix.New(b.ctx, posix.Config{Path: filepath.Join(b.dir, name)})
	if err != nil {
		return nil, err
	}
	o := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(uint(producers), 5*time.Millisecond).WithCheckpointInterval(time.Second)
	a, stop, _, err := tessera.NewAppender(b.ctx, driver, o)
	if err != nil {
		return nil, err
	}
	return &tesseraLog{a.Add, stop}, nil
}

// produceTessera is produce for the rival: entries of size bytes, each awaited.
func (b *bench) produceTessera(producers, size int, d time.Duration) (rate float64, p50 time.Duration, err error) {
	t, err := b.newTessera("tessera-"+itoa(producers), producers)
	if err != nil {
		return 0, 0, err
	}
	lists, errs := make([][]time.Duration, producers), make([]error, producers)
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range producers {
		wg.Go(func() {
			entry := make([]byte, size)
			for n := 0; errs[i] == nil; n++ {
				start := time.Now()
				if n > 0 && start.Sub(begin) > d {
					return
				}
				copy(entry, fmt.Sprintf("%d %d", i, n)) // no two alike
				_, errs[i] = t.add(b.ctx, tessera.NewEntry(slices.Clone(entry)))()
				lists[i] = append(lists[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	for _, e := range append(errs, t.stop(b.ctx)) {
		if e != nil {
			return 0, 0, e
		}
	}
	all := slices.Concat(lists...)
	slices.Sort(all)
	return float64(len(all)) / took.Seconds(), all[len(all)/2], nil
}
