package policy

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

func TestSchemaCoversTheTable(t *testing.T) {
	w := words()
	for _, a := range abi.Actions() {
		r, ok := w.schema.Actions[w.uids[a.Slot()]]
		if !ok || r.AppliesTo == nil {
			t.Fatalf("action %v is not in the schema", a)
		}
		if len(r.AppliesTo.Resources) == 0 {
			t.Errorf("action %v applies to nothing", a)
		}
		if !strings.Contains(Schema(), `action "`+a.String()+`" in ["`+a.Class().String()+`"]`) {
			t.Errorf("action %v is not in its group", a)
		}
	}
	if got, want := len(w.schema.Actions), len(abi.Actions())+len(abi.Classes()); got != want {
		t.Errorf("%d actions and groups, want %d", got, want)
	}
}
