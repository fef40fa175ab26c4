package brain

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// Run is a run as the log knows it. What else its records say stands at their
// indexes.
type Run struct {
	ID       abi.RunID
	Workload string
	Start    uint64 // index of its run.start
	Started  int64  // time of that record, unix nanoseconds
	Outcome  abi.Outcome
	Exit     uint32

	// The following are zero while the run is open.
	End     uint64 // index of its run.end
	Ended   int64  // time of that record, unix nanoseconds
	Calls   uint64
	Denials uint64
	Seal    abi.Digest // of its recording
	Size    uint64     // of its recording, bytes

	// Indexes of records, 0 where there is none.
	Stop uint64 // run.stop: why it was stopped
	Held uint64 // run.hold, until that is ended
	Drop uint64 // recording.drop: there is no recording any more
}

// Open tells whether the run has not ended.
func (r Run) Open() bool { return r.Outcome == abi.OutcomeNone }

// run is a Run, kept small: a log has millions.
type run struct {
	id             uint64
	start, end     uint64
	started, ended int64
	calls, denials uint64
	workload       *Workload
	exit           uint32
	outcome        abi.Outcome
	seal           abi.Digest

	size             uint64
	stop, hold, drop uint64
	prev, next       uint32 // in its workload's queue: numbers plus 1, 0 at the ends
}

// openRun is what must be known of a run only until it ends.
type openRun struct {
	conduct uint8               // at its start
	denied  []denial            // records, in order: the score follows from them
	seen    map[denied]struct{} // per rule and syscall
	score   *trust.RunScore
	stop    *abi.RunStop // somebody asked for its end
}

// denial is what counts of a run.denial.
type denial struct {
	_        struct{} `cbor:",toarray"`
	Rule     string
	Num      abi.Num
	Severity uint8
	Object   abi.Digest
}

type denied struct {
	rule string
	num  abi.Num
}

func newOpenRun(conduct uint8) *openRun {
	return &openRun{conduct: conduct, seen: map[denied]struct{}{}, score: trust.NewRunScore(conduct, 0)}
}

func (o *openRun) deny(d denial) {
	o.denied = append(o.denied, d)
	o.seen[denied{d.Rule, d.Num}] = struct{}{}
	o.score.Denied(0, d.Rule, string(d.Object[:]), d.Severity)
}

// runNumber reads the form of a run's id.
func runNumber(id abi.RunID) (uint64, bool) {
	var b [8]byte
	if len(id) != 17 || id[0] != 'r' || strings.ToLower(string(id)) != string(id) {
		return 0, false
	}
	if _, err := hex.Decode(b[:], []byte(id[1:])); err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[:]), true
}

func runID(n uint64) abi.RunID {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return abi.RunID("r" + hex.EncodeToString(b[:]))
}

const barePrefix = "bare:"

// BareName is the workload of a module without a package.
func BareName(module abi.Digest) string { return barePrefix + module.Short() }

func isBare(name string) bool { return strings.HasPrefix(name, barePrefix) }

// Bare is the workload of a module without a package as it would start now: its
// conduct is kept by the module's digest.
func (s *State) Bare(module abi.Digest) Workload {
	name := BareName(module)
	if w := s.workloads[name]; w != nil {
		return *w
	}
	return Workload{Name: name, Trust: trust.Start(trust.Provenance(true, false, false, false)), Standing: abi.StandingUnverified, Cause: s.size}
}

func (s *State) runStart(index uint64, r abi.Record, b *abi.RunStart) error {
	no := func(format string, args ...any) error { return refuse(abi.CodeBrainStart, index, r, format, args...) }
	n, ok := runNumber(b.Run)
	if !ok {
		return no("%q is no run's id", b.Run)
	}
	if _, used, err := s.runs.number(n); err != nil {
		return err
	} else if used {
		return no("the id %s was used before", b.Run)
	}
	if s.runs.count() == math.MaxUint32 {
		return no("the log has too many runs")
	}
	var w Workload
	if isBare(b.Workload) {
		if b.Workload != BareName(b.Module) || !b.Package.IsZero() {
			return no("the bare module %s is recorded as %q with package %s", b.Module.Short(), b.Workload, b.Package.Short())
		}
		w = s.Bare(b.Module)
	} else {
		p, ok := s.packages[b.Workload]
		if !ok {
			return no("no package %q is installed", b.Workload)
		}
		if p.Package != b.Package || p.Module != b.Module {
			return no("package %s with module %s is not what is installed as %q", b.Package.Short(), b.Module.Short(), b.Workload)
		}
		if err := s.vouched(index, r, p); err != nil {
			return err
		}
		w = *s.workloads[b.Workload]
	}
	if err := s.current(index, r, b.Package, b.Module, s.packages[b.Workload].Signers); err != nil {
		return err
	}
	if w.Standing == abi.StandingCompromised {
		return no("%q is quarantined since record %d", w.Name, w.Cause)
	}
	if b.Trust != w.Trust || b.Standing != w.Standing {
		return no("%q is recorded as %v with %v, it is %v with %v", w.Name, b.Standing, b.Trust, w.Standing, w.Trust)
	}
	if b.Epoch != s.policy.Epoch {
		return no("it is decided by policy epoch %d, epoch %d is in force", b.Epoch, s.policy.Epoch)
	}
	known := s.workloads[w.Name]
	if known == nil {
		w.Cause = index
		known = s.appear(w)
	}
	s.runs.add(run{id: n, start: index, started: r.Time, workload: known})
	s.open[n] = newOpenRun(w.Trust.C)
	return nil
}

