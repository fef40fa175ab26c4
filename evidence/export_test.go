package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/sys/faultfs"
)

// fill appends n records in batches.
func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	for n > 0 {
		k := min(n, int(l.o.transaction()/160))
		rs := make([]abi.Record, k)
		for i := range rs {
			rs[i] = runEnd(n - i)
		}
		add(t, l, rs...)
		n -= k
	}
}

func export(t testing.TB, o Options, dir string, change ...func(*ExportOptions)) ExportReport {
	t.Helper()
	var x ExportOptions
	for _, c := range change {
		c(&x)
	}
	r, err := Export(context.Background(), o.Dir, dir, []PublicKey{o.Key.Public()}, x)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func verifyTiles(t testing.TB, o Options, dir string) (Report, error) {
	t.Helper()
	return VerifyTiles(context.Background(), dir, []PublicKey{o.Key.Public()}, VerifyOptions{})
}

func mustVerifyTiles(t testing.TB, o Options, dir string) Report {
	t.Helper()
	r, err := verifyTiles(t, o, dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// files returns the contents of every file in an export.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == exportLock {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		m[filepath.ToSlash(rel)] = string(readFile(t, p))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestExport: whatever the sizes in between, the folder is as if it had been
// made at once, but for partial tiles of earlier checkpoints.
func TestExport(t *testing.T) {
	o := newLog(t, func(o *Options) { o.SegmentBytes = 1 << 20 })
	l := openLog(t, o)
	dir := filepath.Join(t.TempDir(), "tiles")
	for _, n := range []int{0, 1, 100, 154, 1, 254, 1, 700, 65536} {
		fill(t, l, n)
		r := export(t, o, dir)
		if r.Records != l.Size() || r.Root != l.Root() || r.Checkpoint != string(l.Checkpoint()) {
			t.Fatalf("exported %d records, the log has %d", r.Records, l.Size())
		}
		if v := mustVerifyTiles(t, o, dir); v.Records != l.Size() || v.Root != l.Root() {
			t.Fatalf("verified %d records, the log has %d", v.Records, l.Size())
		}
		once := filepath.Join(t.TempDir(), "once")
		export(t, o, once)
		many, want := files(t, dir), files(t, once)
		for name, b := range want {
			if many[name] != b {
				t.Errorf("at %d records %s differs", r.Records, name)
			}
		}
		for name := range many {
			if n, ok := merkle.ParseTile(name); want[name] == "" && (!ok || n.Width == merkle.TileWidth) {
				t.Errorf("at %d records there is %s", r.Records, name)
			}
		}
		if again := export(t, o, dir); again.Files != 0 {
			t.Errorf("exporting again wrote %d files", again.Files)
		}
	}
	// Where a tile is full its partial ones are gone.
	if _, err := os.Stat(filepath.Join(dir, "tile/0/000.p")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("partial tiles of a full one: %v", err)
	}
}

// TestExportResumes: little of the log is read again.
func TestExportResumes(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	fill(t, l, 3000)
	before := l.Size()
	dir := filepath.Join(t.TempDir(), "tiles")
	export(t, o, dir)
	seg := l.w.c.seg
	fill(t, l, 50)
	// The log's beginning is gone: an export that read it could not go on.
	if seg < 3 {
		t.Fatalf("only %d segments", seg)
	}
	for n := range seg - 1 {
		if err := os.Rename(segment(o, n), segment(o, n)+".gone"); err != nil {
			t.Fatal(err)
		}
	}
	if r := export(t, o, dir); r.Before != before || r.Records != l.Size() {
		t.Errorf("%d records, %d before", r.Records, r.Before)
	}
	for n := range seg - 1 {
		if err := os.Rename(segment(o, n)+".gone", segment(o, n)); err != nil {
			t.Fatal(err)
		}
	}
	// Without the partial tiles everything is read again.
	if err := os.RemoveAll(filepath.Join(dir, "tile/0/011.p")); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 10)
	export(t, o, dir)
	mustVerifyTiles(t, o, dir)
}

// TestExportCrash: it may end at any moment, and goes on.
func TestExportCrash(t *testing.T) {
	o := newLog(t)
	l := openLog(t, o)
	fill(t, l, 700)
	for k := 0; ; k++ {
		dir := filepath.Join(t.TempDir(), "tiles")
		n, stop := 0, errors.New("power cut")
		e, err := NewExporter(o.Dir, dir, []PublicKey{o.Key.Public()}, ExportOptions{FS: faultfs.New(sys.OS{}, func(op faultfs.Op, _ string, _ int) (f faultfs.Fault) {
			switch op {
			case faultfs.OpCreate, faultfs.OpRename, faultfs.OpWrite, faultfs.OpSync, faultfs.OpSyncDir:
				if n++; n > k {
					f.Err = stop
				}
			}
			return f
		})})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Update(context.Background())
		if err == nil {
			if k < 10 {
				t.Errorf("only %d operations", k)
			}
			break
		}
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, checkpointName)); err == nil {
			mustVerifyTiles(t, o, dir)
		}
		// What was renamed but never reached the disk may be cut off.
		cut := 0
		for name, b := range files(t, dir) {
			if _, ok := merkle.ParseTile(name); ok && cut == 0 {
				if _, err := os.Stat(filepath.Join(dir, checkpointName)); err != nil {
					cut++
					writeFile(t, filepath.Join(dir, name), []byte(b[:len(b)/2]))
				}
			}
		}
		export(t, o, dir)
		mustVerifyTiles(t, o, dir)
	}
}

