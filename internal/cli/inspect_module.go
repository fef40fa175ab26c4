package cli

import (
	"io"
	"os"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/rewrite"
)

// moduleJSON is what inspect tells of a module that no package holds.
type moduleJSON struct {
	Schema    string       `json:"schema"`
	File      string       `json:"file"`
	Module    string       `json:"module"`
	Size      int          `json:"size"`
	Command   bool         `json:"command"` // exports _start, so that it can run
	Functions int          `json:"functions"`
	Memory    uint64       `json:"memory"`               // bytes at the start
	MemoryMax uint64       `json:"memory_max,omitempty"` // bytes, if it names a maximum
	Floats    bool         `json:"floats"`               // replays on the same architecture only
	SIMD      bool         `json:"simd"`
	Start     bool         `json:"start"`
	Exports   int          `json:"exports"`
	Imports   []importJSON `json:"imports"`
	Admitted  string       `json:"admitted_by"` // whose limits: "defaults" or "configuration"
}

// admission are the caps by which a module is judged.
type admission struct {
	rewrite.Caps
	by string // "defaults" or "configuration": that of the node here
}

// words say whose limits they are.
func (d admission) words() string {
	if d.by == "defaults" {
		return "the default limits"
	}
	return "the limits of this node's configuration"
}

// admission returns the caps by which a run here would judge: the signed
// configuration's, or the defaults where there is no state folder. Where they
// can't be known the defaults stand in, and the user is told.
func (a *app) admission() admission {
	defaults := admission{rewrite.DefaultCaps(), "defaults"}
	if _, err := os.Stat(a.homeDir()); err != nil {
		return defaults
	}
	k, err := a.open(kernel.ModEvidence)
	if err != nil {
		printn(a.stderr, "forgeone: what this node's configuration admits is not known: "+err.Error())
		return defaults
	}
	defer k.Close(a.ctx)
	return admission{k.Config().Caps(), "configuration"}
}

// readModule reads and admits a module file, as a run here would.
func readModule(file string, by admission) ([]byte, *rewrite.Info, error) {
	caps := by.Caps
	b, err := kernel.ReadModule(file, caps)
	if err != nil {
		if abi.CodeOf(err) == "" {
			err = &abi.Error{Code: "F1-CLI-002", What: "the module can't be read", Where: file, Err: err}
		}
		return nil, nil, err
	}
	info, err := rewrite.Inspect(b, caps)
	if err != nil {
		return nil, nil, kernel.Located(err, file)
	}
	return b, info, nil
}

func (a *app) inspectModule(file string) error {
	by := a.admission()
	b, info, err := readModule(file, by)
	if err != nil {
		return err
	}
	j := moduleJSON{
		Schema: "forgeone.module/v1", File: file, Module: forgepkg.ModuleDigest(b).Hex(), Size: len(b), Command: slices.Contains(info.Exports, "_start"),
		Functions: info.Functions, Memory: info.MemoryMin << 16, MemoryMax: info.MemoryMax << 16, Floats: info.Floats, SIMD: info.SIMD, Start: info.Start,
		Exports: len(info.Exports), Imports: importsOf(kernel.ImportNames(info)), Admitted: by.by,
	}
	return a.emit(j, func(w io.Writer) {
		printf(w, "module    %s (%d bytes), admitted by %s\n", j.Module, j.Size, by.words())
		what := "command"
		if !j.Command {
			what = "no command: it exports no _start, so it can't run"
		}
		printf(w, "kind      %s\nfunctions %d\nmemory    %d bytes", what, j.Functions, j.Memory)
		if j.MemoryMax > 0 {
			printf(w, ", at most %d", j.MemoryMax)
		}
		printn(w)
		if j.Floats {
			printn(w, "replays   on the same architecture only: it computes with floats")
		}
		printf(w, "\nIt asks for:\n")
		t := table(w, "FUNCTION", "CLASS", "WHAT IT DOES")
		for _, i := range j.Imports {
			t.row(i.Function, i.Class, i.Doc)
		}
		t.Flush()
	})
}
