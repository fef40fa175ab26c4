package abi

// Digest is a 32-byte digest; which function made it is said where it stands.
type Digest [32]byte

// IsZero tells whether d is unset.
func (d Digest) IsZero() bool { return d == Digest{} }

// Hex returns d in lower-case hexadecimal.
func (d Digest) Hex() string {
	const hex = "0123456789abcdef"
	b := make([]byte, 64)
	for i, v := range d {
		b[2*i], b[2*i+1] = hex[v>>4], hex[v&15]
	}
	return string(b)
}

// Short returns the first 12 hexadecimal digits, for people.
func (d Digest) Short() string { return d.Hex()[:12] }

// Kind is a record's kind. Numbers stand in the log: stable, never reused.
type Kind uint16

// Record kinds.
const (
	KindGenesis          Kind = 1  // *Genesis: the log begins
	KindRecovered        Kind = 2  // *Recovered: a torn tail was moved aside
	KindSegmentSealed    Kind = 3  // *SegmentSealed: a segment is full
	KindLogKey           Kind = 4  // *LogKey: another key signs what follows
	KindKeyAdd           Kind = 10 // *KeyAdd
	KindKeyRemove        Kind = 11 // *KeyRemove
	KindConfig           Kind = 12 // *Config: a signed configuration is in force
	KindPolicy           Kind = 13 // *Policy: a policy is in force
	KindKeyRevoke        Kind = 14 // *KeyRevoke: a key never counts again
	KindKeyThreshold     Kind = 15 // *KeyThreshold: how many operators sign an act
	KindWitnesses        Kind = 16 // *WitnessSet: who must have seen the log
	KindPackageInstall   Kind = 20 // *PackageInstall
	KindPackageUninstall Kind = 21 // *PackageUninstall
	KindRevocations      Kind = 22 // *Revocations: a part of a signed revocation list
	KindDowngrade        Kind = 23 // *Downgrade: a package may go back to a lower serial
	KindRunStart         Kind = 30 // *RunStart
	KindRunEnd           Kind = 31 // *RunEnd
	KindDenial           Kind = 32 // *Denial: the first per (run, rule, syscall)
	KindTrust            Kind = 33 // *TrustChange
	KindRunStop          Kind = 34 // *RunStop: a run is to stop at its next call or tick
	KindHold             Kind = 35 // *Hold: a run's recording is kept
	KindHoldEnd          Kind = 36 // *HoldEnd: and no more
	KindRecordingDrop    Kind = 37 // *RecordingDrop: a run's recording is dropped
)

var kindNames = map[Kind]string{
	KindGenesis: "log.genesis", KindRecovered: "log.recovered", KindSegmentSealed: "log.sealed", KindKeyAdd: "key.add",
	KindKeyRemove: "key.remove", KindConfig: "config.set", KindPolicy: "policy.set", KindPackageInstall: "package.install",
	KindPackageUninstall: "package.uninstall", KindRunStart: "run.start", KindRunEnd: "run.end", KindDenial: "run.denial",
	KindTrust: "trust.change", KindLogKey: "log.key", KindKeyRevoke: "key.revoke", KindKeyThreshold: "key.threshold",
	KindWitnesses: "log.witnesses", KindRevocations: "package.revoke", KindDowngrade: "package.downgrade", KindRunStop: "run.stop",
	KindHold: "run.hold", KindHoldEnd: "run.unhold", KindRecordingDrop: "recording.drop",
}

// String returns the kind as listings write it: "run.start".
func (k Kind) String() string {
	if s, ok := kindNames[k]; ok {
		return s
	}
	return "kind(" + utoa(uint64(k)) + ")"
}

// Record is one item of the evidence log. Body is a pointer to the struct that
// the comment of its Kind names. Its index is its position, so it is not in it.
// The field numbers of the bodies stand in the log: stable, never reused.
type Record struct {
	Kind Kind
	Time int64 // unix nanoseconds, by the node's clock
	Body any
}

