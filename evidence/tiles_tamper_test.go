package evidence

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
)

// needed are the files of an export that its checkpoint needs.
func needed(t testing.TB, dir string) (names []string) {
	t.Helper()
	_, c, err := openTiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name := range files(t, dir) {
		n, ok := merkle.ParseTile(name)
		if ok && n.Width < merkle.TileWidth && !slices.Contains(merkle.PartialTiles(c.size), n) || name == termsName {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// exported makes a log with n records and a few segments, the same each time, and
// its export.
func exported(t testing.TB, n int) (o Options, dir string) {
	t.Helper()
	o = newLog(t, small, func(o *Options) { o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) } })
	l := openLog(t, o)
	fill(t, l, n)
	dir = filepath.Join(t.TempDir(), "tiles")
	export(t, o, dir)
	mustVerifyTiles(t, o, dir)
	return o, dir
}

// changed copies an export, changes one file of it, and verifies the copy.
func changed(t testing.TB, o Options, dir, name string, b []byte) error {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	was := readFile(t, path)
	writeFile(t, path, b)
	_, err := verifyTiles(t, o, dir)
	writeFile(t, path, was)
	return err
}

// TestTilesFlipped: no bit of any file that counts can be changed unseen, and the
// error names a file of the export.
func TestTilesFlipped(t *testing.T) {
	o, dir := exported(t, 260)
	for _, name := range needed(t, dir) {
		b := readFile(t, filepath.Join(dir, name))
		step := max(1, len(b)/25)
		if name == checkpointName || name == vkeyName {
			step = 3
		}
		for i := 0; i < len(b); i += step {
			c := slices.Clone(b)
			c[i] ^= 1 << (i % 8)
			err := changed(t, o, dir, name, c)
			if err == nil {
				t.Fatalf("%s with byte %d changed verifies", name, i)
			}
			if !strings.Contains(err.Error(), dir) {
				t.Fatalf("%s with byte %d changed: the error has no place: %v", name, i, err)
			}
		}
	}
}

// TestTilesCut: files cut, lengthened, emptied, lost.
func TestTilesCut(t *testing.T) {
	o, dir := exported(t, 600)
	for _, name := range needed(t, dir) {
		b := readFile(t, filepath.Join(dir, name))
		for what, c := range map[string][]byte{
			"cut": b[:len(b)-1], "halved": b[:len(b)/2], "emptied": {}, "lengthened": append(slices.Clone(b), 0), "doubled": append(slices.Clone(b), b...),
			"a hash less": b[:max(0, len(b)-merkle.HashSize)], "a hash more": append(slices.Clone(b), make([]byte, merkle.HashSize)...),
			"huge": make([]byte, merkle.MaxBundle+1),
		} {
			if err := changed(t, o, dir, name, c); err == nil {
				t.Errorf("%s %s verifies", name, what)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.Rename(path, path+".gone"); err != nil {
			t.Fatal(err)
		}
		_, err := verifyTiles(t, o, dir)
		wantCode(t, err, CodeExport)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err = verifyTiles(t, o, dir)
		wantCode(t, err, CodeExport)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".gone", path); err != nil {
			t.Fatal(err)
		}
	}
	mustVerifyTiles(t, o, dir)
}

// TestTilesSwapped: tiles of other places, other sizes and other logs.
func TestTilesSwapped(t *testing.T) {
	o, dir := exported(t, 600)
	var logs []map[string]string
	for _, change := range []func(*Options){small, func(o *Options) { o.Origin = "other.example" }} {
		x := newLog(t, change)
		l := openLog(t, x)
		fill(t, l, 600)
		d := filepath.Join(t.TempDir(), "tiles")
		export(t, x, d)
		logs = append(logs, files(t, d))
	}
	mine := files(t, dir)
	for _, name := range needed(t, dir) {
		for other, b := range mine {
			if b == mine[name] {
				continue
			}
			if err := changed(t, o, dir, name, []byte(b)); err == nil {
				t.Errorf("%s in place of %s verifies", other, name)
			}
		}
		for i, log := range logs {
			if b, ok := log[name]; ok && b != mine[name] {
				if err := changed(t, o, dir, name, []byte(b)); err == nil {
					t.Errorf("%s of log %d verifies", name, i)
				}
			}
		}
	}
	// An export of the other log is whole, and is not this key's or this name's.
	_, err := VerifyTiles(context.Background(), dir, []PublicKey{o.Key.Public()}, VerifyOptions{Origin: "other.example"})
	wantCode(t, err, CodeOrigin)
}

// TestTilesSizes: an older checkpoint over the same tiles, and a newer one over
// tiles that are not there yet.
func TestTilesSizes(t *testing.T) {
	o, dir := exported(t, 100)
	l := openLog(t, o)
	older := readFile(t, filepath.Join(dir, checkpointName))
	fill(t, l, 100)
	if err := changed(t, o, dir, checkpointName, l.Checkpoint()); err == nil {
		t.Error("tiles that are not there verify")
	}
	export(t, o, dir)
	// The partial tiles of the older one are kept: others may hold its checkpoint.
	if err := changed(t, o, dir, checkpointName, older); err != nil {
		t.Error(err)
	}
	// Whoever kept the newer one sees that the older one was put back.
	newer, err := ParseCheckpoint(l.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, checkpointName), older)
	_, err = VerifyTiles(context.Background(), dir, []PublicKey{o.Key.Public()}, VerifyOptions{Heads: []*Checkpoint{newer}})
	wantCode(t, err, CodeBehind)
}

// forge makes an export of the given entries, signed with key.
func forge(t testing.TB, origin string, key *PrivateKey, entries [][]byte) string {
	t.Helper()
	dir := t.TempDir()
	var tr merkle.Tree
	put := func(n merkle.Tile, b []byte) error {
		path := filepath.Join(dir, filepath.FromSlash(n.Path()))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o600)
	}
	w := merkle.NewTiler(put)
	for _, e := range entries {
		tr.Push(w.Hasher, w.Hasher.Leaf(e))
		if err := w.Push(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Partial(); err != nil {
		t.Fatal(err)
	}
	note, err := signednote.NewSigner(origin, key).Note(signednote.AppendText(nil, origin, tr.N, tr.Root(w.Hasher)))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, checkpointName), note)
	writeFile(t, filepath.Join(dir, vkeyName), []byte(VerifierKey(origin, key.Public())+"\n"))
	return dir
}

