package forgeone_test

import (
	"bytes"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// shown tells whether an exported name of the façade may show a type of package
// path: the standard library's, the façade's own, and the public packages'.
func shown(path string) bool {
	switch path {
	case module, module + "/abi", module + "/evidence", module + "/forgepkg":
		return true
	}
	return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".")
}

// TestNoInternalTypeIsShown walks everything that a program which imports the
// façade can name.
func TestNoInternalTypeIsShown(t *testing.T) {
	w := walker{t: t, seen: map[types.Type]bool{}}
	scope := load(t, ".").Scope()
	for _, name := range scope.Names() {
		if o := scope.Lookup(name); o.Exported() {
			w.names++
			w.walk(name, o.Type())
		}
	}
	if w.names < 20 {
		t.Errorf("only %d exported names found", w.names)
	}
}

// TestWalkerSeesInternalTypes proves that the test above can fail: the kernel
// shows other rooms' types, which the façade must not.
func TestWalkerSeesInternalTypes(t *testing.T) {
	w := walker{seen: map[types.Type]bool{}}
	scope := load(t, "./internal/kernel").Scope()
	w.walk("Spec", scope.Lookup("Spec").Type().Underlying())
	if len(w.found) == 0 {
		t.Error("the walker finds nothing in kernel.Spec")
	}
}

// load type-checks package pattern from the build cache's export data.
func load(t *testing.T, pattern string) *types.Package {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", pattern).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	path := ""
	for line := range bytes.Lines(out) {
		k, v, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		files[k], path = v, k // the package itself comes last
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(p string) (io.ReadCloser, error) { return os.Open(files[p]) })
	p, err := imp.Import(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type walker struct {
	t     *testing.T
	seen  map[types.Type]bool
	names int
	found []string
}

func (w *walker) named(at string, o *types.TypeName) (own bool) {
	if o.Pkg() == nil {
		return false
	}
	if p := o.Pkg().Path(); !shown(p) {
		w.found = append(w.found, at)
		if w.t != nil {
			w.t.Errorf("%s shows %s.%s", at, p, o.Name())
		}
	}
	return o.Pkg().Path() == module
}

func (w *walker) walk(at string, t types.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		if w.named(at, t.Obj()) {
			w.walk(at, t.Rhs())
		}
	case *types.Named:
		for i := range t.TypeArgs().Len() {
			w.walk(at, t.TypeArgs().At(i))
		}
		if !w.named(at, t.Obj()) {
			return
		}
		for i := range t.NumMethods() {
			if m := t.Method(i); m.Exported() {
				w.names++
				w.walk(at+"."+m.Name(), m.Type())
			}
		}
		w.walk(at, t.Underlying())
	case *types.Signature:
		w.walk(at, t.Params())
		w.walk(at, t.Results())
	case *types.Tuple:
		for i := range t.Len() {
			w.walk(at, t.At(i).Type())
		}
	case *types.Struct:
		for i := range t.NumFields() {
			if f := t.Field(i); f.Exported() || f.Embedded() {
				w.walk(at+"."+f.Name(), f.Type())
			}
		}
	case *types.Interface:
		for i := range t.NumMethods() {
			w.walk(at, t.Method(i).Type())
		}
	case *types.Map:
		w.walk(at, t.Key())
		w.walk(at, t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		w.walk(at, t.Elem())
	}
}
