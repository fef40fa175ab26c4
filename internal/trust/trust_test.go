package trust

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

func TestProvenance(t *testing.T) {
	for _, tt := range []struct {
		bare, local, known, quorum bool
		want                       uint8
	}{
		{want: 0},
		{bare: true, want: 40},
		{bare: true, known: true, quorum: true, want: 40},
		{local: true, want: 50},
		{known: true, want: 70},
		{local: true, known: true, want: 70},
		{known: true, quorum: true, want: 100},
	} {
		if got := Provenance(tt.bare, tt.local, tt.known, tt.quorum); got != tt.want {
			t.Errorf("Provenance(%v, %v, %v, %v) = %d, want %d", tt.bare, tt.local, tt.known, tt.quorum, got, tt.want)
		}
	}
}

func TestPoints(t *testing.T) {
	for s, want := range []uint32{0, 2, 5, 10, 25, 60, 60} {
		if got := Points(uint8(s)); got != want {
			t.Errorf("Points(%d) = %d, want %d", s, got, want)
		}
	}
	if got := Points(255); got != 60 {
		t.Errorf("Points(255) = %d, want 60", got)
	}
}

func TestStart(t *testing.T) {
	if got, want := Start(ProvenanceBare), (abi.Trust{P: 40, A: 100, C: 60, N: 100, R: 100}); got != want {
		t.Errorf("Start = %v, want %v", got, want)
	}
	if got := Start(200).P; got != 100 {
		t.Errorf("P = %d, want it cut to 100", got)
	}
}

func TestStandingIsALatch(t *testing.T) {
	low, high := abi.Trust{P: 50, A: 100, C: 9, N: 100, R: 100}, Start(ProvenanceQuorum)
	if got := Standing(abi.StandingSigned, low); got != abi.StandingCompromised {
		t.Errorf("standing at T %d is %v", low.T(), got)
	}
	if got := Standing(abi.StandingCompromised, high); got != abi.StandingCompromised {
		t.Errorf("a compromised workload became %v", got)
	}
	if got := Standing(abi.StandingSigned, high); got != abi.StandingSigned {
		t.Errorf("a good workload became %v", got)
	}
}

// act is one thing that happens in a run.
type act struct {
	dt       int64
	allow    bool
	rule     string
	resource string
	severity uint8
}

func drawActs(t *rapid.T) []act {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
		return act{
			dt:       rapid.Int64Range(-Window, 3*Window).Draw(t, "dt"),
			allow:    rapid.Bool().Draw(t, "allow"),
			rule:     rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "rule"),
			resource: rapid.SampledFrom([]string{"/x", "/y", "/z"}).Draw(t, "resource"),
			severity: rapid.Uint8Range(0, 7).Draw(t, "severity"),
		}
	}), 0, 60).Draw(t, "acts")
}

func TestScoreProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Uint8().Draw(t, "c")
		now := rapid.Int64Range(0, 1<<40).Draw(t, "start")
		s := NewRunScore(c, now)
		type k struct{ rule, resource string }
		seen := map[k]bool{}
		var want uint32
		for _, a := range drawActs(t) {
			now += a.dt
			before := s.Conduct()
			if a.allow {
				s.Allowed(now)
				if s.Conduct() < before {
					t.Fatalf("an allowed call lowered conduct from %d to %d", before, s.Conduct())
				}
			} else {
				s.Finish(now) // so that only the denial's own effect is seen
				before = s.Conduct()
				p := s.Denied(now, a.rule, a.resource, a.severity)
				if s.Conduct() > before {
					t.Fatalf("a denial raised conduct from %d to %d", before, s.Conduct())
				}
				if key := (k{a.rule, a.resource}); a.severity > 0 && !seen[key] {
					seen[key] = true
					want += Points(a.severity)
				} else if p != 0 {
					t.Fatalf("a repeat or a denial without severity cost %d", p)
				}
			}
			v := Start(70)
			v.C = s.Conduct()
			for _, x := range []uint8{v.P, v.A, v.C, v.N, v.R} {
				if x > Max || v.T() > x {
					t.Fatalf("out of bounds: %v", v)
				}
			}
			if s.Conduct() != Conduct(c, s.Points(), s.Windows()) {
				t.Fatal("the live conduct is not what the run's end will say")
			}
		}
		if s.Points() != want {
			t.Fatalf("points %d, want %d", s.Points(), want)
		}
	})
}

func TestConductIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, p, w := rapid.Uint8().Draw(t, "c"), rapid.Uint32().Draw(t, "p"), rapid.Uint32().Draw(t, "w")
		got := Conduct(c, p, w)
		if got > Max {
			t.Fatalf("out of bounds: %d", got)
		}
		if p < 1<<32-1 && Conduct(c, p+1, w) > got {
			t.Fatal("more points, more conduct")
		}
		if w < 1<<32-1 && Conduct(c, p, w+1) < got {
			t.Fatal("more windows, less conduct")
		}
	})
}

func TestMillionAllowsEqualOne(t *testing.T) {
	one, many := NewRunScore(60, 0), NewRunScore(60, 0)
	one.Allowed(5)
	for range 1_000_000 {
		many.Allowed(5)
	}
	one.Finish(Window)
	many.Finish(Window)
	if one.Conduct() != 61 || many.Conduct() != 61 {
		t.Errorf("conduct %d and %d, want 61 both", one.Conduct(), many.Conduct())
	}
}

func TestUnfinishedWindowDoesNotCount(t *testing.T) {
	s := NewRunScore(60, 100)
	s.Allowed(100)
	s.Finish(100 + Window - 1)
	if s.Windows() != 0 {
		t.Errorf("%d windows, want 0", s.Windows())
	}
}

// Denials alone bring a workload below 40 and then below 10, and it takes
// exactly as many windows to come back.
func TestFallAndRecovery(t *testing.T) {
	s := NewRunScore(StartConduct, 0)
	n := 0
	for s.Conduct() >= BasePolicy {
		s.Denied(0, "r", fmt.Sprint(n), 2)
		n++
	}
	if n != 5 || s.Conduct() != 35 {
		t.Fatalf("after %d denials conduct is %d, want 35 after 5", n, s.Conduct())
	}
	for s.Conduct() >= Quarantine {
		s.Denied(0, "r", fmt.Sprint(n), 2)
		n++
	}
	if n != 11 || s.Conduct() != 5 {
		t.Fatalf("after %d denials conduct is %d, want 5 after 11", n, s.Conduct())
	}
	for w := int64(1); w <= 100; w++ {
		s.Allowed(w * Window)
		s.Finish((w + 1) * Window)
		if want := uint8(min(100, 5+w)); s.Conduct() != want {
			t.Fatalf("after %d windows conduct is %d, want %d", w, s.Conduct(), want)
		}
	}
}

// Good conduct at the top is not saved up: the denial after it counts in full.
func TestNothingIsBanked(t *testing.T) {
	s := NewRunScore(100, 0)
	for w := range int64(1000) {
		s.Allowed(w * Window)
	}
	s.Denied(1000*Window, "r", "x", 3)
	if s.Conduct() != 90 {
		t.Errorf("conduct %d, want 90", s.Conduct())
	}
}

func TestScoreIsBounded(t *testing.T) {
	s := NewRunScore(100, 0)
	for i := range maxPairs {
		if s.Denied(0, "r", fmt.Sprint(i), 1) != 2 {
			t.Fatalf("pair %d did not score", i)
		}
	}
	if got := s.Denied(0, "r", "beyond", 1); got != 2 {
		t.Errorf("the first beyond the bound cost %d, want 2", got)
	}
	for i := range 3 * maxPairs {
		if s.Denied(0, "r", fmt.Sprint("more", i), 1) != 0 {
			t.Fatal("a rule scored twice beyond the bound")
		}
		s.Denied(0, fmt.Sprint("rule", i), "x", 1)
	}
	if len(s.seen)+len(s.late) > 2*maxPairs || s.bytes > maxBytes {
		t.Errorf("remembers %d pairs, %d rules, %d bytes", len(s.seen), len(s.late), s.bytes)
	}
	if got := s.Denied(0, "r", "0", 1); got != 0 {
		t.Errorf("a repeat cost %d", got)
	}
}

func TestFullPoints(t *testing.T) {
	s := NewRunScore(100, 0)
	long := string(make([]byte, 4096)) // the longest path there is
	for i := 0; len(s.late) == 0; i++ {
		s.Denied(0, "a rule with the longest id there may be"+long[:90], long+fmt.Sprint(i), 1)
	}
	if s.Points() < FullPoints {
		t.Errorf("full at %d points, want at least %d", s.Points(), FullPoints)
	}
}
