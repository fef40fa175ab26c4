package register

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// home makes a folder like a state folder and describes it.
func home(t testing.TB, dir string) []Thing {
	t.Helper()
	check(t, os.MkdirAll(filepath.Join(dir, "keys"), 0o700))
	check(t, os.MkdirAll(filepath.Join(dir, "log"), 0o700))
	things, err := Describe(dir, "keys", "log", "none")
	check(t, err)
	return things
}

func paths(t testing.TB, r *Register) (all []string) {
	t.Helper()
	things, err := r.Load()
	check(t, err)
	for _, x := range things {
		all = append(all, x.Path)
	}
	return all
}

// TestNote: what is noted is there for others, once; the second time nothing is written.
func TestNote(t *testing.T) {
	place, dir := filepath.Join(t.TempDir(), "deep", "register"), filepath.Join(t.TempDir(), "home")
	r := At(place)
	if got := paths(t, r); len(got) != 0 {
		t.Errorf("a new register holds %q", got)
	}
	things := home(t, dir)
	if len(things) != 1 || len(things[0].Parts) != 2 || len(things[0].Above) < 2 || !things[0].Here() {
		t.Fatalf("%+v", things)
	}
	check(t, r.Note(things))
	if st, err := os.Stat(place); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	got, err := At(place).Load()
	check(t, err)
	if len(got) != 1 || got[0].Path != dir || got[0].ID.Ino != things[0].ID.Ino || len(got[0].Parts) != 2 {
		t.Errorf("%+v", got)
	}
	again := At(place)
	again.write = func(string, []byte) error { t.Error("written"); return nil }
	check(t, again.Note(home(t, dir)))
}

// TestElsewhere: a part that a link leads out of the folder is a thing of its own, and
// so is a file.
func TestElsewhere(t *testing.T) {
	base := t.TempDir()
	dir, disk := filepath.Join(base, "home"), filepath.Join(base, "disk")
	check(t, os.MkdirAll(disk, 0o700))
	check(t, os.MkdirAll(dir, 0o700))
	check(t, os.Symlink("../disk", filepath.Join(dir, "keys")))
	things, err := Describe(dir, "keys")
	check(t, err)
	if len(things) != 2 || things[1].Path != disk || things[0].Parts[0].ID.Ino != things[1].ID.Ino {
		t.Errorf("%+v", things)
	}
	file := filepath.Join(base, "pass")
	check(t, os.WriteFile(file, nil, 0o600))
	if things, err = Describe(file); err != nil || len(things) != 1 || things[0].ID.Dir {
		t.Errorf("%+v %v", things, err)
	}
	if things, err = Describe(filepath.Join(base, "none")); err != nil || things != nil {
		t.Errorf("what is not there: %+v %v", things, err)
	}
}

// TestAtOnce: of many that note at the same time nobody is lost.
func TestAtOnce(t *testing.T) {
	place, base := t.TempDir(), t.TempDir()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			check(t, At(place).Note(home(t, filepath.Join(base, fmt.Sprint(i)))))
		})
	}
	all.Wait()
	if n := len(paths(t, At(place))); n != 40 {
		t.Errorf("%d of 40", n)
	}
}

const noteHelper = "FORGEONE_TEST_NOTE"

// TestProcesses: of many processes that note at the same time nobody is lost, and
// whoever has the counter mapped sees a change.
func TestProcesses(t *testing.T) {
	if what := os.Getenv(noteHelper); what != "" {
		place, dir, _ := strings.Cut(what, ":")
		for i := range 10 {
			check(t, At(place).Note(home(t, filepath.Join(dir, fmt.Sprint(i)))))
		}
		return
	}
	place, base := t.TempDir(), t.TempDir()
	check(t, At(place).Note(home(t, filepath.Join(base, "own"))))
	c := At(place).Counter()
	defer c.Close()
	before := c.Load()
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			p := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
			p.Env = append(os.Environ(), noteHelper+"="+place+":"+filepath.Join(base, fmt.Sprint(i)))
			if out, err := p.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	if n := len(paths(t, At(place))); n != 61 {
		t.Errorf("%d of 61", n)
	}
	if after := c.Load(); after != before+60 {
		t.Errorf("the counter was %d, is %d", before, after)
	}
}

