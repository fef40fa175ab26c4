// Command probe is a guest for tests: its first argument says what to do.
package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("probe what?"))
	}
	args := os.Args[2:]
	switch os.Args[1] {
	case "cat":
		for _, a := range args {
			b, err := os.ReadFile(a)
			fail(err)
			os.Stdout.Write(b)
		}
	case "args":
		fmt.Printf("%q\n", args)
	case "env":
		for _, e := range os.Environ() {
			fmt.Println(e)
		}
	case "stdin":
		s := bufio.NewScanner(os.Stdin)
		for s.Scan() {
			fmt.Println(strings.ToUpper(s.Text()))
		}
		fail(s.Err())
	case "files":
		files(args[0])
	case "walk":
		fail(filepath.WalkDir(args[0], func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fmt.Println(p, d.IsDir())
			return nil
		}))
	case "everything":
		everything()
	case "sleep":
		d, err := time.ParseDuration(args[0])
		fail(err)
		time.Sleep(d)
		fmt.Println("slept")
	case "panic":
		panic("on purpose")
	case "stderr":
		fmt.Fprintln(os.Stderr, strings.Join(args, " "))
		os.Exit(3)
	case "spin":
		for i := 0; ; i++ {
			if i == 1<<62 {
				fmt.Println(i)
			}
		}
	default:
		fail(errors.New("unknown: " + os.Args[1]))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// files makes, writes, renames, lists and removes.
func files(dir string) {
	j := func(s ...string) string { return filepath.Join(append([]string{dir}, s...)...) }
	fail(os.MkdirAll(j("a", "b"), 0o755))
	fail(os.WriteFile(j("a", "b", "one"), []byte("one"), 0o644))
	f, err := os.OpenFile(j("a", "b", "one"), os.O_APPEND|os.O_WRONLY, 0)
	fail(err)
	_, err = f.WriteString(" two")
	fail(err)
	fail(f.Sync())
	fail(f.Close())
	fail(os.Rename(j("a", "b", "one"), j("a", "two")))
	fail(os.Symlink("two", j("a", "link")))
	fail(os.Truncate(j("a", "two"), 5))
	b, err := os.ReadFile(j("a", "link"))
	fail(err)
	fmt.Printf("%q\n", b)
	es, err := os.ReadDir(j("a"))
	fail(err)
	for _, e := range es {
		fmt.Println(e.Name(), e.Type())
	}
	st, err := os.Stat(j("a", "two"))
	fail(err)
	fmt.Println(st.Size(), st.Mode().IsRegular())
	when := time.Unix(1700000000, 0)
	fail(os.Chtimes(j("a", "two"), when, when))
	st, err = os.Stat(j("a", "two"))
	fail(err)
	fmt.Println(st.ModTime().Unix())
	fail(os.Remove(j("a", "link")))
	fail(os.Remove(j("a", "two")))
	fail(os.Remove(j("a", "b")))
	if err := os.Remove(j("a")); err != nil {
		fail(err)
	}
	_, err = os.Stat(j("a"))
	fmt.Println(errors.Is(err, fs.ErrNotExist))
}

// everything uses what makes a run hard to replay: clocks, randomness, map
// order, goroutines, sleeps.
func everything() {
	begin := time.Now()
	var b [64]byte
	_, err := io.ReadFull(rand.Reader, b[:])
	fail(err)
	fmt.Printf("%x\n", b)
	m := map[int]string{}
	for i := range 100 {
		m[i] = fmt.Sprint(i)
	}
	var order []string
	for _, v := range m {
		order = append(order, v)
	}
	fmt.Println(order)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var got []int
	for i := range 50 {
		wg.Go(func() {
			time.Sleep(time.Duration(int(b[i])) * 20 * time.Microsecond)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, i)
		})
	}
	wg.Wait()
	fmt.Println(got)
	sort.Ints(got)
	fmt.Println(len(got), time.Since(begin) > 0, begin.UnixNano())
}
