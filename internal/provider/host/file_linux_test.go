package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func TestOpen(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box, _ := zoo(t)
		_, d := open(t, box, old)
		for _, c := range []struct {
			name   string
			how    tree.How
			want   abi.Errno
			text   string // what the file holds afterwards
			reads  abi.Errno
			writes abi.Errno
		}{
			{"file", tree.How{Read: true}, 0, "hello", 0, abi.EBADF},
			{"file", tree.How{}, 0, "hello", 0, abi.EBADF},
			{"file", tree.How{Read: true, Exclusive: true}, 0, "hello", 0, abi.EBADF},
			{"file", tree.How{Write: true, Create: true, Exclusive: true}, abi.EEXIST, "hello", 0, 0},
			{"file", tree.How{Write: true}, 0, "Hello", abi.EBADF, 0},
			{"file", tree.How{Read: true, Truncate: true}, 0, "", 0, abi.EBADF},
			{"file", tree.How{Read: true, Write: true, Sync: true}, 0, "H", 0, 0},
			{"file", tree.How{Write: true, Truncate: true, Dsync: true}, 0, "H", abi.EBADF, 0},
			{"made", tree.How{Write: true}, abi.ENOENT, "", 0, 0},
			{"made", tree.How{Read: true, Write: true, Create: true}, 0, "H", 0, 0},
			{"made", tree.How{Read: true, Write: true, Create: true}, 0, "H", 0, 0},
			{"fresh", tree.How{Read: true, Create: true, Exclusive: true, Truncate: true}, 0, "", 0, abi.EBADF},
		} {
			what := fmt.Sprintf("%s %+v", c.name, c.how)
			f, e := d.Open(c.name, c.how)
			want(t, what, e, c.want)
			if e == abi.ESUCCESS {
				n, e := f.Pread(make([]byte, 9), 0)
				want(t, "read "+what, e, c.reads)
				if n < 0 {
					t.Errorf("%d", n)
				}
				n, e = f.Pwrite([]byte("H"), 0)
				want(t, "write "+what, e, c.writes)
				if n < 0 || n > 1 {
					t.Errorf("%d", n)
				}
				if c.writes != 0 {
					_, _, e = f.Append([]byte("H"))
					want(t, "append "+what, e, c.writes)
					want(t, "truncate "+what, f.Truncate(0), c.writes)
					want(t, "allocate "+what, f.Allocate(0, 100), c.writes)
				}
				must(t, f.Close())
				want(t, "close again", f.Close(), abi.EBADF)
			}
			if c.want == abi.ESUCCESS {
				if got := read(t, filepath.Join(box, c.name)); got != c.text {
					t.Errorf("%s holds %q, want %q", what, got, c.text)
				}
			}
		}
		fi, err := os.Stat(filepath.Join(box, "made"))
		check(t, err)
		if fi.Mode()&^0o666 != 0 {
			t.Errorf("made with mode %v", fi.Mode())
		}
	})
}

func TestFile(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box, _ := zoo(t)
		_, d := open(t, box, old)
		f, e := d.Open("f", tree.How{Read: true, Write: true, Create: true})
		must(t, e)
		defer f.Close()
		size := func(n uint64) {
			t.Helper()
			st, e := f.Stat()
			must(t, e)
			if st.Size != n || st.Type != abi.FiletypeRegularFile || st.Dev != 1 || st.Nlink != 1 || st.Ctim == 0 {
				t.Errorf("%+v, want size %d", st, n)
			}
		}
		n, e := f.Pwrite([]byte("abc"), 5)
		must(t, e)
		if n != 3 {
			t.Error(n)
		}
		size(8)
		buf := make([]byte, 100)
		if n, e = f.Pread(buf, 3); e != 0 || string(buf[:n]) != "\x00\x00abc" {
			t.Errorf("%q %v", buf[:n], e)
		}
		if n, e = f.Pread(buf, 8); n != 0 || e != 0 {
			t.Errorf("at the end: %d %v", n, e)
		}
		if n, e = f.Pread(nil, 0); n != 0 || e != 0 {
			t.Errorf("nothing: %d %v", n, e)
		}
		if n, e = f.Pwrite(nil, 100); n != 0 || e != 0 {
			t.Errorf("nothing: %d %v", n, e)
		}
		size(8)
		_, e = f.Pread(buf, -1)
		want(t, "read before the start", e, abi.EINVAL)
		_, e = f.Pwrite(buf, -1)
		want(t, "write before the start", e, abi.EINVAL)
		_, e = f.Pwrite(buf, 1<<63-1)
		want(t, "write beyond what a file can be", e, abi.EINVAL)
		for _, c := range []struct {
			text string
			end  int64
		}{{"xyz", 11}, {"", 11}, {"1", 12}} {
			n, end, e := f.Append([]byte(c.text))
			if n != len(c.text) || end != c.end || e != 0 {
				t.Errorf("append %q: %d %d %v", c.text, n, end, e)
			}
		}
		// Appending leaves writing in place as it was.
		_, e = f.Pwrite([]byte("A"), 0)
		must(t, e)
		size(12)
		must(t, f.Truncate(4))
		size(4)
		must(t, f.Truncate(6))
		size(6)
		want(t, "truncate below zero", f.Truncate(-1), abi.EINVAL)
		must(t, f.Allocate(2, 8))
		size(10)
		must(t, f.Allocate(0, 4))
		size(10)
		want(t, "allocate nothing", f.Allocate(0, 0), abi.EINVAL)
		want(t, "allocate below zero", f.Allocate(-1, 5), abi.EINVAL)
		want(t, "allocate too much", f.Allocate(1<<62, 1<<62), abi.EFBIG)
		for a := range uint8(6) {
			must(t, f.Advise(0, 0, a))
		}
		want(t, "advice 6", f.Advise(0, 0, 6), abi.EINVAL)
		want(t, "advise before the start", f.Advise(-1, 0, 0), abi.EINVAL)
		want(t, "advise on less than nothing", f.Advise(0, -1, 0), abi.EINVAL)
		must(t, f.Sync())
		must(t, f.Datasync())
		must(t, f.Close())
		for what, e := range map[string]abi.Errno{
			"truncate": f.Truncate(0), "sync": f.Sync(), "datasync": f.Datasync(), "times": f.SetTimes(tree.Times{AtimNow: true}),
			"allocate": f.Allocate(0, 1), "advise": f.Advise(0, 0, 0), "close": f.Close(),
		} {
			want(t, "closed: "+what, e, abi.EBADF)
		}
	})
}