// NewBody returns a pointer to an empty body of kind k, nil for an unknown kind.
func NewBody(k Kind) any {
	switch k {
	case KindGenesis:
		return new(Genesis)
	case KindRecovered:
		return new(Recovered)
	case KindSegmentSealed:
		return new(SegmentSealed)
	case KindKeyAdd:
		return new(KeyAdd)
	case KindKeyRemove:
		return new(KeyRemove)
	case KindConfig:
		return new(Config)
	case KindPolicy:
		return new(Policy)
	case KindPackageInstall:
		return new(PackageInstall)
	case KindPackageUninstall:
		return new(PackageUninstall)
	case KindRunStart:
		return new(RunStart)
	case KindRunEnd:
		return new(RunEnd)
	case KindDenial:
		return new(Denial)
	case KindTrust:
		return new(TrustChange)
	case KindLogKey:
		return new(LogKey)
	case KindKeyRevoke:
		return new(KeyRevoke)
	case KindKeyThreshold:
		return new(KeyThreshold)
	case KindWitnesses:
		return new(WitnessSet)
	case KindRevocations:
		return new(Revocations)
	case KindDowngrade:
		return new(Downgrade)
	case KindRunStop:
		return new(RunStop)
	case KindHold:
		return new(Hold)
	case KindHoldEnd:
		return new(HoldEnd)
	case KindRecordingDrop:
		return new(RecordingDrop)
	}
	return nil
}

// KindOf returns the kind of a record body, 0 if it is none.
func KindOf(body any) Kind {
	switch body.(type) {
	case *Genesis:
		return KindGenesis
	case *Recovered:
		return KindRecovered
	case *SegmentSealed:
		return KindSegmentSealed
	case *KeyAdd:
		return KindKeyAdd
	case *KeyRemove:
		return KindKeyRemove
	case *Config:
		return KindConfig
	case *Policy:
		return KindPolicy
	case *PackageInstall:
		return KindPackageInstall
	case *PackageUninstall:
		return KindPackageUninstall
	case *RunStart:
		return KindRunStart
	case *RunEnd:
		return KindRunEnd
	case *Denial:
		return KindDenial
	case *TrustChange:
		return KindTrust
	case *LogKey:
		return KindLogKey
	case *KeyRevoke:
		return KindKeyRevoke
	case *KeyThreshold:
		return KindKeyThreshold
	case *WitnessSet:
		return KindWitnesses
	case *Revocations:
		return KindRevocations
	case *Downgrade:
		return KindDowngrade
	case *RunStop:
		return KindRunStop
	case *Hold:
		return KindHold
	case *HoldEnd:
		return KindHoldEnd
	case *RecordingDrop:
		return KindRecordingDrop
	}
	return 0
}

// Genesis begins a log.
type Genesis struct {
	Origin string `cbor:"1,keyasint" json:"origin"`
	LogKey []byte `cbor:"2,keyasint" json:"log_key"` // Ed25519, of term 0
}

// Recovered tells what was moved aside when the log was opened after a crash.
type Recovered struct {
	Segment uint64 `cbor:"1,keyasint" json:"segment"`
	Offset  uint64 `cbor:"2,keyasint" json:"offset"` // in the segment file, bytes
	Length  uint64 `cbor:"3,keyasint" json:"length"` // bytes moved aside
	SHA3    Digest `cbor:"4,keyasint" json:"sha3"`   // domain forgeone/torn-tail/v1
}

// SegmentSealed commits to a full segment.
type SegmentSealed struct {
	Segment uint64 `cbor:"1,keyasint" json:"segment"`
	Size    uint64 `cbor:"2,keyasint" json:"size"` // records in the log when it was sealed
	Seal    Digest `cbor:"3,keyasint" json:"seal"`
}

// Role is what a key may do.
type Role string

// Roles.
const (
	RolePublisher Role = "publisher" // signs packages
	RoleOperator  Role = "operator"  // signs operator's acts
	RolePolicy    Role = "policy"    // signs policy bundles
	RoleNode      Role = "node"      // signs the configuration
)

