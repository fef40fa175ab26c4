package conformance

import (
	"encoding/json"
	"sync"
	"testing"
)

// TestAtOnce runs the tests of three packages at the same time, in one state
// folder, and replays them at the same time.
func TestAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("by `make conformance`")
	}
	n := theNode(t)
	three := []suite{{pkg: "os", files: true}, {pkg: "archive/zip"}, {pkg: "path/filepath", files: true}}
	var wg sync.WaitGroup
	for _, s := range three {
		wasm := testBinary(t, s.pkg)
		wg.Go(func() {
			for range 3 {
				r := n.run(t, wasm, s.grants(t, s.files), s.args()...)
				s.check(t, r, nil)
				n.replay(t, r)
			}
		})
	}
	wg.Wait()
	n.settled(t)
}

// TestLoad repeats tests that work with files: hundreds of thousands of calls in
// one recording.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("by `make conformance`")
	}
	n, figures := theNode(t), &table{}
	for _, l := range []struct {
		suite
		count string
	}{{suite{pkg: "path/filepath"}, "20"}, {suite{pkg: "io/ioutil"}, "20"}, {suite{pkg: "os"}, "5"}} {
		for _, mount := range []bool{false, true} {
			wasm := testBinary(t, l.pkg)
			r := n.run(t, wasm, l.grants(t, mount), append(l.args(), "-test.count="+l.count)...)
			figures.add(row{
				name: l.pkg + " ×" + l.count, tests: l.check(t, r, nil), calls: r.Calls,
				here: r.took, back: n.replay(t, r), recording: n.recording(t, r),
			})
		}
	}
	figures.log(t)
	n.settled(t)
}

// settled looks that no run is left open, and that the node finds nothing wrong
// with itself.
func (n node) settled(t *testing.T) {
	t.Helper()
	var list struct {
		Runs []struct {
			Run     string `json:"run"`
			Outcome string `json:"outcome"`
		} `json:"runs"`
	}
	if err := json.Unmarshal([]byte(n.must(t, "runs", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list.Runs {
		if r.Outcome != "exit" {
			t.Errorf("%s is %q", r.Run, r.Outcome)
		}
	}
	if len(list.Runs) == 0 {
		t.Error("no runs")
	}
	n.must(t, "doctor")
}