// TestAppendTogether: appends through several descriptors never overwrite each
// other, and each learns its own end.
func TestAppendTogether(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		dir := t.TempDir()
		const writers, times = 4, 3000
		var wg sync.WaitGroup
		ends := make([][]int64, writers)
		for w := range writers {
			_, d := open(t, dir, old)
			f, e := d.Open("log", tree.How{Write: true, Create: true})
			must(t, e)
			wg.Go(func() {
				defer f.Close()
				for i := range times {
					line := fmt.Appendf(nil, "%d %05d\n", w, i)
					n, end, e := f.Append(line)
					if n != len(line) || e != 0 {
						t.Errorf("%d %v", n, e)
						return
					}
					ends[w] = append(ends[w], end)
				}
			})
		}
		wg.Wait()
		text := read(t, filepath.Join(dir, "log"))
		if len(text) != writers*times*8 {
			t.Fatalf("%d bytes", len(text))
		}
		for w, es := range ends {
			for i, end := range es {
				if got, line := text[end-8:end], fmt.Sprintf("%d %05d\n", w, i); got != line {
					t.Fatalf("at %d: %q, want %q", end, got, line)
				}
			}
		}
	})
}

// TestFileModel compares a file with a slice of bytes.
func TestFileModel(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		_, d := open(t, t.TempDir(), old)
		rapid.Check(t, func(t *rapid.T) {
			f, e := d.Open("f", tree.How{Read: true, Write: true, Create: true, Truncate: true})
			if e != 0 {
				t.Fatal(e)
			}
			defer f.Close()
			var model []byte
			grow := func(n int) {
				if n > len(model) {
					model = append(model, make([]byte, n-len(model))...)
				}
			}
			off := rapid.IntRange(0, 9000)
			data := rapid.SliceOfN(rapid.Byte(), 1, 5000)
			t.Repeat(map[string]func(*rapid.T){
				"pwrite": func(t *rapid.T) {
					o, p := off.Draw(t, "off"), data.Draw(t, "data")
					if n, e := f.Pwrite(p, int64(o)); n != len(p) || e != 0 {
						t.Fatal(n, e)
					}
					grow(o + len(p))
					copy(model[o:], p)
				},
				"append": func(t *rapid.T) {
					p := data.Draw(t, "data")
					model = append(model, p...)
					if n, end, e := f.Append(p); n != len(p) || e != 0 || end != int64(len(model)) {
						t.Fatal(n, end, e)
					}
				},
				"truncate": func(t *rapid.T) {
					o := off.Draw(t, "size")
					if e := f.Truncate(int64(o)); e != 0 {
						t.Fatal(e)
					}
					grow(o)
					model = model[:o]
				},
				"allocate": func(t *rapid.T) {
					o, n := off.Draw(t, "off"), off.Draw(t, "n")+1
					if e := f.Allocate(int64(o), int64(n)); e != 0 {
						t.Fatal(e)
					}
					grow(o + n)
				},
				"": func(t *rapid.T) {
					got := make([]byte, len(model)+1)
					n, e := f.Pread(got, 0)
					if e != 0 || !bytes.Equal(got[:n], model) {
						t.Fatalf("%d bytes, want %d (%v)", n, len(model), e)
					}
				},
			})
		})
	})
}
