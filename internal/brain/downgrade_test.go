package brain

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestDowngrade: going back is an operator's act, from where the floor is, and
// each act counts once.
func TestDowngrade(t *testing.T) {
	b := newBook()
	for _, serial := range []uint64{1, 5} {
		if err := b.install("app", "acme", serial); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.install("app", "acme", 3); abi.CodeOf(err) != abi.CodeBrainPackage {
		t.Errorf("back without an act: %v", err)
	}
	no := func(name string, body *abi.Downgrade, code abi.Code, operators ...string) {
		t.Helper()
		if err := b.add(b.act(body, operators...)); abi.CodeOf(err) != code || b.s.Serial("app") != 5 {
			t.Errorf("%s: %v, the floor is %d", name, err, b.s.Serial("app"))
		}
	}
	no("unsigned", &abi.Downgrade{Name: "app", From: 5, Serial: 2}, abi.CodeBrainSigs)
	no("signed by a publisher", &abi.Downgrade{Name: "app", From: 5, Serial: 2}, abi.CodeBrainSigs, "acme")
	no("from elsewhere", &abi.Downgrade{Name: "app", From: 4, Serial: 2}, abi.CodeBrainPackage, "ops")
	no("to where it is", &abi.Downgrade{Name: "app", From: 5, Serial: 5}, abi.CodeBrainPackage, "ops")
	no("upwards", &abi.Downgrade{Name: "app", From: 5, Serial: 6}, abi.CodeBrainPackage, "ops")
	no("to nothing", &abi.Downgrade{Name: "app", From: 5}, abi.CodeBrainPackage, "ops")
	no("of what was never installed", &abi.Downgrade{Name: "none", Serial: 0}, abi.CodeBrainPackage, "ops")
	act := b.act(&abi.Downgrade{Name: "app", From: 5, Serial: 2}, "ops")
	b.must(act)
	if err := b.install("app", "acme", 1); abi.CodeOf(err) != abi.CodeBrainPackage {
		t.Errorf("below the new floor: %v", err)
	}
	for _, serial := range []uint64{2, 5} { // back, and forward again
		if err := b.install("app", "acme", serial); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.add(act); abi.CodeOf(err) != abi.CodeBrainRing {
		t.Errorf("the act again: %v", err)
	}
	if err := b.install("app", "acme", 2); abi.CodeOf(err) != abi.CodeBrainPackage {
		t.Errorf("back once more: %v", err)
	}
}
