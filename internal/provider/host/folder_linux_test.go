package host

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func TestOpenRoot(t *testing.T) {
	box, _ := zoo(t)
	for path, code := range map[string]abi.Code{
		filepath.Join(box, "none"): "F1-FIL-001", filepath.Join(box, "file"): "F1-FIL-002", filepath.Join(box, "file", "x"): "F1-FIL-002",
		filepath.Join(box, "dangling"): "F1-FIL-001", filepath.Join(box, "loop"): "F1-FIL-003", "a\x00b": "F1-FIL-003",
		filepath.Join(box, "fifo"): "F1-FIL-002",
	} {
		r, err := OpenRoot(path, Keep{})
		if err == nil {
			r.Close()
		}
		var e *abi.Error
		if !errors.As(err, &e) || e.Code != code || e.Where != path || e.Hint == "" || e.What == "" {
			t.Errorf("%q: %#v, want %s", path, err, code)
		}
		if _, ok := abi.LookupCode(code); !ok {
			t.Errorf("%s is not registered", code)
		}
	}
	// The operator's own path may go through links.
	r, err := OpenRoot(filepath.Join(box, "dirlink"), Keep{})
	check(t, err)
	d := r.Dir()
	check(t, r.Close())
	check(t, r.Close())
	if _, e := d.Lstat("sub"); e != abi.ESUCCESS {
		t.Errorf("a handle outlives its root: %v", e)
	}
	d.Close()
	d.Close()
	_, e := d.Lstat("sub")
	want(t, "closed handle", e, abi.EBADF)
	_, e = r.Dir().Stat()
	want(t, "handle of a closed root", e, abi.EBADF)
	if r.fd != -1 {
		t.Error("the descriptor leaks")
	}
	if got := abi.Shell("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
}

// lookups is what each name of the zoo answers to OpenDir, Readlink and Open.
var lookups = map[string]struct {
	typ                    abi.Filetype
	lstat, dir, link, file abi.Errno
	target                 string
}{
	"dir":                    {abi.FiletypeDirectory, 0, 0, abi.EINVAL, abi.EISDIR, ""},
	"file":                   {abi.FiletypeRegularFile, 0, abi.ENOTDIR, abi.EINVAL, 0, ""},
	"fifo":                   {abi.FiletypeUnknown, 0, abi.ENOTDIR, abi.EINVAL, abi.ENOTSUP, ""},
	"socket":                 {abi.FiletypeSocketStream, 0, abi.ENOTDIR, abi.EINVAL, abi.ENOTSUP, ""},
	"rel":                    {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, "../outside/secret"},
	"chain":                  {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, "rel"},
	"loop":                   {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, "loop"},
	"dangling":               {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, "nowhere"},
	"dirlink":                {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, "dir"},
	"up":                     {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, ".."},
	"magic":                  {abi.FiletypeSymbolicLink, 0, abi.ELOOP, 0, abi.ELOOP, "/proc/self/cwd"},
	"none":                   {0, abi.ENOENT, abi.ENOENT, abi.ENOENT, abi.ENOENT, ""},
	"..":                     {0, abi.EINVAL, abi.EINVAL, abi.EINVAL, abi.EINVAL, ""},
	".":                      {0, abi.EINVAL, abi.EINVAL, abi.EINVAL, abi.EINVAL, ""},
	"":                       {0, abi.EINVAL, abi.EINVAL, abi.EINVAL, abi.EINVAL, ""},
	"dir/sub":                {0, abi.EINVAL, abi.EINVAL, abi.EINVAL, abi.EINVAL, ""},
	"/etc/passwd":            {0, abi.EINVAL, abi.EINVAL, abi.EINVAL, abi.EINVAL, ""},
	"a\x00":                  {0, abi.EINVAL, abi.EINVAL, abi.EINVAL, abi.EINVAL, ""},
	strings.Repeat("n", 256): {0, abi.ENAMETOOLONG, abi.ENAMETOOLONG, abi.ENAMETOOLONG, abi.ENAMETOOLONG, ""},
}

func TestLookups(t *testing.T) {
	box, _ := zoo(t)
	inModes(t, func(t *testing.T, old bool) {
		_, d := open(t, box, old)
		for name, w := range lookups {
			st, e := d.Lstat(name)
			want(t, "lstat "+name, e, w.lstat)
			if st.Type != w.typ {
				t.Errorf("lstat %s: type %d, want %d", name, st.Type, w.typ)
			}
			sub, e := d.OpenDir(name)
			want(t, "opendir "+name, e, w.dir)
			if e == abi.ESUCCESS {
				sub.Close()
			}
			target, e := d.Readlink(name)
			want(t, "readlink "+name, e, w.link)
			if target != w.target {
				t.Errorf("readlink %s: %q", name, target)
			}
			for _, how := range []tree.How{
				{Read: true},
				{Write: true},
				{Read: true, Write: true, Create: true, Truncate: true},
				{Write: true, Create: true, Exclusive: true},
			} {
				expect := w.file
				switch {
				case how.Exclusive && w.lstat == abi.ESUCCESS:
					expect = abi.EEXIST
				case how.Create && w.lstat == abi.ENOENT:
					expect = abi.ESUCCESS
				}
				f, e := d.Open(name, how)
				want(t, fmt.Sprintf("open %q %+v", name, how), e, expect)
				if e == abi.ESUCCESS {
					must(t, f.Close())
				}
				if name == "none" {
					os.Remove(filepath.Join(box, name))
				}
			}
		}
	})
	if got := read(t, filepath.Join(box, "..", "outside", "secret")); got != "SECRET" {
		t.Errorf("outside was written: %q", got)
	}
}

// TestMagicLinks goes to what leads out of every folder, /proc/self, as though it
// could be mounted: not even there is a link followed.
func TestMagicLinks(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		r, _ := open(t, t.TempDir(), old)
		fd, err := openPath(unix.AT_FDCWD, "/proc/self", 0)
		check(t, err)
		var st unix.Stat_t
		check(t, fstat(fd, &st))
		d := &folder{root: r, place: place{fd: fd, dev: uint64(st.Dev)}}
		defer d.Close()
		for _, rel := range []string{"cwd", "root", "root/etc", "cwd/x", "task/../root", "fd/0"} {
			_, e := d.Beneath(rel)
			if e == abi.ESUCCESS {
				t.Errorf("%s was opened", rel)
			}
		}
		for _, name := range []string{"cwd", "root", "exe"} {
			_, e := d.OpenDir(name)
			want(t, "opendir "+name, e, abi.ELOOP)
			_, e = d.Open(name, tree.How{Read: true})
			want(t, "open "+name, e, abi.ELOOP)
		}
		sub, e := d.Beneath("fdinfo")
		must(t, e)
		sub.Close()
	})
}

