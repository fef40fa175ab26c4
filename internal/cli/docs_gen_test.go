package cli

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the generated pages in docs/reference")

// TestReference: the pages in docs/reference are what the command tree and the
// syscall table say.
func TestReference(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{"commands.md": Reference, "syscalls.md": SyscallReference} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "docs", "reference", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, b.Bytes()) {
			t.Errorf("docs/reference/%s is stale: make docs (%v)", name, err)
		}
	}
}