// KeyAdd puts a public key into the keyring.
type KeyAdd struct {
	Name   string `cbor:"1,keyasint" json:"name"`
	Role   Role   `cbor:"2,keyasint" json:"role"`
	Alg    string `cbor:"3,keyasint" json:"alg"` // "ed25519"; a publisher's may be "mldsa44"
	Public []byte `cbor:"4,keyasint" json:"public"`
	ID     Digest `cbor:"5,keyasint" json:"id"`                        // SHA3-256(alg ‖ public key); a pair's is the Ed25519 key's
	Local  bool   `cbor:"6,keyasint,omitempty" json:"local,omitempty"` // this node's own developer key
	Act    Act    `cbor:"7,keyasint,omitzero" json:"act,omitzero"`     // zero only in the batch that founds the node
	// Post, if not empty, is an ML-DSA-44 public key that makes a pair of this
	// publisher's Ed25519 key: only both signatures together count, as one.
	Post []byte `cbor:"8,keyasint,omitempty" json:"post,omitempty"`
}

// KeyRemove takes a key out of the keyring.
type KeyRemove struct {
	ID  Digest `cbor:"1,keyasint" json:"id"`
	Act Act    `cbor:"2,keyasint,omitzero" json:"act,omitzero"`
}

// Config says which configuration is in force.
type Config struct {
	Digest  Digest `cbor:"1,keyasint" json:"digest"`
	Version uint64 `cbor:"2,keyasint" json:"version"`
}

// Policy says which policy is in force, as epoch Epoch.
type Policy struct {
	Epoch  uint64 `cbor:"1,keyasint" json:"epoch"`
	Digest Digest `cbor:"2,keyasint" json:"digest"`
}

// PackageInstall says that a package was verified and installed.
type PackageInstall struct {
	Name     string   `cbor:"1,keyasint" json:"name"`
	Version  string   `cbor:"2,keyasint" json:"version"`
	Package  Digest   `cbor:"3,keyasint" json:"package"` // of the package file
	Module   Digest   `cbor:"4,keyasint" json:"module"`  // of the module in it
	Signers  []Digest `cbor:"5,keyasint" json:"signers"` // key ids
	Standing Standing `cbor:"6,keyasint" json:"standing"`
	Trust    Trust    `cbor:"7,keyasint" json:"trust"`
	Serial   uint64   `cbor:"8,keyasint" json:"serial"` // the manifest's monotonic version
}

// PackageUninstall says that a package was removed.
type PackageUninstall struct {
	Name string `cbor:"1,keyasint" json:"name"`
}

// Standing is what a workload's identity is worth.
type Standing uint8

// Standings. Enclave and EdgeGateway are reserved until something can attest them.
const (
	StandingUnverified  Standing = 0
	StandingSigned      Standing = 1
	StandingRoot        Standing = 2
	StandingCompromised Standing = 3
	StandingEnclave     Standing = 4
	StandingEdgeGateway Standing = 5
)

// String returns "Unverified", "Signed", ….
func (s Standing) String() string {
	names := [...]string{"Unverified", "Signed", "Root", "Compromised", "Enclave", "EdgeGateway"}
	if int(s) < len(names) {
		return names[s]
	}
	return "standing(" + utoa(uint64(s)) + ")"
}

// RunID is a run's id: "r" and 16 lower-case hexadecimal digits of randomness.
type RunID string

// Limits bound a run. Zero means: the default of the configuration.
type Limits struct {
	Fuel        uint64 `cbor:"1,keyasint,omitempty" json:"fuel,omitempty"`        // units of the tick; 0: none
	Deadline    int64  `cbor:"2,keyasint,omitempty" json:"deadline_ns,omitempty"` // nanoseconds; 0: none
	Memory      uint64 `cbor:"3,keyasint" json:"memory"`                          // bytes of linear memory
	Table       uint32 `cbor:"4,keyasint" json:"table"`                           // elements
	Descriptors uint32 `cbor:"5,keyasint" json:"descriptors"`
	Output      uint64 `cbor:"6,keyasint" json:"output"`    // bytes to stdout and stderr together
	Recording   uint64 `cbor:"7,keyasint" json:"recording"` // bytes on disk
	Depth       uint32 `cbor:"8,keyasint" json:"depth"`     // nested guest calls
	// The following were added later and are left out while zero, so that older
	// records keep their bytes.
	Scratch uint64 `cbor:"9,keyasint,omitempty" json:"scratch,omitempty"`  // bytes of the files in /tmp, which lie in memory
	Disk    uint64 `cbor:"10,keyasint,omitempty" json:"disk,omitempty"`    // bytes by which files in writable mounts may grow
	Denials uint64 `cbor:"11,keyasint,omitempty" json:"denials,omitempty"` // denied calls
}

