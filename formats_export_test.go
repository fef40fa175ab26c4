package forgeone_test

import (
	"context"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
)

// exportVector makes the log whose export FORMATS.md shows, exports it, and makes
// the proof.
func exportVector(v vector) {
	o := evidence.Options{Dir: filepath.Join(v.TempDir(), "log"), Key: v.private(), Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	if err := evidence.Create(o); err != nil {
		v.Fatal(err)
	}
	l, err := evidence.Open(o)
	if err != nil {
		v.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"a", "b"} {
		_, err := l.Update(context.Background(), func() ([]abi.Record, error) {
			return []abi.Record{{Body: &abi.PackageUninstall{Name: name}}}, nil
		})
		if err != nil {
			v.Fatal(err)
		}
	}
	dir, keys := filepath.Join(v.TempDir(), "tiles"), []evidence.PublicKey{o.Key.Public()}
	if _, err := evidence.Export(context.Background(), o.Dir, dir, keys, evidence.ExportOptions{}); err != nil {
		v.Fatal(err)
	}
	p, _, err := evidence.Prove(context.Background(), o.Dir, "", 1, keys, evidence.ProveOptions{})
	if err != nil {
		v.Fatal(err)
	}
	files := 0
	for name, want := range v.at {
		var got string
		switch {
		case name == "seed":
			continue
		case name == "proof-1":
			got = string(p.Marshal())
		default:
			files++
			got = doc(v.T, filepath.Join(dir, name))
		}
		if strings.HasPrefix(name, "tile/") {
			got = hex.EncodeToString([]byte(got))
		}
		if got = strings.ReplaceAll(got, "\n", "|"); got != want {
			v.Errorf("%s is\n%s\ndocs/FORMATS.md says\n%s", name, got, want)
		}
	}
	if files != 4 {
		v.Errorf("the vector has %d files", files)
	}
}
