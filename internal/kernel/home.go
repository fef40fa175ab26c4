// Package kernel boots, admits, runs and judges. It is the only appender to
// the evidence log: lower rooms hand events up, and everything that changes
// state is a record first.
package kernel

import (
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/config"
)

// Home is a state folder.
type Home string

// DefaultHome is the state folder that the environment names: $FORGEONE_HOME,
// else under $XDG_STATE_HOME, else under ~/.local/state; empty, which nobody opens
// (F1-CFG-055), where it names none: a folder that others can guess is none.
func DefaultHome(getenv func(string) string) string {
	if h := getenv("FORGEONE_HOME"); h != "" {
		return h
	}
	if x := getenv("XDG_STATE_HOME"); filepath.IsAbs(x) {
		return filepath.Join(x, "forgeone")
	}
	if h := getenv("HOME"); h != "" {
		return filepath.Join(h, ".local", "state", "forgeone")
	}
	return ""
}

// Folders and files of a state folder. What is derived can be deleted at any time.
// None has a path where there is no state folder.
func (h Home) path(s ...string) string {
	if h == "" {
		return ""
	}
	return filepath.Join(append([]string{string(h)}, s...)...)
}

// Config is the signed configuration.
func (h Home) Config() string { return h.path(config.FileName) }

// NextConfig is a configuration that init is putting in force.
func (h Home) NextConfig() string { return h.path(config.FileName + ".next") }

// Keys holds private keys.
func (h Home) Keys() string { return h.path("keys") }

// Log is the evidence log: the truth.
func (h Home) Log() string { return h.path("log") }

// State is the state folded from the log, as far as it was: derived,
// authenticated.
func (h Home) State() string { return h.path("state") }

// Recordings holds the recordings: truth.
func (h Home) Recordings() string { return h.path("recordings") }

// Packages holds installed packages, by digest.
func (h Home) Packages() string { return h.path("packages") }

// Policies holds policy texts, by digest.
func (h Home) Policies() string { return h.path("policies") }

// Modules holds rewritten modules, by digest: replays need them.
func (h Home) Modules() string { return h.path("modules") }

// Starting is locked, shared, while a run starts: its module stays.
func (h Home) Starting() string { return h.path("starting.lock") }

// Cache holds compiled code and admissions: derived, authenticated.
func (h Home) Cache() string { return h.path("cache") }

// Compiling is the table of compilations under way: derived.
func (h Home) Compiling() string { return h.path("cache", "compiling") }

// Tiles holds the log as tlog-tiles: derived.
func (h Home) Tiles() string { return h.path("cache", "tiles") }

// Recording is the recording of a run.
func (h Home) Recording(r abi.RunID) string { return filepath.Join(h.Recordings(), string(r)+".f1rec") }

// unkept says that a file of a state folder can't be written or locked.
func unkept(path string, err error) error {
	if err == nil || abi.CodeOf(err) != "" {
		return err
	}
	return &abi.Error{Code: "F1-CFG-059", What: "a file of the state folder can't be written", Where: path, Err: err, Hint: "df -h " + abi.Shell(filepath.Dir(path))}
}

// folders are those that init makes, the first one holds the others.
func (h Home) folders() []string {
	return []string{string(h), h.Keys(), h.Recordings(), h.Packages(), h.Policies(), h.Modules(), h.Cache()}
}
