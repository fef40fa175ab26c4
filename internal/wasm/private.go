package wasm

import (
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/internal/sys"
)

// The engine reads compiled code from files. It gets them in a private folder
// (0700, in memory where there is such a place with room), which is locked as long as its
// process lives, so that one left behind by a process that was killed can be
// told and removed by the next.
const (
	privatePrefix = "forgeone-code-"
	privateLock   = ".lock"
	// privateGrace is how long a folder may stand before it is locked.
	privateGrace = time.Minute
)

// privateRoom is how many bytes there must be where private folders are made:
// twice the most machine code that a module is admitted with.
const privateRoom = 1 << 30

// privateRoot is where private folders are made.
func privateRoot() string {
	if root := memoryRoot(privateRoom); root != "" {
		return root
	}
	return os.TempDir()
}

// makePrivate makes a private folder in root, and removes dead ones there.
func makePrivate(root string) (string, *sys.FileLock, error) {
	sweep(root)
	dir, err := os.MkdirTemp(root, privatePrefix+"*") // 0700
	if err != nil {
		return "", nil, err
	}
	lock, err := sys.Lock(filepath.Join(dir, privateLock))
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, lock, nil
}

// removePrivate removes a private folder and lets go of it.
func removePrivate(dir string, lock *sys.FileLock) {
	os.RemoveAll(dir)
	_ = lock.Unlock() // the file is gone
}

// sweep removes the folders of processes that are gone. What can't be removed,
// another user's say, stays.
func sweep(root string) {
	dirs, err := filepath.Glob(filepath.Join(root, privatePrefix+"*"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		st, err := os.Lstat(d)
		if err != nil || !st.IsDir() || time.Since(st.ModTime()) < privateGrace {
			continue
		}
		if lock, got, err := sys.TryLock(filepath.Join(d, privateLock)); err == nil && got {
			removePrivate(d, lock)
		}
	}
}
