package cli

import (
	"fmt"
	"io"
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
}

// readModule reads and admits a module file, as a run would under the default
// limits.
func readModule(file string) ([]byte, *rewrite.Info, error) {
	caps := rewrite.DefaultCaps()
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
	b, info, err := readModule(file)
	if err != nil {
		return err
	}
	j := moduleJSON{
		Schema: "forgeone.module/v1", File: file, Module: forgepkg.ModuleDigest(b).Hex(), Size: len(b), Command: slices.Contains(info.Exports, "_start"),
		Functions: info.Functions, Memory: info.MemoryMin << 16, MemoryMax: info.MemoryMax << 16, Floats: info.Floats, SIMD: info.SIMD, Start: info.Start,
		Exports: len(info.Exports), Imports: importsOf(kernel.ImportNames(info)),
	}
	return a.emit(j, func(w io.Writer) {
		fmt.Fprintf(w, "module    %s (%d bytes), admitted by the default limits\n", j.Module, j.Size)
		what := "command"
		if !j.Command {
			what = "no command: it exports no _start, so it can't run"
		}
		fmt.Fprintf(w, "kind      %s\nfunctions %d\nmemory    %d bytes", what, j.Functions, j.Memory)
		if j.MemoryMax > 0 {
			fmt.Fprintf(w, ", at most %d", j.MemoryMax)
		}
		fmt.Fprintln(w)
		if j.Floats {
			fmt.Fprintln(w, "replays   on the same architecture only: it computes with floats")
		}
		fmt.Fprintln(w, "\nIt asks for:")
		t := table(w, "FUNCTION", "CLASS", "WHAT IT DOES")
		for _, i := range j.Imports {
			t.row(i.Function, i.Class, i.Doc)
		}
		t.Flush()
	})
}
