package sys

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGroupMemory: the smallest of a process's control groups counts.
func TestGroupMemory(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/memory.max": "4000\n", "a/b/memory.max": "max\n", "a/c/memory.max": "3000\n", "memory.max": "9000\n",
		"memory/d/memory.limit_in_bytes": "2000\n", "memory/memory.limit_in_bytes": "9223372036854771712\n",
	} {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for groups, want := range map[string]uint64{
		"0::/a/b\n":                    4000,
		"0::/a/c\n":                    3000,
		"0::/\n":                       9000,
		"0::/nowhere/at/all\n":         9000,
		"0::/../../a/c\n":              3000,
		"5:cpu,memory:/d\n4:pids:/a\n": 2000,
		"5:cpu:/d\n":                   10000,
		"":                             10000,
		"nonsense\n0:\n":               10000,
		"5:memory:/elsewhere\n0::/a\n": 4000,
	} {
		if got := groupMemory(root, groups, 10000); got != want {
			t.Errorf("%q: %d, want %d", groups, got, want)
		}
	}
	if m := Memory(); m < 64<<20 {
		t.Errorf("this machine has %d bytes", m)
	}
}
