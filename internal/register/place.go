package register

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// places are the folders of this user's register, the best one first. What the
// environment says does not count.
func places() (dirs []string) {
	uid := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(uid); err == nil && filepath.IsAbs(u.HomeDir) {
		if st, err := os.Stat(u.HomeDir); err == nil && st.IsDir() && mine(st) {
			dirs = append(dirs, filepath.Join(u.HomeDir, ".local", "state", "forgeone.register"))
		}
	}
	return append(dirs, filepath.Join(fallback, "forgeone-register-"+uid))
}

// fallback is where a user without a home has the register. It is not made.
const fallback = "/var/tmp"

func makeFolder(dir string) error {
	if filepath.Dir(dir) != fallback {
		return os.MkdirAll(dir, 0o700)
	}
	if err := os.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// others tells whether dir is another user's, who then can't speak for this one.
func others(dir string) bool {
	st, err := os.Lstat(dir)
	return err == nil && !mine(st)
}

var errNotOurs = errors.New("not a folder that only this user may write to")

// ours checks that dir is a folder of this user's, which nobody else may write to.
func ours(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() || st.Mode().Perm()&0o022 != 0 || !mine(st) {
		return fmt.Errorf("%s: %w", dir, errNotOurs)
	}
	return nil
}

func mine(st os.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
