package kernel

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

// Rewritten modules are kept by digest, for replays: whoever starts a run writes its
// module, or finds it, before the run's recording names it. Between those moments it
// shares a lock, which tidying takes for itself. It falls with its process, whose
// module nobody needs then.
//
// Policies stay for good: the log's denials name their rules, when there is no
// recording any more.

// starting keeps modules from being removed until release is called,
// which may be repeated. F1-RUN-166: the lock can't be had.
func (k *Kernel) starting() (release func(), err error) {
	l, err := sys.Share(k.home.Starting())
	if err != nil {
		return nil, &abi.Error{Code: "F1-RUN-166", What: "what runs share while they start can't be locked", Where: k.home.Starting(), Err: err, Hint: "forgeone doctor"}
	}
	return func() { _ = l.Unlock() }, nil
}

// tidyWait is how long tidying waits for runs that are starting.
const tidyWait = time.Second

// Tidied tells of what nothing needs.
type Tidied struct {
	Modules  Unused // rewritten modules that no recording needs
	Packages Unused // package files of which none is installed
	Stay     error  // why modules, or all, stayed, if so
}

// Unused tells of files that were removed, or would be.
type Unused struct {
	Files int
	Bytes uint64
}

func (u *Unused) add(path string) {
	if i, err := os.Lstat(path); err == nil { // else it is gone
		u.Files, u.Bytes = u.Files+1, u.Bytes+uint64(i.Size())
	}
}

// tidy removes the files of packages that are not installed, and the rewritten
// modules, with their compiled code, that neither a recording nor an installed package
// needs. The recordings of gone
// count as gone. Where one recording can't be read all stays, since nobody knows
// what it needs. With dry nothing is removed.
func (k *Kernel) tidy(gone []brain.Run, dry bool) (t Tidied, err error) {
	if !dry {
		lock, ok, err := k.tidying()
		if err != nil { // a full disk, say; dropping recordings made room by now
			t.Stay = err
			return t, nil
		}
		if !ok {
			t.Stay = &abi.Error{Code: "F1-RET-006", What: "runs are starting just now, which may need what no recording does", Hint: "forgeone prune"}
			return t, nil
		}
		defer func() { _ = lock.Unlock() }()
	}
	if t.Packages, err = k.unusedPackages(dry); err != nil {
		return t, err
	}
	needed, err := k.needed(gone)
	if err != nil {
		t.Stay = err
		return t, nil //nolint:nilerr // told in t
	}
	code := wasm.NewCache(k.home.Cache(), k.keys.Cache, abi.Digest{})
	files, err := os.ReadDir(k.home.Modules())
	if err != nil {
		return t, err
	}
	for _, f := range files {
		d, ok := digestOf(f.Name(), moduleExt)
		if !ok || needed[d] {
			continue
		}
		if t.Modules.add(filepath.Join(k.home.Modules(), f.Name())); dry {
			continue
		}
		for _, path := range append(code.Paths(d), filepath.Join(k.home.Modules(), f.Name())) {
			if err := removed(path); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// unfinished removes what processes that died were writing, and returns how many
// files that are. With dry nothing is removed.
func (k *Kernel) unfinished(dry bool) (n int, err error) {
	for _, dir := range k.home.folders() {
		erase := os.Remove
		if dir == k.home.Keys() {
			erase = keys.EraseTemp
		}
		err := sys.Sweep(dir, func(path string) error {
			n++
			if dry {
				return nil
			}
			return erase(path)
		})
		if err != nil {
			return n, &abi.Error{Code: "F1-RET-007", What: "what a process that died was writing can't be removed", Where: dir, Err: err, Hint: "forgeone doctor"}
		}
	}
	return n, nil
}

// unusedPackages removes the files of packages that are not installed: of lower
// serials, and what a process left that died while it installed or uninstalled one.
// With dry nothing is removed.
func (k *Kernel) unusedPackages(dry bool) (u Unused, err error) {
	unlock, err := k.lockPackages() // installing puts the file there before the record
	if err != nil {
		return u, &abi.Error{Code: "F1-RET-007", What: "the folder of packages can't be locked", Where: k.home.Packages(), Err: err, Hint: "forgeone doctor"}
	}
	defer unlock()
	if err := k.log.Refresh(context.Background()); err != nil {
		return u, err
	}
	used := map[string]bool{}
	k.ledger.view(func(s *brain.State) {
		for _, p := range s.Packages() {
			used[k.packageFile(p.Package)] = true
		}
	})
	files, err := os.ReadDir(k.home.Packages())
	if err != nil {
		return u, err
	}
	for _, e := range files {
		f := filepath.Join(k.home.Packages(), e.Name())
		if _, ok := digestOf(e.Name(), packageExt); !ok || used[f] {
			continue
		}
		if u.add(f); dry {
			continue
		}
		if err := removed(f); err != nil {
			return u, err
		}
	}
	return u, nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &abi.Error{Code: "F1-RET-007", What: "what no recording needs can't be removed", Where: path, Err: err, Hint: "forgeone doctor"}
	}
	return nil
}

// tidying takes the lock that runs share which are starting. It waits a moment for
// them: none may wait for it as long as a compilation lasts.
func (k *Kernel) tidying() (*sys.FileLock, bool, error) {
	for end := time.Now().Add(tidyWait); ; time.Sleep(tidyWait / 50) {
		l, ok, err := sys.TryLock(k.home.Starting())
		if err != nil || ok || time.Now().After(end) {
			return l, ok, err
		}
	}
}

// needed returns the rewritten modules that recordings and installed packages need.
func (k *Kernel) needed(gone []brain.Run) (map[abi.Digest]bool, error) {
	needed, without := map[abi.Digest]bool{}, map[abi.RunID]bool{}
	for _, u := range gone {
		without[u.ID] = true
	}
	files, err := os.ReadDir(k.home.Recordings())
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), filepath.Ext(k.home.Recording("x")))
		if !ok || without[abi.RunID(id)] {
			continue
		}
		rec, err := trace.OpenTruncated(k.home.Recording(abi.RunID(id)), k.keys.Recording)
		if err != nil {
			var known bool
			k.ledger.view(func(s *brain.State) { _, known = s.Run(abi.RunID(id)) })
			if !known || abi.CodeOf(err) == trace.CodeMissing {
				continue // its run never began, or it was dropped meanwhile
			}
			return nil, err
		}
		needed[rec.Header().Rewritten] = true
		rec.Close()
	}
	return needed, k.installedNeed(needed)
}

// installedNeed adds the modules of installed packages, as far as they were
// admitted, so that their next start is not as slow as the first.
func (k *Kernel) installedNeed(needed map[abi.Digest]bool) error {
	installed := map[abi.Digest]bool{}
	k.ledger.view(func(s *brain.State) {
		for _, p := range s.Packages() {
			installed[p.Module] = true
		}
	})
	entries, err := filepath.Glob(filepath.Join(k.home.Cache(), "*.adm"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		var a admission
		// One that is not ours makes a module stay, no more.
		if b, err := os.ReadFile(e); err == nil && len(b) >= 32 && codec.Unmarshal(b[:len(b)-32], &a) == nil && installed[a.Module] {
			needed[a.Rewritten] = true
		}
	}
	return nil
}

// digestOf reads a file's name: a digest and ext.
func digestOf(name, ext string) (d abi.Digest, ok bool) {
	text, ok := strings.CutSuffix(name, ext)
	if !ok || len(text) != 2*len(d) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}