// TestOthers: a folder that another user made, under the name of this one's register,
// is neither believed nor written to.
func TestOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: this test needs root, to make a folder of another user")
	}
	base := t.TempDir()
	theirs, ours := filepath.Join(base, "theirs"), filepath.Join(base, "ours")
	things := home(t, filepath.Join(base, "home"))
	check(t, At(theirs).Note(home(t, filepath.Join(base, "trap"))))
	check(t, os.Chown(theirs, 12345, 12345))
	was, err := os.ReadFile(filepath.Join(theirs, fileName))
	check(t, err)
	r := At(theirs)
	r.places = append(r.places, ours)
	check(t, r.Note(things))
	if got := paths(t, r); !slices.Equal(got, []string{things[0].Path}) {
		t.Errorf("it holds %q", got)
	}
	if is, err := os.ReadFile(filepath.Join(theirs, fileName)); err != nil || !bytes.Equal(is, was) {
		t.Errorf("theirs was changed: %v", err)
	}
	if err := At(theirs).Note(things); !errors.Is(err, ErrNowhere) {
		t.Errorf("theirs alone: %v", err)
	}
}

// TestGone: of what is no longer there only so much is remembered, and what is there
// is never forgotten for it.
func TestGone(t *testing.T) {
	place, base := t.TempDir(), t.TempDir()
	stays := filepath.Join(base, "stays")
	check(t, At(place).Note(home(t, stays)))
	for i := range maxGone + 20 {
		dir := filepath.Join(base, fmt.Sprint(i))
		check(t, At(place).Note(home(t, dir)))
		check(t, os.RemoveAll(dir))
	}
	got := paths(t, At(place))
	if len(got) > maxGone+2 || !slices.Contains(got, stays) || !slices.Contains(got, filepath.Join(base, fmt.Sprint(maxGone+19))) {
		t.Errorf("%d: %q", len(got), got)
	}
}

// TestDamaged: a register that can't be believed is an error with a way out; none of it
// is taken for an empty one.
func TestDamaged(t *testing.T) {
	for name, spoil := range map[string]func(place string){
		"damaged": func(p string) { check(t, os.WriteFile(filepath.Join(p, fileName), []byte("F1REGIS1x"), 0o600)) },
		"empty":   func(p string) { check(t, os.WriteFile(filepath.Join(p, fileName), nil, 0o600)) },
		"a folder": func(p string) {
			check(t, os.Remove(filepath.Join(p, fileName)))
			check(t, os.Mkdir(filepath.Join(p, fileName), 0o700))
		},
		"a FIFO": func(p string) {
			check(t, os.Remove(filepath.Join(p, fileName)))
			check(t, syscall.Mkfifo(filepath.Join(p, fileName), 0o600))
		},
		"large":    func(p string) { check(t, os.Truncate(filepath.Join(p, fileName), maxFile+1)) },
		"writable": func(p string) { check(t, os.Chmod(p, 0o777)) },
		"a link": func(p string) {
			check(t, os.Rename(p, p+".real"))
			check(t, os.Symlink(p+".real", p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			check(t, os.Chmod(place, 0o700))
			things := home(t, filepath.Join(t.TempDir(), "home"))
			check(t, At(place).Note(things))
			spoil(place)
			var e *abi.Error
			if _, err := At(place).Load(); !errors.As(err, &e) || e.Code != CodeDamaged || e.Hint == "" {
				t.Errorf("load: %v", err)
			}
			if err := At(place).Note(things); abi.CodeOf(err) != CodeDamaged {
				t.Errorf("note: %v", err)
			}
			// What the hint says helps.
			paste, _, _ := strings.Cut(e.Hint, " && ")
			if out, err := exec.Command("sh", "-c", paste).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", paste, err, out)
			}
			check(t, At(place).Note(things))
			if got := paths(t, At(place)); !slices.Contains(got, things[0].Path) {
				t.Errorf("after %s it holds %q", paste, got)
			}
		})
	}
}

