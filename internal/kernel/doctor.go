package kernel

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/trace"
)

// Check is one finding of Doctor.
type Check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Hint  string `json:"hint,omitempty"`
}

// Doctor looks at a state folder and says what is wrong and how to mend it. It
// changes nothing but what opening does: a torn tail of the log is moved aside,
// dead runs are closed, files of dropped recordings are removed.
func Doctor(ctx context.Context, home, unlock string) []Check {
	var checks []Check
	add := func(name string, err error, found string) bool {
		c := Check{Name: name, OK: err == nil, Found: found}
		if err != nil {
			c.Found = err.Error()
			var e *abi.Error
			if errors.As(err, &e) {
				c.Found, c.Hint = fmt.Sprintf("%s (%s)", e.Error(), e.Code), e.Hint
			}
		}
		checks = append(checks, c)
		return c.OK
	}
	h := Home(home)
	for _, m := range []string{ModHome, ModKeys, ModConfig} {
		k, err := Open(ctx, Options{Home: home, Unlock: unlock, Modules: []string{m}})
		if !add(m, err, "fine") {
			return checks
		}
		k.Close(ctx)
	}
	add("encryption", keys.CheckMixed(h.Keys()), encryption(h))
	add("permissions", private(h, string(h), h.Keys(), h.Recordings()), "nobody else can read keys and recordings")
	k, err := Open(ctx, Options{Home: home, Unlock: unlock})
	if !add("boot", err, "every module starts") {
		return checks
	}
	defer k.Close(ctx)
	if k.compiler != nil { // what an embedding program's own binary is not ready for is its own affair
		walls, err := k.compiler.Walls()
		add("box", err, walls)
	}
	r, err := evidence.Verify(ctx, h.Log(), []evidence.PublicKey{k.LogKey()}, evidence.VerifyOptions{})
	if k.logPost() != nil {
		add("post-quantum key", k.checkPost(), "what is published of the log can be signed with it")
	}
	add("log", err, fmt.Sprintf("%d records verify; %s", r.Records, r.Witnessed.String()))
	add("state", k.log.Opening().Unusable, k.stateFile())
	add("packages", k.checkPackages(), "every installed package verifies")
	add("recordings", k.checkRecordings(), "every run has its recording, by size and seal, but those that were dropped, and every recording its run")
	add("policies", k.checkPolicies(), "every kept policy is whole, and they stay: "+room(h.Policies()))
	add("modules", nil, "kept for replays, until `forgeone prune` finds none: "+room(h.Modules()))
	return checks
}

// encryption says in words how the private keys lie here.
func encryption(h Home) string {
	if keys.NewVault(h.Keys(), "").Protected() {
		return "private keys are encrypted"
	}
	return "private keys are in the clear, for this user only"
}

// private checks who may read what is secret in these folders, and whose it is.
func private(h Home, folders ...string) error {
	for _, d := range folders {
		err := filepath.WalkDir(d, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() && p != d {
				return fs.SkipDir
			}
			st, err := e.Info()
			if err == nil {
				err = owned(p, st)
			}
			if err == nil && st.Mode()&fs.ModeSymlink != 0 {
				return nil // nothing follows it, and its mode says nothing
			}
			if err == nil && st.Mode().Perm()&0o077 != 0 {
				err = &abi.Error{Code: "F1-CFG-054", What: "others may read this", Where: p, Hint: "chmod -R go= " + abi.Shell(string(h))}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// room says how much lies in a folder.
func room(dir string) string {
	var size uint64
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if i, err := f.Info(); err == nil { // else it is gone
			size += uint64(i.Size())
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err.Error()
	}
	return fmt.Sprintf("%d files of %d bytes", len(files), size)
}

// stateFile tells of the state file how the log was opened with it.
func (k *Kernel) stateFile() string {
	o := k.log.Opening()
	if o.Snapshot == 0 {
		return fmt.Sprintf("no state file yet: all %d records were folded", o.Folded)
	}
	size := int64(0)
	if i, err := os.Stat(k.home.State()); err == nil {
		size = i.Size()
	}
	return fmt.Sprintf("a state file of %d bytes over %d records; %d were folded since", size, o.Snapshot, o.Folded)
}

func (k *Kernel) checkPackages() error {
	var ps []brain.Package
	k.ledger.view(func(s *brain.State) { ps = s.Packages() })
	for _, p := range ps {
		pkg, _, err := k.verify(k.packageFile(p.Package), false)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		pkg.Close()
	}
	return nil
}

// checkRecordings holds log and recordings against each other, by their sizes and
// seals, not by what stands in them, and removes the files of those that were
// dropped. A recording of a run that the log does not know says that an older log
// was put back.
func (k *Kernel) checkRecordings() error {
	if _, err := k.sweep(); err != nil {
		return err
	}
	known := map[string]bool{}
	var runs []brain.Run
	var err error
	k.ledger.view(func(s *brain.State) { runs, err = s.Runs(), s.Err() })
	if err != nil {
		return err
	}
	for _, r := range runs {
		p := k.home.Recording(r.ID)
		known[filepath.Base(p)] = true
		if r.Drop != 0 {
			continue
		}
		switch err := k.checkRecording(r); {
		case err == nil:
		case abi.CodeOf(err) != trace.CodeMissing:
			return err
		case !k.droppedSince(&r):
			return &abi.Error{Code: trace.CodeMissing, What: "the recording of run " + string(r.ID) + " is gone: it can't be replayed", Where: p}
		}
	}
	files, err := os.ReadDir(k.home.Recordings())
	if err != nil {
		return err
	}
	for _, f := range files {
		p := filepath.Join(k.home.Recordings(), f.Name())
		if known[f.Name()] || filepath.Ext(p) != filepath.Ext(string(k.home.Recording("x"))) {
			continue
		}
		// A sealed one ended well; others never began, or were cut off.
		if rec, err := trace.Open(p, k.keys.Recording); err == nil {
			rec.Close()
			return &abi.Error{
				Code: "F1-LOG-050", What: "there is a whole recording of a run that the log does not know: an older log was put back, or records were cut off", Where: p,
				Hint: "compare with a checkpoint or a copy of the log that you kept elsewhere",
			}
		}
	}
	return nil
}

func (k *Kernel) checkRecording(r brain.Run) error {
	if !r.Open() {
		return trace.Check(k.home.Recording(r.ID), trace.Sealed{Seal: r.Seal, Size: r.Size})
	}
	if _, err := os.Lstat(k.home.Recording(r.ID)); err != nil { // (it grows)
		return &abi.Error{Code: trace.CodeMissing, Err: err}
	}
	return nil
}

func (k *Kernel) checkPolicies() error {
	files, err := filepath.Glob(filepath.Join(k.home.Policies(), "*.policy"))
	if err != nil {
		return err
	}
	for _, f := range files {
		var d abi.Digest
		if n, err := hex.Decode(d[:], []byte(strings.TrimSuffix(filepath.Base(f), ".policy"))); err != nil || n != len(d) {
			continue // nothing of ours
		}
		if _, err := k.policyOf(d); err != nil {
			return err
		}
	}
	return nil
}