// TestTilesRules: what is signed and whole, but no log of ours. So is what an
// export would be that dropped fields of the chain: each entry is hashed whole.
func TestTilesRules(t *testing.T) {
	o, dir := exported(t, 20)
	entries, err := tileFolder(dir).bundle(merkle.Tile{Level: merkle.EntriesLevel, N: 0, Width: int(mustVerifyTiles(t, o, dir).Records)})
	if err != nil {
		t.Fatal(err)
	}
	origin := DefaultOrigin(o.Key.Public())
	if _, err := verifyTiles(t, o, forge(t, origin, o.Key, entries)); err != nil {
		t.Fatal(err)
	}
	edit := func(f func(e [][]byte) [][]byte) [][]byte {
		c := make([][]byte, len(entries))
		for i, e := range entries {
			c[i] = slices.Clone(e)
		}
		return f(c)
	}
	for what, x := range map[string]struct {
		entries [][]byte
		origin  string
		key     *PrivateKey
		code    abi.Code
	}{
		"no beginning":       {entries: entries[1:], code: CodeRecord},
		"two beginnings":     {entries: edit(func(e [][]byte) [][]byte { return slices.Insert(e, 1, e[0]) }), code: CodeRecord},
		"another name":       {entries: entries, origin: "other.example", code: CodeRecord},
		"an unknown kind":    {entries: edit(func(e [][]byte) [][]byte { e[3][3] = 0xff; return e }), code: CodeRecord},
		"another version":    {entries: edit(func(e [][]byte) [][]byte { e[3][1] = 2; return e }), code: CodeRecord},
		"time goes back":     {entries: edit(func(e [][]byte) [][]byte { e[3][7] ^= 1; return e }), code: CodeRecord},
		"another key's":      {entries: entries, key: newKey(t), code: CodeSignature},
		"a seal out of turn": {entries: edit(func(e [][]byte) [][]byte { return append(e, sealRecord(t, e, 7)) }), code: CodeRecord},
	} {
		if x.origin == "" {
			x.origin = origin
		}
		if x.key == nil {
			x.key = o.Key
		}
		t.Run(what, func(t *testing.T) {
			d := forge(t, x.origin, x.key, x.entries)
			_, err := verifyTiles(t, o, d)
			wantCode(t, err, x.code)
			if !strings.Contains(fmt.Sprint(err), d) {
				t.Errorf("the error has no place: %v", err)
			}
		})
	}
	// Made anew with another key, all of it: no pin fits.
	_, err = VerifyTiles(context.Background(), dir, []PublicKey{newKey(t).Public()}, VerifyOptions{})
	wantCode(t, err, CodePin)
	_, err = VerifyTiles(context.Background(), dir, nil, VerifyOptions{})
	wantCode(t, err, CodeUsage)
}