// TestExportForeign: what is there is compared and never overwritten.
func TestExportForeign(t *testing.T) {
	o, other := newLog(t), newLog(t, func(o *Options) { o.Origin = "other.example" })
	l, m := openLog(t, o), openLog(t, other)
	fill(t, l, 600)
	fill(t, m, 600)
	dir := filepath.Join(t.TempDir(), "tiles")
	export(t, other, dir)
	before := fmt.Sprint(files(t, dir))
	_, err := Export(context.Background(), o.Dir, dir, []PublicKey{o.Key.Public()}, ExportOptions{})
	wantCode(t, err, CodeForeign)
	// The same without its checkpoint.
	if err := os.Remove(filepath.Join(dir, checkpointName)); err != nil {
		t.Fatal(err)
	}
	_, err = Export(context.Background(), o.Dir, dir, []PublicKey{o.Key.Public()}, ExportOptions{})
	wantCode(t, err, CodeForeign)
	export(t, other, dir)
	if fmt.Sprint(files(t, dir)) != before {
		t.Error("the export of the other log was changed")
	}
}

// TestExportOlderLog: an older copy of the log, put back, is noticed.
func TestExportOlderLog(t *testing.T) {
	o := newLog(t)
	l := openLog(t, o)
	fill(t, l, 300)
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 300)
	dir := filepath.Join(t.TempDir(), "tiles")
	export(t, o, dir)
	_, err := Export(context.Background(), older, dir, []PublicKey{o.Key.Public()}, ExportOptions{})
	wantCode(t, err, CodeAhead)
	// Continued otherwise, it is a fork.
	x := o
	x.Dir = older
	m := openLog(t, x)
	for range 6 {
		fill(t, m, 101)
	}
	_, err = Export(context.Background(), older, dir, []PublicKey{o.Key.Public()}, ExportOptions{})
	wantCode(t, err, CodeForeign)
}

// TestExportCheckpoint: an earlier checkpoint can be published, with what others
// signed.
func TestExportCheckpoint(t *testing.T) {
	o := newLog(t)
	l := openLog(t, o)
	fill(t, l, 300)
	n := l.Checkpoint()
	fill(t, l, 300)
	dir := filepath.Join(t.TempDir(), "tiles")
	cosigned := append(n, "— witness.example AAAAAQABAgM=\n"...)
	at := func(b []byte) func(*ExportOptions) { return func(x *ExportOptions) { x.Checkpoint = b } }
	if r := export(t, o, dir, at(cosigned)); r.Records != 301 || r.Checkpoint != string(cosigned) {
		t.Errorf("%d records, checkpoint\n%s", r.Records, r.Checkpoint)
	}
	mustVerifyTiles(t, o, dir)
	if r := export(t, o, dir); r.Records != 601 {
		t.Errorf("%d records", r.Records)
	}
	_, err := Export(context.Background(), o.Dir, dir, []PublicKey{o.Key.Public()}, ExportOptions{Checkpoint: cosigned})
	wantCode(t, err, CodeAhead)
	// Cosignatures come onto a checkpoint that is there, and stay.
	cosigned = append(l.Checkpoint(), "— witness.example AAAAAQABAgM=\n"...)
	export(t, o, dir, at(cosigned))
	if r := export(t, o, dir); r.Checkpoint != string(cosigned) {
		t.Errorf("checkpoint\n%s", r.Checkpoint)
	}
	// A size without a commit; a root of another log.
	for _, x := range []struct {
		size uint64
		code abi.Code
	}{{350, CodeNoCommit}, {701, CodeTree}} {
		fill(t, l, 100)
		text, err := signednote.NewSigner(l.Origin(), o.Key).Note(signednote.AppendText(nil, l.Origin(), x.size, abi.Digest{1}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Export(context.Background(), o.Dir, filepath.Join(t.TempDir(), "x"), []PublicKey{o.Key.Public()}, ExportOptions{Checkpoint: text})
		wantCode(t, err, x.code)
	}
}