func TestDevicesAreNotOpened(t *testing.T) {
	_, d := open(t, "/dev", false)
	for _, how := range []tree.How{{Read: true}, {Write: true, Create: true, Truncate: true}} {
		_, e := d.Open("null", how)
		want(t, "open null", e, abi.ENOTSUP)
		_, e = d.Open("zero", how)
		want(t, "open zero", e, abi.ENOTSUP)
	}
	st, e := d.Lstat("null")
	must(t, e)
	if st.Type != abi.FiletypeCharacterDevice {
		t.Errorf("type %d", st.Type)
	}
	// What is opened is looked at again, whatever was there before.
	for path, e := range map[string]abi.Errno{"/dev/null": abi.ENOTSUP, "/dev": abi.EISDIR} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		check(t, err)
		want(t, "settle "+path, settle(fd, 0, &kept{}, true), e)
		unix.Close(fd)
	}
}

func TestBeneath(t *testing.T) {
	box, _ := zoo(t)
	inModes(t, func(t *testing.T, old bool) {
		_, d := open(t, box, old)
		for rel, w := range map[string]abi.Errno{
			"dir": 0, "dir/sub": 0, "dirlink": abi.ELOOP, "dirlink/sub": abi.ELOOP, "up/outside": abi.ELOOP, "magic/dir": abi.ELOOP,
			"loop/x": abi.ELOOP, "dir/none": abi.ENOENT, "none/none": abi.ENOENT, "file": abi.ENOTDIR, "file/x": abi.ENOTDIR, "fifo": abi.ENOTDIR,
			"dir/../dir": abi.EINVAL, "/": abi.EINVAL, "dir/": abi.EINVAL, "": abi.EINVAL, "rel": abi.ELOOP, "abs/x": abi.ELOOP,
		} {
			sub, e := d.Beneath(rel)
			want(t, rel, e, w)
			if e == abi.ESUCCESS {
				sub.Close()
			}
		}
		sub, e := d.Beneath("dir/sub")
		must(t, e)
		defer sub.Close()
		st, e := sub.Lstat("deep.txt")
		must(t, e)
		if st.Size != 4 || st.Dev != 1 || st.Ino == 0 || st.Nlink != 1 {
			t.Errorf("%+v", st)
		}
		own, e := sub.Stat()
		must(t, e)
		seen, e := d.Lstat("dir")
		must(t, e)
		if own.Type != abi.FiletypeDirectory || own.Ino == seen.Ino {
			t.Errorf("%+v %+v", own, seen)
		}
	})
}

