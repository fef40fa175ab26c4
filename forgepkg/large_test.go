package forgepkg

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/forgeone/forgeone/abi"
)

// helper, set in the environment, makes the test binary verify the package of
// that name and read all its assets, and say how much heap that took.
const helper = "FORGEPKG_TEST_VERIFY"

func TestMain(m *testing.M) {
	if file := os.Getenv(helper); file != "" {
		if err := verifyAll(file); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func verifyAll(file string) error {
	p, err := Open(file)
	if err != nil {
		return err
	}
	defer p.Close()
	v, err := p.Verify(ring, VerifyOptions{Now: now, Keep: true})
	if err != nil {
		return err
	}
	assets, err := v.Assets()
	if err != nil {
		return err
	}
	var total int64
	for _, r := range assets {
		n, err := io.Copy(io.Discard, r)
		if err != nil {
			return err
		}
		total += n
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	fmt.Println(total, mem.HeapSys) // HeapSys never shrinks: it is the peak
	return nil
}

// TestConstantMemory: a package of 200 MB is built, verified and read to its
// last byte with a heap that never was larger than 32 MiB.
func TestConstantMemory(t *testing.T) {
	const files, each = 4, 50 << 20
	dir := t.TempDir()
	folder := filepath.Join(dir, "assets")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range files { // holes, with something at both ends
		f, err := os.Create(filepath.Join(folder, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, "begin ", i)
		if _, err := f.WriteAt([]byte("end"), each-3); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	file := filepath.Join(dir, "large.forgepkg")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	in := small()
	in.Assets = os.DirFS(folder)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Build(out, in)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("building allocated %d bytes", n)
	}
	out.Close()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), helper+"="+file, "GOMEMLIMIT=24MiB")
	said, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var read, heap int64
	if _, err := fmt.Sscan(string(said), &read, &heap); err != nil {
		t.Fatalf("%v in %q", err, said)
	}
	t.Logf("read %d bytes with a heap of at most %d", read, heap)
	if read != files*each || heap > 32<<20 {
		t.Errorf("read %d bytes with a heap of %d", read, heap)
	}
}

// TestSwapUnderReader: assets that change between verification and use, and
// while they are used, are found by the read that meets them; what lies beside
// them still reads.
func TestSwapUnderReader(t *testing.T) {
	in := small()
	data := bytes.Repeat([]byte("0123456789abcdef"), 3*chunksHeld*chunkSize/16)
	in.Assets = fstest.MapFS{"a": {Data: data}, "b": {Data: []byte("beta")}}
	good := build(t, in)
	path := filepath.Join(t.TempDir(), "p.forgepkg")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := p.Verify(ring, VerifyOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	assets, err := v.Assets()
	if err != nil {
		t.Fatal(err)
	}
	a := assets["a"]
	got := make([]byte, len(data))
	for off := 0; off < len(got); { // in odd pieces, across chunks
		n, err := a.ReadAt(got[off:min(off+9973, len(got))], int64(off))
		if err != nil {
			t.Fatal(err)
		}
		off += n
	}
	if !bytes.Equal(got, data) {
		t.Error("the asset reads as something else")
	}
	if n, err := a.ReadAt(make([]byte, 8), a.Size()-3); n != 3 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	evil := bytes.Clone(good)
	middle := p.offsets[1] + int64(len(data))/2
	evil[middle] ^= 1
	if err := os.WriteFile(path, evil, 0o600); err != nil { // the same inode that p holds open
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, io.NewSectionReader(a, 0, a.Size()))
	if e := refused(t, err, abi.CodePkgBlob); !strings.Contains(e.Where, "blob assets at byte ") {
		t.Errorf("place %q", e.Where)
	}
	if _, err := a.ReadAt(got[:100], 0); err != nil {
		t.Errorf("what was not changed: %v", err)
	}
	if err := os.Truncate(path, middle); err != nil {
		t.Fatal(err)
	}
	if _, err := assets["b"].ReadAt(got[:4], 0); abi.CodeOf(err) != abi.CodePkgSize {
		t.Errorf("behind the end of the file: %v", err)
	}
}

// TestDeterministicFromDisk: modes, times, owners' masks and the order in which
// files were made do not show in a package.
func TestDeterministicFromDisk(t *testing.T) {
	content := map[string]string{"b/c": "one", "a": "two", "b/a": strings.Repeat("three", 30_000), "z/y/x": ""}
	names := []string{"z/y/x", "a", "b/c", "b/a"}
	var first []byte
	for round := range 2 {
		dir := t.TempDir()
		old := syscall.Umask([]int{0o077, 0o002}[round])
		for _, name := range names {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content[name]), []os.FileMode{0o600, 0o777}[round]); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, time.Unix(int64(1e9*(round+1)), 0)); err != nil {
				t.Fatal(err)
			}
		}
		syscall.Umask(old)
		slices.Reverse(names)
		in := small()
		in.Assets = os.DirFS(dir)
		in.Signers = append(in.Signers, PostSignerOf(post(t, 1)))
		b := build(t, in)
		if round == 0 {
			first = b
		} else if !bytes.Equal(b, first) {
			t.Error("the same files give other bytes")
		}
	}
}
