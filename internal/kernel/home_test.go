package kernel_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
)

// TestOwner: a state folder, or a key in it, that is another user's is refused;
// so is none at all.
func TestOwner(t *testing.T) {
	n := newNode(t)
	home := string(n.Home())
	open := func() error {
		k, err := kernel.Open(t.Context(), kernel.Options{Home: home})
		if err == nil {
			k.Close(t.Context())
		}
		return err
	}
	if err := os.Chown(home, os.Geteuid()+1, -1); err != nil {
		t.Skip("only root gives files away")
	}
	if err := open(); abi.CodeOf(err) != "F1-CFG-056" {
		t.Errorf("another user's folder: %v", err)
	}
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home}); abi.CodeOf(err) != "F1-CFG-056" {
		t.Errorf("another user's folder: %v", err)
	}
	if err := os.Chown(home, os.Geteuid(), -1); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(n.Home().Keys(), "node.key")
	if err := os.Chown(key, os.Geteuid()+1, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home}); abi.CodeOf(err) != "F1-CFG-056" {
		t.Errorf("another user's key: %v", err)
	}
	found := false
	for _, c := range kernel.Doctor(t.Context(), home, "") {
		found = found || c.Name == "permissions" && !c.OK
	}
	if !found {
		t.Error("doctor does not see another user's key")
	}
}

func TestNoHome(t *testing.T) {
	none := func(string) string { return "" }
	if h := kernel.DefaultHome(none); h != "" || kernel.Home(h).Keys() != "" {
		t.Errorf("a state folder out of nothing: %q", h)
	}
	if _, err := kernel.Open(t.Context(), kernel.Options{}); abi.CodeOf(err) != "F1-CFG-055" {
		t.Errorf("%v", err)
	}
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{}); abi.CodeOf(err) != "F1-CFG-055" {
		t.Errorf("%v", err)
	}
	if c := kernel.Doctor(t.Context(), "", ""); len(c) != 1 || c[0].OK {
		t.Errorf("%+v", c)
	}
}