// RunStart says that a run begins; it is durable before the first instruction.
type RunStart struct {
	Run       RunID    `cbor:"1,keyasint" json:"run"`
	Workload  string   `cbor:"2,keyasint" json:"workload"` // package name, or "bare:" and the module's short digest
	Package   Digest   `cbor:"3,keyasint" json:"package"`  // zero for a bare module
	Module    Digest   `cbor:"4,keyasint" json:"module"`
	Rewritten Digest   `cbor:"5,keyasint" json:"rewritten"`
	Policy    Digest   `cbor:"6,keyasint" json:"policy"`
	Epoch     uint64   `cbor:"7,keyasint" json:"epoch"`
	Standing  Standing `cbor:"8,keyasint" json:"standing"`
	Trust     Trust    `cbor:"9,keyasint" json:"trust"`
	Grants    Digest   `cbor:"10,keyasint" json:"grants"` // commitment to grants, args and env: they may hold personal data
	Limits    Limits   `cbor:"11,keyasint" json:"limits"`
	Mode      string   `cbor:"12,keyasint" json:"mode"`      // "full"
	Recording Digest   `cbor:"13,keyasint" json:"recording"` // digest of the recording's header
}

// DenialCount counts denials of one rule and syscall in a run.
type DenialCount struct {
	Rule  string `cbor:"1,keyasint" json:"rule"`
	Num   Num    `cbor:"2,keyasint" json:"num"`
	Count uint64 `cbor:"3,keyasint" json:"count"`
}

// RunEnd says how a run ended; it is durable before the result is reported.
type RunEnd struct {
	Run     RunID         `cbor:"1,keyasint" json:"run"`
	Outcome Outcome       `cbor:"2,keyasint" json:"outcome"`
	Exit    uint32        `cbor:"3,keyasint" json:"exit"` // the guest's true exit code
	Calls   uint64        `cbor:"4,keyasint" json:"calls"`
	Denials uint64        `cbor:"5,keyasint" json:"denials"`
	Denied  []DenialCount `cbor:"6,keyasint,omitempty" json:"denied,omitempty"` // at most 64, largest first
	Fuel    uint64        `cbor:"7,keyasint" json:"fuel"`                       // used
	Ticks   uint64        `cbor:"8,keyasint" json:"ticks"`
	Seal    Digest        `cbor:"9,keyasint" json:"seal"`                         // of the recording
	End     Digest        `cbor:"10,keyasint" json:"end"`                         // seal over the end state's MAC and the exit code
	Points  uint32        `cbor:"11,keyasint,omitempty" json:"points,omitempty"`  // conduct points lost
	Windows uint32        `cbor:"12,keyasint,omitempty" json:"windows,omitempty"` // clean active windows
	Size    uint64        `cbor:"13,keyasint" json:"size"`                        // of the recording, bytes; of an aborted run's, as it was found
	Reached Limit         `cbor:"14,keyasint,omitempty" json:"reached,omitempty"` // limits that refused the guest something
}

// Denial is the first denial per (run, rule, syscall).
type Denial struct {
	Run      RunID  `cbor:"1,keyasint" json:"run"`
	Rule     string `cbor:"2,keyasint" json:"rule"` // rule id, or the reason ("no grant")
	Num      Num    `cbor:"3,keyasint" json:"num"`
	Reason   Reason `cbor:"4,keyasint" json:"reason"`
	Severity uint8  `cbor:"5,keyasint" json:"severity"`
	Call     uint64 `cbor:"6,keyasint" json:"call"`   // call index
	Object   Digest `cbor:"7,keyasint" json:"object"` // commitment to the resource's name, salted with the run's id and key
}

// TrustChange says that a workload's trust vector changed and why.
type TrustChange struct {
	Workload string `cbor:"1,keyasint" json:"workload"`
	From     Trust  `cbor:"2,keyasint" json:"from"`
	To       Trust  `cbor:"3,keyasint" json:"to"`
	Cause    uint64 `cbor:"4,keyasint" json:"cause"` // index of the record that caused it
}