// TestWrite: where there is no room it is an error; where nobody may write there is no
// register.
func TestWrite(t *testing.T) {
	things := home(t, filepath.Join(t.TempDir(), "home"))
	r := At(t.TempDir())
	r.write = func(string, []byte) error { return syscall.ENOSPC }
	if err := r.Note(things); abi.CodeOf(err) != CodeUnwritten || errors.Is(err, ErrNowhere) {
		t.Errorf("no room: %v", err)
	}
	r.write = func(string, []byte) error { return syscall.EROFS }
	if err := r.Note(things); !errors.Is(err, ErrNowhere) {
		t.Errorf("read-only: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	if err := At(filepath.Join(file, "register")).Note(things); !errors.Is(err, ErrNowhere) {
		t.Errorf("no folder: %v", err)
	}
	// What a writer that was killed left is removed by the next.
	place := t.TempDir()
	torn := filepath.Join(place, "."+fileName+".tmp123")
	check(t, os.WriteFile(torn, []byte("half"), 0o600))
	check(t, At(place).Note(things))
	if _, err := os.Stat(torn); err == nil {
		t.Error("half a register is left")
	}
}

// TestLinks: many may make links, and one alone may move folders.
func TestLinks(t *testing.T) {
	place := t.TempDir()
	check(t, os.Chmod(place, 0o700))
	take := func(alone bool) func() { return At(place).Links(alone, nil, 20*time.Millisecond) }
	a, b := take(false), take(false)
	if a == nil || b == nil || take(true) != nil {
		t.Fatal("two share it, and a third has it alone")
	}
	a()
	b()
	c := take(true)
	if c == nil || take(false) != nil || take(true) != nil {
		t.Fatal("one has it alone, and others too")
	}
	done := make(chan struct{})
	close(done)
	if At(place).Links(false, done, time.Hour) != nil {
		t.Error("it outlasts the run")
	}
	c()
	odd := t.TempDir()
	check(t, os.Mkdir(filepath.Join(odd, linksName), 0o700))
	if At(odd).Links(true, nil, 20*time.Millisecond) != nil {
		t.Error("it is had where it can't be")
	}
	if At(filepath.Join(place, "none")).Links(true, nil, time.Hour) == nil {
		t.Error("it is waited for where there is none")
	}
}

// TestPlaces: where the register is does not depend on the environment.
func TestPlaces(t *testing.T) {
	before := At("").Folders()
	for _, name := range []string{"HOME", "XDG_STATE_HOME", "TMPDIR", "FORGEONE_HOME"} {
		t.Setenv(name, t.TempDir())
	}
	if after := At("").Folders(); !slices.Equal(before, after) || len(after) == 0 {
		t.Errorf("%q, then %q", before, after)
	}
}

// TestSame: an inode that is given again to another is another.
func TestSame(t *testing.T) {
	a := sys.Identity{Dev: 1, Ino: 2, Birth: 3}
	for _, tc := range []struct {
		b    sys.Identity
		same bool
	}{
		{a, true},
		{sys.Identity{Dev: 9, Ino: 2, Birth: 3}, true},  // the disk has another number now
		{sys.Identity{Dev: 1, Ino: 2, Birth: 4}, false}, // given again
		{sys.Identity{Dev: 1, Ino: 2}, true},
		{sys.Identity{Dev: 9, Ino: 2}, false},
	} {
		if a.Same(tc.b) != tc.same {
			t.Errorf("%+v", tc.b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(home(f, filepath.Join(f.TempDir(), "home")))
	check(f, err)
	f.Add(b)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		things, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(things)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x decodes and is %x", b, again)
		}
	})
}

func BenchmarkNote(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			place, base := b.TempDir(), b.TempDir()
			var all []Thing
			for i := range n {
				all = append(all, home(b, filepath.Join(base, fmt.Sprint(i)))...)
			}
			things := home(b, filepath.Join(base, "own"))
			check(b, At(place).Note(append(all, things...)))
			b.ReportAllocs()
			for b.Loop() {
				check(b, At(place).Note(things))
			}
		})
	}
}
