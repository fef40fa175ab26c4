package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/internal/kernel"
)

func TestMain(m *testing.M) {
	kernel.Main() // modules are compiled in children of this binary
	os.Exit(m.Run())
}

// TestQuick goes once through every section with next to no work in it: every
// figure must come out, whatever it is. Nothing here is timed.
func TestQuick(t *testing.T) {
	all := regexp.MustCompile("")
	rows, err := measureAll(t.Context(), options{quick: true, reps: 1, sections: all, loops: all})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, r := range rows {
		got[r.Section]++
		for _, v := range []float64{r.Ours, r.Rival, r.Ratio, r.CPUOurs, r.CPURival, r.CPURatio} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s: %s is no number: %+v", r.Section, r.Name, r)
			}
		}
		if r.Name == "" || r.Unit == "" || r.Met != nil {
			t.Errorf("%s: %+v", r.Section, r)
		}
		if strings.Contains(r.Name, "identical") && r.Ours != 5 {
			t.Errorf("%v of 5 replays were identical", r.Ours)
		}
	}
	for section, n := range map[string]int{"machine": 1, "gate": 12, "compute": 6, "admission": 7, "start": 2, "replay": 5, "log": 4, "verify": 2, "export": 5, "growth": 4, "charges": 45, "decision": 5, "command": 1} {
		if got[section] != n {
			t.Errorf("section %s has %d rows, want %d", section, got[section], n)
		}
	}
	var text, doc bytes.Buffer
	if err := printText(&text, rows); err != nil || strings.Count(text.String(), "\n") < len(rows) {
		t.Errorf("%v in\n%s", err, &text)
	}
	if err := printJSON(&doc, rows); err != nil {
		t.Error(err)
	}
	var back struct {
		Schema string
		Rows   []Row
	}
	if err := json.Unmarshal(doc.Bytes(), &back); err != nil || back.Schema != "forgeone.bench/v1" || len(back.Rows) != len(rows) {
		t.Errorf("%v, %q, %d rows", err, back.Schema, len(back.Rows))
	}
}

func TestCompare(t *testing.T) {
	s := func(wall, cpu int) sample { return sample{time.Duration(wall), time.Duration(cpu)} }
	ours, rival := []sample{s(300, 30), s(100, 10), s(-5, 0)}, []sample{s(100, 10), s(100, 10), s(100, 10)}
	r := compare(Row{}, time.Nanosecond, 10, ours, rival).with(times(3))
	if r.Ours != 10 || r.Rival != 10 || r.Ratio != 3 || r.CPURatio != 3 || r.Met == nil || !*r.Met {
		t.Errorf("%+v", r)
	}
	if r := compare(Row{}, 1, 1, ours[2:], rival[2:]).with(times(3)); r.Ratio != 0 || *r.Met {
		t.Errorf("no ratio can be told, and yet %+v", r)
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "", 1.234: "1.23", 12.34: "12.3", 999.6: "1,000", 345000: "345,000", 1234567: "1,234,567"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %q, want %q", v, got, want)
		}
	}
}
