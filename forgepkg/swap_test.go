package forgepkg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestSwapAfterVerify: a file changed between verification and use is found,
// and a module that was kept is not affected.
func TestSwapAfterVerify(t *testing.T) {
	good := build(t, small())
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
	kept, err := p.Verify(ring, VerifyOptions{Now: now, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	evil := bytes.Clone(good)
	for i := range p.offsets {
		evil[p.offsets[i]+1] ^= 1
	}
	if err := os.WriteFile(path, evil, 0o600); err != nil { // the same inode that p holds open
		t.Fatal(err)
	}
	e := refused(t, errorOf(v.Module()), abi.CodePkgBlob)
	if want := path + ": blob module at byte "; !strings.HasPrefix(e.Where, want) {
		t.Errorf("place %q, want %q", e.Where, want)
	}
	refused(t, errorOf(v.Assets()), abi.CodePkgBlob)
	if m, err := kept.Module(); err != nil || !bytes.Equal(m, module) {
		t.Errorf("kept module %q, %v", m, err)
	}
	refused(t, errorOf(kept.Assets()), abi.CodePkgBlob) // they are never kept
	if err := os.Truncate(path, int64(len(good))-1); err != nil {
		t.Fatal(err)
	}
	refused(t, errorOf(v.Assets()), abi.CodePkgSize)
	refused(t, errorOf(p.Verify(ring, VerifyOptions{Now: now})), abi.CodePkgBlob) // the module comes first
	for _, keep := range []bool{false, true} {
		if err := os.WriteFile(path, good[:len(good)-1], 0o600); err != nil {
			t.Fatal(err)
		}
		e := refused(t, errorOf(p.Verify(ring, VerifyOptions{Now: now, Keep: keep})), abi.CodePkgSize)
		if !strings.Contains(e.Where, "blob assets") {
			t.Errorf("place %q", e.Where)
		}
	}
}

// brokenReader fails with an I/O error from offset at on.
type brokenReader struct {
	r  io.ReaderAt
	at int64
}

func (b brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, syscall.EIO
	}
	return b.r.ReadAt(p, off)
}

// TestReadErrors: a failing disk is told apart from a damaged package.
func TestReadErrors(t *testing.T) {
	good := build(t, small())
	for at := range int64(len(good)) {
		p, err := OpenReader(brokenReader{bytes.NewReader(good), at}, int64(len(good)))
		if err == nil {
			_, err = p.Verify(ring, VerifyOptions{Now: now, Keep: at%2 == 0})
		}
		if abi.CodeOf(err) != abi.CodePkgRead || !errors.Is(err, syscall.EIO) {
			t.Fatalf("disk fails at byte %d: %v", at, err)
		}
	}
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo") // must not wait for a writer
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, filepath.Join(dir, "none")} {
		refused(t, errorOf(Open(path)), abi.CodePkgRead)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, errorOf(Open(text)), abi.CodePkgHeader)
}