// appear makes a workload known.
func (s *State) appear(w Workload) *Workload {
	w.number = uint32(len(s.numbered))
	s.workloads[w.Name] = &w
	s.numbered = append(s.numbered, &w)
	s.keep.enter(&w)
	return &w
}

// find returns the open run named id, or nil.
func (s *State) find(id abi.RunID) (*run, *openRun) {
	n, ok := runNumber(id)
	if !ok || s.open[n] == nil {
		return nil, nil
	}
	return s.runs.held(n), s.open[n]
}

func (s *State) denial(index uint64, r abi.Record, b *abi.Denial) error {
	_, o := s.find(b.Run)
	if o == nil {
		return refuse(abi.CodeBrainDenial, index, r, "no run %q is open", b.Run)
	}
	k := denied{b.Rule, b.Num}
	if _, ok := o.seen[k]; ok {
		return refuse(abi.CodeBrainDenial, index, r, "%s was denied %v by %q before", b.Run, abi.Action(b.Num), b.Rule)
	}
	if abi.CodeForReason(b.Reason) == "" || b.Severity > trust.MaxSeverity || b.Rule == "" || abi.Lookup(b.Num) == nil {
		return refuse(abi.CodeBrainDenial, index, r, "no denial has reason %v, severity %d, rule %q and syscall %d", b.Reason, b.Severity, b.Rule, b.Num)
	}
	o.deny(denial{Rule: b.Rule, Num: b.Num, Severity: b.Severity, Object: b.Object})
	return nil
}

func (s *State) runEnd(index uint64, r abi.Record, b *abi.RunEnd) error {
	no := func(format string, args ...any) error { return refuse(abi.CodeBrainEnd, index, r, format, args...) }
	u, o := s.find(b.Run)
	switch {
	case o == nil:
		return no("no run %q is open", b.Run)
	case !b.Outcome.Logged():
		return no("a run does not end as %v", b.Outcome)
	case b.Outcome == abi.OutcomeDenials && b.Denials == 0:
		return no("it ended for its denials and had none")
	case b.Reached&^abi.LimitsAll != 0:
		return no("no limits have the numbers %#x", uint32(b.Reached))
	case b.Outcome == abi.OutcomeAborted:
		// Nobody was there to count; what was recorded while it ran counts.
		if b.Windows != 0 || b.Points != 0 && b.Points != o.score.Points() {
			return no("an aborted run earns nothing and loses the %d points of its denials", o.score.Points())
		}
	case b.Denials > b.Calls || b.Denials < uint64(len(o.denied)):
		return no("%d denials in %d calls, with %d on record", b.Denials, b.Calls, len(o.denied))
	case b.Points < min(o.score.Points(), trust.FullPoints):
		return no("%d points, the denials on record make %d", b.Points, o.score.Points())
	}
	var sum uint64
	for i, d := range b.Denied {
		if sum += d.Count; d.Count == 0 || sum < d.Count || i > 0 && d.Count > b.Denied[i-1].Count {
			return no("its counts of denials are not in order")
		}
	}
	if sum > b.Denials || len(b.Denied) > maxCounts {
		return no("its counts of denials are too many")
	}
	changes := s.Judge(index, b)
	if err := s.kept(index, r, u, b.Size); err != nil {
		return err
	}
	s.pending = append(s.pending, changes...)
	u.end, u.ended, u.outcome, u.exit = index, r.Time, b.Outcome, b.Exit
	u.calls, u.denials, u.seal = b.Calls, b.Denials, b.Seal
	delete(s.open, u.id)
	return nil
}

// maxCounts is how many counts a run.end may hold.
const maxCounts = 64
