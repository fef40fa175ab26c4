// Package trust turns what is known and recorded of a workload into its trust
// vector and standing. It is pure integer arithmetic: no clock, no I/O, so the
// same log gives the same vector. Anomaly (N) and resources (R) stay at 100
// until something measures them.
package trust

import "github.com/forgeone/forgeone/abi"

// Bounds and fixed points of components.
const (
	Max = 100
	// StartConduct is where conduct begins.
	StartConduct = 60
	// BasePolicy is the trust from which the base policy permits anything.
	BasePolicy = 40
	// Quarantine is the trust below which a workload is compromised.
	Quarantine = 10
	// MaxSeverity is the highest severity a rule may have.
	MaxSeverity = 5
)

// Provenances.
const (
	ProvenanceUnknown   = 0   // nobody we know vouches for it
	ProvenanceBare      = 40  // a module without a package
	ProvenanceLocal     = 50  // signed by this node's own developer key
	ProvenancePublisher = 70  // signed by a publisher in the keyring
	ProvenanceQuorum    = 100 // signed by a quorum, with build provenance
)

// Provenance is component P of a workload: bare says that it has no package,
// localKey and knownPublisher whose keys signed it, quorum that a quorum did and
// that its build is proven. The strongest holds, but bare stays bare.
func Provenance(bare, localKey, knownPublisher, quorum bool) uint8 {
	switch {
	case bare:
		return ProvenanceBare
	case quorum:
		return ProvenanceQuorum
	case knownPublisher:
		return ProvenancePublisher
	case localKey:
		return ProvenanceLocal
	}
	return ProvenanceUnknown
}

// Start is the vector of a workload that has done nothing yet.
func Start(p uint8) abi.Trust {
	return abi.Trust{P: min(p, Max), A: Max, C: StartConduct, N: Max, R: Max}
}

// Points is what a denial by a rule of this severity takes from conduct. More
// than MaxSeverity counts as MaxSeverity.
func Points(severity uint8) uint32 {
	return [MaxSeverity + 1]uint32{0, 2, 5, 10, 25, 60}[min(severity, MaxSeverity)]
}

// Conduct is component C after a run that began with c, lost points and had
// that many clean active windows which counted (RunScore.Windows).
func Conduct(c uint8, points, windows uint32) uint8 {
	return uint8(max(0, min(Max, int64(min(c, Max))-int64(points)+int64(windows))))
}

// Standing is the standing of a workload whose vector is now t. Compromised is
// a latch: no vector leads out of it, only an operator's signed act does.
func Standing(before abi.Standing, t abi.Trust) abi.Standing {
	if t.T() < Quarantine {
		return abi.StandingCompromised
	}
	return before
}
