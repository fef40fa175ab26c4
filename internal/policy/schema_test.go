package policy

import (
	"flag"
	"os"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestSchemaCoversTheTable(t *testing.T) {
	w := words()
	for _, a := range abi.Actions() {
		r, ok := w.schema.Actions[w.uids[a.Slot()]]
		if !ok || r.AppliesTo == nil || len(r.AppliesTo.Resources) == 0 {
			t.Fatalf("action %v is not in the schema, or applies to nothing", a)
		}
	}
	if got, want := len(w.schema.Actions), len(abi.Actions())+len(abi.Classes()); got != want {
		t.Errorf("%d actions and groups, want %d", got, want)
	}
}

// Policies are written against the schema: a change of it shows in review.
func TestSchemaGolden(t *testing.T) {
	const file = "testdata/schema.cedarschema"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(Schema()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != Schema() {
		t.Error("the schema is not the golden one; if that is meant: go test ./internal/policy -update")
	}
}
