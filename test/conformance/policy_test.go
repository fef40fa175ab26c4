package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noMoves forbids what some of os's tests do.
const noMoves = `
@id("no-moves")
@description("what is written stays where it is")
@severity("0")
forbid (
  principal,
  action in [Action::"path_rename", Action::"path_link"],
  resource is File
);
`

// TestPolicyBites forbids what tests of os need: those fail, and no others; each
// denial names the rule; and the run that was denied replays identically.
func TestPolicyBites(t *testing.T) {
	n, s := theNode(t), suite{pkg: "os"}
	file := filepath.Join(t.TempDir(), "no-moves.cedar")
	if err := os.WriteFile(file, []byte(noMoves), 0o600); err != nil {
		t.Fatal(err)
	}
	r := n.run(t, testBinary(t, "os"), append(s.grants(t, true), "--policy", file), "-test.short", "-test.v",
		"-test.run=^(TestHardLink|TestRename|TestReadAt|TestTruncate|TestWriteAt)$")
	want := map[string]string{
		"TestHardLink": "FAIL", "TestRename": "FAIL",
		"TestReadAt": "PASS", "TestTruncate": "PASS", "TestWriteAt": "PASS",
	}
	got := verdicts(r.stdout)
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s: %q\n%s", name, got[name], tail(r.stdout))
		}
	}
	denied := n.must(t, "trace", r.Run, "--deny-only", "-e", "path_rename", "-e", "path_link")
	if c := strings.Count(denied, "\n"); c == 0 || c != strings.Count(denied, "EACCES") || c != strings.Count(denied, "forbid no-moves ") {
		t.Errorf("%s", tail(denied))
	}
	n.replay(t, r)
}
