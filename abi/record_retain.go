package abi

// Hold keeps a run's recording, whatever the budgets say, until a HoldEnd.
type Hold struct {
	Run    RunID  `cbor:"1,keyasint" json:"run"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"` // for people, at most 256 bytes
}

// HoldEnd ends a hold: the recording may be dropped again. To let evidence go is
// an operator's act; to keep it is not.
type HoldEnd struct {
	Run RunID `cbor:"1,keyasint" json:"run"`
	Act Act   `cbor:"2,keyasint,omitzero" json:"act,omitzero"`
}

// DropCause says which budget a recording was dropped for.
type DropCause string

// Causes of a drop.
const (
	DropWorkload DropCause = "workload" // its workload kept more than a workload may
	DropTotal    DropCause = "total"    // all workloads together kept more than they may, and this one a fair share or more
)

// RecordingDrop says that a run's recording is dropped, whole: it is durable
// before the file is removed.
type RecordingDrop struct {
	Run    RunID     `cbor:"1,keyasint" json:"run"`
	Cause  DropCause `cbor:"2,keyasint" json:"cause"`
	Budget uint64    `cbor:"3,keyasint" json:"budget"` // bytes, of the cause
	Size   uint64    `cbor:"4,keyasint" json:"size"`   // of the recording, as in its run.end
	Seal   Digest    `cbor:"5,keyasint" json:"seal"`   // of the recording, as in its run.end
}
