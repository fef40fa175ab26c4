package forgeone_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/sys"
)

// TestFormatsRegister: the vector of docs/FORMATS.md is what is written, and reads.
func TestFormatsRegister(t *testing.T) {
	b, err := register.Encode([]register.Thing{{Path: "/srv/node", ID: sys.Identity{Ino: 7, Birth: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	if doc := doc(t, "docs/FORMATS.md"); !strings.Contains(doc, hex.EncodeToString(b)) {
		t.Errorf("docs/FORMATS.md does not have %x", b)
	}
	things, err := register.Decode(b)
	if err != nil || len(things) != 1 || things[0].Path != "/srv/node" || things[0].ID.Ino != 7 || things[0].ID.Birth != 9 {
		t.Errorf("%+v %v", things, err)
	}
}
