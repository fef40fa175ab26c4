package trust

import "math"

// Window is the length of a window of conduct, in nanoseconds of recorded time.
const Window = 60_000_000_000

// FullPoints is what a run has lost at the least when its RunScore can remember
// no more: until then each pair scored, afterwards only some do. So whoever sees
// a part of a run's denials can tell its points up to here.
const FullPoints = 400

// Bounds of what a RunScore remembers of one run.
const (
	maxPairs = 4096
	maxBytes = 1 << 20
)

// RunScore adds up one run's conduct while it runs: the points it lost and the
// clean active windows it had. It is fed recorded time, in order; time that goes
// backwards counts as standing still. Its memory is bounded. It is not safe for
// concurrent use.
type RunScore struct {
	start   uint8
	points  uint32
	windows uint32

	origin int64 // unix nanoseconds at which window 0 began
	window int64 // the window under way
	active bool  // it had an allowed call
	dirty  bool  // it had a denial that scored

	seen  map[pair]struct{}
	bytes int
	late  map[string]struct{} // rules that scored after seen was full
}

type pair struct{ rule, resource string }

// NewRunScore begins the score of a run that starts with conduct c at the recorded
// time now, in unix nanoseconds.
func NewRunScore(c uint8, now int64) *RunScore {
	return &RunScore{start: min(c, Max), origin: now, seen: map[pair]struct{}{}, late: map[string]struct{}{}}
}

// Allowed notes an allowed call. A million in one window count as one.
func (s *RunScore) Allowed(now int64) {
	s.advance(now)
	s.active = true
}

// Denied notes a denial by rule on resource and returns the points it cost: 0
// for a repeat of the same pair and for a call that no rule matched, which has
// severity 0. When too many pairs have been seen to remember more, each rule
// scores once more and then no longer.
func (s *RunScore) Denied(now int64, rule, resource string, severity uint8) uint32 {
	s.advance(now)
	p := Points(severity)
	if p == 0 || !s.first(rule, resource) {
		return 0
	}
	s.dirty = true
	s.points += min(p, math.MaxUint32-s.points)
	return p
}

// first tells whether rule and resource are to score, and remembers them.
func (s *RunScore) first(rule, resource string) bool {
	k := pair{rule, resource}
	if _, ok := s.seen[k]; ok {
		return false
	}
	if size := len(rule) + len(resource); len(s.seen) < maxPairs && s.bytes+size <= maxBytes {
		s.seen[k] = struct{}{}
		s.bytes += size
		return true
	}
	if _, ok := s.late[rule]; ok || len(s.late) == maxPairs {
		return false
	}
	s.late[rule] = struct{}{}
	return true
}

// advance closes the window under way if now lies beyond it. A window counts
// when it is over, had an allowed call and no denial that scored, and could
// raise conduct: at the top nothing is saved up for later.
func (s *RunScore) advance(now int64) {
	w := (now - s.origin) / Window
	if w <= s.window {
		return
	}
	if s.active && !s.dirty && int64(s.start)-int64(s.points)+int64(s.windows) < Max {
		s.windows++
	}
	s.window, s.active, s.dirty = w, false, false
}

// Finish closes what is over at the recorded time now. The last window, which
// is not, does not count.
func (s *RunScore) Finish(now int64) { s.advance(now) }

// Points is what the run has lost so far, as abi.RunEnd wants it.
func (s *RunScore) Points() uint32 { return s.points }

// Windows is the number of clean active windows that counted so far.
func (s *RunScore) Windows() uint32 { return s.windows }

// Conduct is what conduct is now, and what it will be if the run ends here.
func (s *RunScore) Conduct() uint8 { return Conduct(s.start, s.points, s.windows) }
