package rewrite

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func TestSuiteSmoke(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	_ = json.Valid
	dir := strings.TrimSpace(string(out)) + "/internal/integration_test/spectest/"
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	n, acc, refusedOK := 0, 0, 0
	for _, v := range []string{"v1", "v2"} {
		files, _ := filepath.Glob(dir + v + "/testdata/*.wasm")
		for _, f := range files {
			src, _ := os.ReadFile(f)
			n++
			c, err := rt.CompileModule(ctx, src)
			ok := err == nil
			if ok {
				c.Close(ctx)
			}
			res, _, rerr := rewrite(src, DefaultCaps(), true)
			if rerr != nil {
				if ok {
					t.Errorf("%s: compiles but refused: %v", filepath.Base(f), rerr)
				} else {
					refusedOK++
				}
				continue
			}
			c, err2 := rt.CompileModule(ctx, res)
			if err2 == nil {
				c.Close(ctx)
			}
			if ok != (err2 == nil) {
				t.Errorf("%s: before %v, after %v", filepath.Base(f), err, err2)
			}
			acc++
		}
	}
	t.Log(n, acc, refusedOK)
}
