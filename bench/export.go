package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/evidence"
)

// export measures what an auditor does with an export: verify all of it, beside
// a verifier that is not ours on the same files, and check one record.
func (b *bench) export() error {
	key, n, err := b.filled("log-export", b.n(1_000_000))
	if err != nil {
		return err
	}
	keys := []evidence.PublicKey{key}
	log, tiles := filepath.Join(b.dir, "log-export"), filepath.Join(b.dir, "tiles-export")
	start := time.Now()
	if _, err := evidence.Export(b.ctx, log, tiles, keys, evidence.ExportOptions{}); err != nil {
		return err
	}
	b.add(Row{Name: "making it", Unit: "records/s", Ours: float64(n) / time.Since(start).Seconds(), Note: fmt.Sprintf("%d records, verified while they are read", n)})
	if err := b.verifyBeside(tiles, keys, n); err != nil {
		return err
	}
	return b.proven(log, tiles, keys, n)
}

// verifyBeside verifies the same export with ours and with torchwood.
func (b *bench) verifyBeside(tiles string, keys []evidence.PublicKey, n int) error {
	vkey, err := os.ReadFile(filepath.Join(tiles, "vkey"))
	if err != nil {
		return err
	}
	var ours, rival []sample
	side := func(list *[]sample, name string, f func() error) func(int) error {
		return func(int) error {
			s, err := measure(b.ctx, name, f)
			*list = append(*list, s)
			return err
		}
	}
	err = alternate(b.reps, side(&ours, "ours", func() error {
		_, err := evidence.VerifyTiles(b.ctx, tiles, keys, evidence.VerifyOptions{})
		return err
	}), side(&rival, "torchwood", func() error { return b.torchwood(tiles, string(vkey), n) }))
	if err != nil {
		return err
	}
	row := compare(Row{Name: "verifying it", Unit: "ns/record", Beside: "torchwood"}, time.Nanosecond, n, ours, rival)
	b.add(row.with(times(1)))
	b.add(Row{
		Name: "verifying it, per core", Unit: "records/s/core", Ours: 1e9 / row.CPUOurs, Rival: 1e9 / row.CPURival, Beside: "torchwood",
	}.with(atLeast(700_000)))
	return nil
}

// torchwood verifies checkpoint, tiles and entries with its client.
func (b *bench) torchwood(tiles, vkey string, n int) error {
	signed, err := os.ReadFile(filepath.Join(tiles, "checkpoint"))
	if err != nil {
		return err
	}
	v, err := note.NewVerifier(vkey[:len(vkey)-1])
	if err != nil {
		return err
	}
	c, _, err := torchwood.VerifyCheckpoint(signed, torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v)))
	if err != nil {
		return err
	}
	files, err := torchwood.NewTileFS(os.DirFS(tiles))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(files)
	if err != nil {
		return err
	}
	seen := 0
	for range client.AllEntries(b.ctx, tlog.Tree{N: c.N, Hash: c.Hash}, 0) {
		seen++
	}
	if err := client.Err(); err != nil || seen != n {
		return fmt.Errorf("torchwood saw %d of %d records: %w", seen, n, err)
	}
	return nil
}

// proven measures making and checking the proof of one record out of an export.
func (b *bench) proven(log, tiles string, keys []evidence.PublicKey, n int) error {
	var p *evidence.Proof
	count := max(b.n(2000), 2)
	s, err := measure(b.ctx, "prove", func() (err error) {
		for i := range count {
			if p, _, err = evidence.ProveFromTiles(tiles, uint64(i*(n/count)), keys, evidence.VerifyOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.add(Row{Name: "a proof of one record", Unit: "µs", Ours: float64(s.wall.Microseconds()) / float64(count)})
	raw := 0
	for _, h := range p.Hashes {
		raw += len(h)
	}
	b.add(Row{Name: "its hashes", Unit: "bytes", Ours: float64(raw), Note: fmt.Sprintf("%d with the record and the checkpoint, as text", len(p.Marshal()))}.with(atMost(1229, "bytes")))
	return nil
}