// TestTilesOfTerms: a log that was handed over to another key.
func TestTilesOfTerms(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	fill(t, l, 300)
	dir := filepath.Join(t.TempDir(), "tiles")
	export(t, o, dir)
	next := newKey(t)
	if _, err := l.Rotate(context.Background(), next, nil); err != nil {
		t.Fatal(err)
	}
	pins := [][]PublicKey{{o.Key.Public()}, {next.Public()}, {next.Public(), o.Key.Public()}}
	for round := range 3 {
		export(t, o, dir)
		for _, p := range pins {
			if round == 0 && len(p) > 0 && p[0].String() == next.Public().String() {
				continue // the hand-over's own checkpoint is the old key's
			}
			r, err := VerifyTiles(context.Background(), dir, p, VerifyOptions{})
			if err != nil || len(r.Terms) != 2 {
				t.Fatalf("round %d: %d terms, %v", round, len(r.Terms), err)
			}
		}
		fill(t, l, 200)
	}
	want := VerifierKey(l.Origin(), next.Public()) + "\n" + VerifierKey(l.Origin(), o.Key.Public()) + "\n"
	if b := string(readFile(t, filepath.Join(dir, vkeyName))); b != want {
		t.Errorf("vkey is\n%swant\n%s", b, want)
	}
	// Who signs is remembered; what was remembered wrongly is found again.
	for _, b := range []string{"", "0\n", "0\n5\n", "x", "0\n301\n302\n"} {
		writeFile(t, filepath.Join(dir, termsName), []byte(b))
		fill(t, l, 5)
		export(t, o, dir)
		mustVerifyTiles(t, o, dir)
	}
	// The old key can't go on signing.
	_, c, err := openTiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	old, err := signednote.NewSigner(c.origin, o.Key).Note([]byte(c.text))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, changed(t, o, dir, checkpointName, old), CodeSignature)
}

// TestReadTiles agrees with Read.
func TestReadTiles(t *testing.T) {
	o, dir := exported(t, 600)
	for _, from := range []uint64{0, 1, 255, 256, 257, 600, 9999} {
		a, b := map[uint64]string{}, map[uint64]string{}
		into := func(m map[uint64]string) func(uint64, abi.Record) error {
			return func(i uint64, r abi.Record) error {
				m[i] = fmt.Sprint(r.Kind, r.Time, r.Body)
				return nil
			}
		}
		if err := Read(o.Dir, from, into(a)); err != nil {
			t.Fatal(err)
		}
		if err := ReadTiles(dir, from, into(b)); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(a, b) {
			t.Errorf("from %d: %d and %d records", from, len(a), len(b))
		}
	}
	path := filepath.Join(dir, "tile/entries/001")
	b := readFile(t, path)
	b[500] ^= 1
	writeFile(t, path, b)
	err := ReadTiles(dir, 300, func(uint64, abi.Record) error { return nil })
	wantCode(t, err, CodeTree, CodeExport)
}

// sealRecord is a record that seals segment n where it stands behind entries.
func sealRecord(t testing.TB, entries [][]byte, n uint64) []byte {
	t.Helper()
	_, when, _ := peek(entries[len(entries)-1])
	b, err := codec.EncodeRecord(abi.Record{Kind: abi.KindSegmentSealed, Time: when, Body: &abi.SegmentSealed{Segment: n, Size: uint64(len(entries))}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