func TestList(t *testing.T) {
	box, _ := zoo(t)
	r, d := open(t, box, false)
	all, e := d.List()
	must(t, e)
	var names []string
	for _, entry := range all {
		st, e := d.Lstat(entry.Name)
		must(t, e)
		if st.Type != entry.Type || st.Ino != entry.Ino {
			t.Errorf("%+v is %+v", entry, st)
		}
		names = append(names, entry.Name)
	}
	if !slices.Equal(names, []string{"abs", "chain", "dangling", "dir", "dirlink", "fifo", "file", "loop", "magic", "rel", "socket", "up"}) {
		t.Error(names)
	}
	must(t, d.Mkdir("many"))
	many, e := d.OpenDir("many")
	must(t, e)
	defer many.Close()
	for i := range 800 {
		write(t, filepath.Join(box, "many", fmt.Sprintf("%04d-%s", i, strings.Repeat("n", 40))), "")
	}
	all, e = many.List()
	must(t, e)
	if len(all) != 800 || !slices.IsSortedFunc(all, func(a, b tree.Entry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%d entries", len(all))
	}
	cost := 0
	for i := range all {
		cost += all[i].Cost()
	}
	r.maxListing = cost
	_, e = many.List()
	must(t, e)
	r.maxListing--
	_, e = many.List()
	want(t, "too much", e, abi.EOVERFLOW)
	must(t, many.Sync())
}

// FuzzEntries: whatever a file system hands up as entries, nothing panics and
// no name comes out that the other operations would refuse.
func FuzzEntries(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 24))
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x18\x00\x08ab\x00\x00\x00"))
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x18\x00\x00../x\x00"))
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xff\xff\x04a\x00\x00\x00\x00"))
	r, err := OpenRoot(f.TempDir(), Keep{})
	check(f, err)
	d := r.Dir().(*folder)
	f.Fuzz(func(t *testing.T, b []byte) {
		left := r.maxListing
		all, _ := d.entries(nil, b, &left)
		for _, entry := range all {
			if checkName(entry.Name) != abi.ESUCCESS {
				t.Fatalf("%q", entry.Name)
			}
		}
	})
}

