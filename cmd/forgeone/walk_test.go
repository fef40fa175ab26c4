package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// opened lists the files and folders that a process and its children have open, are
// made of, or map, by name.
func opened(t *testing.T, pid int) (names []string) {
	t.Helper()
	proc := "/proc/" + strconv.Itoa(pid)
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range fds {
		to, err := os.Readlink(filepath.Join(proc, "fd", l.Name()))
		if err != nil && !os.IsNotExist(err) { // closed meanwhile
			t.Fatal(err)
		}
		names = append(names, to)
	}
	maps, err := os.ReadFile(proc + "/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if _, name, named := strings.Cut(strings.TrimSuffix(line, "\n"), " /"); named {
			names = append(names, "/"+name)
		}
	}
	if exe, err := os.Readlink(proc + "/exe"); err == nil {
		names = append(names, exe)
	}
	for _, c := range children(pid) {
		names = append(names, opened(t, c)...)
	}
	return names
}

func children(pid int) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, s := range all {
		if b, err := os.ReadFile(s); err == nil && strings.Contains(string(b), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			c, _ := strconv.Atoi(filepath.Base(filepath.Dir(s)))
			pids = append(pids, c)
		}
	}
	return pids
}

// tree lists all that lies beneath dir, with dir.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil && !os.IsNotExist(err) { // files come and go
			return err
		}
		names = append(names, p)
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return names
}

// states tell of each name what it leads to: the kind, the mode and the inode, and of a
// file what is in it. Of a file that grows while the kernel works, and is checked by its
// own means, the content is left out; of one that is written anew, the inode too.
func states(t *testing.T, names []string, bases ...string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, p := range names {
		st, err := os.Lstat(p)
		if os.IsNotExist(err) {
			continue // it had no name any more
		}
		if err != nil {
			t.Fatal(err)
		}
		how := kept
		for _, base := range bases {
			if rel, err := filepath.Rel(base, p); err == nil && !strings.HasPrefix(rel, "..") {
				how = changes(rel)
			}
		}
		m[p] = st.Mode().String()
		if how != anew {
			m[p] += fmt.Sprint(" ", st.Sys().(*syscall.Stat_t).Ino)
		}
		if how == kept && st.Mode().IsRegular() {
			m[p] += fmt.Sprint(" ", st.ModTime(), " ", digestOf(t, p))
		}
	}
	return m
}

