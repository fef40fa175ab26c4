package wasm

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/forgeone/forgeone/abi"
)

// TestTableAgainstEngine: the table has every function of preview 1, with the
// parameters and results that an implementation which is not ours gives it.
func TestTableAgainstEngine(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	m, err := wasi_snapshot_preview1.NewBuilder(rt).Compile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	theirs := m.ExportedFunctions()
	if len(theirs) != 46 || len(abi.Rows()) != 46 {
		t.Fatalf("%d rows, %d functions", len(abi.Rows()), len(theirs))
	}
	core := func(ts []api.ValueType) (s string) {
		for _, v := range ts {
			s += map[api.ValueType]string{api.ValueTypeI32: "i", api.ValueTypeI64: "l"}[v]
		}
		return s
	}
	for _, r := range abi.Rows() {
		f := theirs[r.Name]
		if f == nil {
			t.Errorf("%s is no function of preview 1", r.Name)
			continue
		}
		if got, want := r.Core(), core(f.ParamTypes()); got != want {
			t.Errorf("%s takes %s, preview 1 says %s", r.Name, got, want)
		}
		if r.Returns() != (len(f.ResultTypes()) == 1) {
			t.Errorf("%s returns: %v, preview 1 says %v", r.Name, r.Returns(), f.ResultTypes())
		}
	}
}