func TestTimes(t *testing.T) {
	box, _ := zoo(t)
	inModes(t, func(t *testing.T, old bool) {
		_, d := open(t, box, old)
		secret, err := os.Stat(filepath.Join(box, "rel"))
		check(t, err)
		set := tree.Times{SetAtim: true, Atim: 1_000_000_001, SetMtim: true, Mtim: 2_000_000_002}
		f, e := d.Open("file", tree.How{Read: true})
		must(t, e)
		defer f.Close()
		for what, op := range map[string]struct {
			set func(tree.Times) abi.Errno
			get func() (abi.Filestat, abi.Errno)
		}{
			"link itself": {func(s tree.Times) abi.Errno { return d.SetTimes("rel", s) }, func() (abi.Filestat, abi.Errno) { return d.Lstat("rel") }},
			"fifo":        {func(s tree.Times) abi.Errno { return d.SetTimes("fifo", s) }, func() (abi.Filestat, abi.Errno) { return d.Lstat("fifo") }},
			"folder":      {d.SetOwnTimes, d.Stat},
			"file":        {f.SetTimes, f.Stat},
		} {
			get := func() (uint64, uint64) {
				st, e := op.get()
				must(t, e)
				return st.Atim, st.Mtim
			}
			must(t, op.set(set))
			if a, m := get(); a != 1_000_000_001 || m != 2_000_000_002 {
				t.Errorf("%s: %d %d", what, a, m)
			}
			must(t, op.set(tree.Times{}))
			must(t, op.set(tree.Times{SetMtim: true, Mtim: 5}))
			if a, m := get(); a != 1_000_000_001 || m != 5 {
				t.Errorf("%s: one only: %d %d", what, a, m)
			}
			must(t, op.set(tree.Times{AtimNow: true}))
			if a, m := get(); time.Since(time.Unix(0, int64(a))).Abs() > time.Minute || m != 5 {
				t.Errorf("%s: now: %d %d", what, a, m)
			}
			// What is told of a time can be set again; a file system that can't keep it keeps
			// the nearest.
			for _, ns := range []uint64{0, 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
				must(t, op.set(tree.Times{SetAtim: true, SetMtim: true, Atim: ns, Mtim: ns}))
				a, m := get()
				if a != m || a > ns || ns <= math.MaxInt64 && a != ns {
					t.Errorf("%s: %d is %d %d", what, ns, a, m)
				}
				must(t, op.set(tree.Times{SetAtim: true, SetMtim: true, Atim: a, Mtim: m}))
				if a2, m2 := get(); a2 != a || m2 != m {
					t.Errorf("%s: %d %d set again is %d %d", what, a, m, a2, m2)
				}
			}
		}
		want(t, "missing", d.SetTimes("none", set), abi.ENOENT)
		want(t, "missing, nothing to set", d.SetTimes("none", tree.Times{}), abi.ENOENT)
		want(t, "bad name", d.SetTimes("..", set), abi.EINVAL)
		if after, err := os.Stat(filepath.Join(box, "rel")); err != nil || !after.ModTime().Equal(secret.ModTime()) {
			t.Error("the link was followed")
		}
	})
}

func TestNanoseconds(t *testing.T) {
	for sec, w := range map[int64]uint64{-1: 0, 0: 7, 3: 3_000_000_007, 1 << 62: 1<<64 - 1} {
		if got := nanoseconds(unix.Timespec{Sec: sec, Nsec: 7}); got != w {
			t.Errorf("%d: %d", sec, got)
		}
	}
}

func TestDevices(t *testing.T) {
	r, _ := open(t, t.TempDir(), false)
	own := r.devices[0]
	for _, c := range [][2]uint64{{own, 1}, {own + 77, 2}, {own + 5, 3}, {own + 77, 2}, {own, 1}} {
		if got := r.device(c[0]); got != c[1] {
			t.Errorf("%d is %d, want %d", c[0], got, c[1])
		}
	}
}

func TestErrnos(t *testing.T) {
	for n := unix.Errno(1); n < 200; n++ {
		e := errnoOf(n)
		name := unix.ErrnoName(n)
		switch {
		case !e.Valid() || e == abi.ESUCCESS:
			t.Errorf("%v became %v", n, e)
		case e != abi.EIO && e.String() != name && name != "EOPNOTSUPP" &&
			!slices.Contains([]unix.Errno{unix.ENOKEY, unix.ENOMEDIUM, unix.ENOTUNIQ, unix.ESHUTDOWN, unix.ETIME, unix.EMFILE}, n):
			t.Errorf("%s became %v", name, e)
		}
	}
	// Every errno of preview 1 that Linux has under the same name is reached, but
	// for EMFILE, which tells of the guest's own descriptors.
	reached := map[abi.Errno]bool{}
	for n := unix.Errno(1); n < 200; n++ {
		reached[errnoOf(n)] = true
	}
	for e := abi.E2BIG; e.Valid(); e++ {
		if !reached[e] && e != abi.ENOTCAPABLE && e != abi.EMFILE {
			t.Errorf("nothing becomes %v", e)
		}
	}
	want(t, "nil", errnoOf(nil), abi.ESUCCESS)
	want(t, "other", errnoOf(errors.New("x")), abi.EIO)
}