func digestOf(t *testing.T, p string) string {
	t.Helper()
	f, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err = io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

const (
	kept = iota
	grows
	anew
)

// changes tells what the kernel's own work does to a file of a state folder, or of the
// register, by its name in there.
func changes(rel string) int {
	dir, _, _ := strings.Cut(rel, string(filepath.Separator))
	switch {
	case rel == "things":
		return anew
	case dir == "log", dir == "recordings", rel == filepath.Join("cache", "compiling"), rel == "counter":
		return grows
	}
	return kept
}

// static builds the product, which is one static binary; a test's is linked with
// libraries of the machine.
func static(t *testing.T, path string) {
	t.Helper()
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestNoProc: where there is no /proc, which tells a process of which file it is made,
// modules are compiled all the same, and guests are kept from that file all the same.
func TestNoProc(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("SKIPPED: this test needs Linux and root, for chroot")
	}
	base := t.TempDir()
	for _, d := range []string{"bin", "var/tmp", "own"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	static(t, filepath.Join(base, "bin/forgeone"))
	if err := buildGuest(filepath.Join(base, "walker.wasm"), ".", "./testdata/guests/walker"); err != nil {
		t.Fatal(err)
	}
	was := digestOf(t, filepath.Join(base, "bin/forgeone"))
	forgeone := func(args ...string) string {
		t.Helper()
		c := exec.Command("/bin/forgeone", args...)
		c.Args[0], c.Dir, c.SysProcAttr = "forgeone", "/", &syscall.SysProcAttr{Chroot: base}
		c.Env = []string{"FORGEONE_HOME=/home", "PATH=/bin"}
		c.Stdin = strings.NewReader("/w/bin/forgeone\n/w/home/config\n/w/var/tmp/forgeone-register-0/things\n")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	forgeone("init")
	out := forgeone("run", "-q", "walker.wasm", "--mount", "/:/w:rw", "--", "/w/own")
	if strings.Contains(out, "got: ") || !strings.Contains(out, "tried 30") {
		t.Errorf("the guest says %s", out)
	}
	if digestOf(t, filepath.Join(base, "bin/forgeone")) != was {
		t.Error("the program was changed")
	}
	forgeone("replay", "last")
}

// TestWalk: a hostile guest with all of "/" to write to is handed every name that the
// kernel's processes have open or map, and of all that they made, and gets hold of
// none: its own process's, those of another one with another state folder, and those
// of the child that compiles for it.
func TestWalk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(s string) string { return filepath.Join(base, s) }
	for _, d := range []string{"bin", "tmp", "work", "own"} {
		if err := os.Mkdir(in(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	static(t, in("bin/forgeone"))
	if err := buildGuest(in("walker.wasm"), ".", "./testdata/guests/walker"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("slow.wasm"), wasmtest.Slow(400), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("passphrase"), []byte("a passphrase\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	forgeone := func(home string, args ...string) *exec.Cmd {
		c := exec.Command(in("bin/forgeone"), args...)
		c.Dir = in("work")
		c.Env = append(os.Environ(), "FORGEONE_HOME="+in(home), "TMPDIR="+in("tmp"), "FORGEONE_UNLOCK="+in("passphrase"))
		return c
	}
	must := func(c *exec.Cmd) {
		t.Helper()
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.Args[1:], err, out)
		}
	}
	must(forgeone("one", "init", "--passphrase-file", in("passphrase")))
	must(forgeone("two", "init"))
	shm := tree(t, "/dev/shm")

	guest := forgeone("one", "run", "-q", in("walker.wasm"), "--mount", "/:/w:rw", "--", "/w"+in("own"))
	stdin, err := guest.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := guest.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	guest.Stderr = &stderr
	if err := guest.Start(); err != nil {
		t.Fatal(err)
	}
	defer guest.Process.Kill()
	said := bufio.NewScanner(stdout)
	if !said.Scan() || said.Text() != "ready" {
		t.Fatalf("the guest says %q\n%s", said.Text(), stderr.String())
	}
	// Beside it another process, of another state folder, compiles.
	other := forgeone("two", "run", "-q", in("slow.wasm"))
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	for end := time.Now().Add(time.Minute); len(children(other.Process.Pid)) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the other process has no child that compiles")
		}
	}

	names := append(opened(t, guest.Process.Pid), opened(t, other.Process.Pid)...)
	for _, d := range append([]string{in("one"), in("two"), in("tmp"), in("bin/forgeone"), in("passphrase")}, register.At("").Folders()...) {
		names = append(names, tree(t, d)...)
	}
	for _, p := range tree(t, "/dev/shm") {
		if !slices.Contains(shm, p) {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(p string) bool {
		// Pipes and their like have no name; the guest is granted "/", and TMPDIR is the
		// operator's: what is in it counts.
		return !strings.HasPrefix(p, "/") || p == "/" || p == "/dev/null" || p == in("tmp") || strings.ContainsAny(p, "\n") || strings.HasPrefix(p, "/memfd:")
	})
	for _, want := range []string{in("one/keys"), in("two/keys/log.key"), in("bin/forgeone")} {
		if !slices.ContainsFunc(names, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("%s is not among %q", want, names)
		}
	}
	bases := append([]string{in("one"), in("two")}, register.At("").Folders()...)
	before := states(t, names, bases...)
	for _, p := range names {
		fmt.Fprintln(stdin, "/w"+p)
	}
	stdin.Close()
	tried := ""
	for said.Scan() {
		if tried = said.Text(); strings.HasPrefix(tried, "got: ") {
			t.Error(tried)
		}
	}
	if err := guest.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	if n, _ := strconv.Atoi(strings.TrimPrefix(tried, "tried ")); n < 10*len(names) || n == 0 {
		t.Errorf("the guest says %q of %d names", tried, len(names))
	}
	if after := states(t, names, bases...); !maps.Equal(before, after) {
		for p := range before {
			if before[p] != after[p] {
				t.Errorf("%s was %s, is %s", p, before[p], after[p])
			}
		}
	}
	t.Logf("%d names, %s", len(names), tried)
	other.Process.Kill()
	other.Wait()
	for _, home := range []string{"one", "two"} {
		must(forgeone(home, "doctor"))
		must(forgeone(home, "log", "verify", "--semantics"))
	}
	must(forgeone("one", "replay", "last"))
	if _, err := register.At("").Load(); err != nil {
		t.Error(err)
	}
}
