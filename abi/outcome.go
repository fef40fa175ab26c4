package abi

// Outcome is how a run ended.
type Outcome uint8

// Outcomes. Their numbers stand in records: stable, never reused.
const (
	OutcomeNone          Outcome = iota // still running
	OutcomeExit                         // the guest ended, with an exit code
	OutcomeTrap                         // the guest trapped
	OutcomeFuel                         // fuel used up
	OutcomeDeadline                     // the deadline passed
	OutcomeMemory                       // a memory or table limit at instantiation
	OutcomeOutput                       // too much output
	OutcomeRecordingFull                // no room to record
	OutcomeDepth                        // calls nested too deep
	OutcomeStopped                      // stopped by an operator or a signal, or because it was revoked
	OutcomeQuarantined                  // quarantined while running
	OutcomeAborted                      // the process that ran it died
	OutcomeLogFailed                    // the evidence log could not be written
	OutcomeKernel                       // the kernel failed
	OutcomeDiverged                     // a replay left its recording; never in the log
	OutcomeDenials                      // too many denied calls
	OutcomeStack                        // calls took too much of the engine's stack
	outcomeEnd
)

// Logged tells whether a run that ended can stand in the log with o.
func (o Outcome) Logged() bool {
	return o != OutcomeNone && o != OutcomeDiverged && o < outcomeEnd
}

var outcomes = [outcomeEnd]struct {
	name string
	code Code
	exit int
}{
	OutcomeNone:          {"running", "", 0},
	OutcomeExit:          {"exit", "", 0},
	OutcomeTrap:          {"trap", "F1-RUN-120", 120},
	OutcomeFuel:          {"fuel", "F1-RUN-121", 121},
	OutcomeDeadline:      {"deadline", "F1-RUN-122", 122},
	OutcomeMemory:        {"memory", "F1-RUN-123", 123},
	OutcomeOutput:        {"output", "F1-RUN-124", 123},
	OutcomeRecordingFull: {"recording-full", "F1-RUN-125", 123},
	OutcomeDepth:         {"depth", "F1-RUN-126", 120},
	OutcomeStopped:       {"stopped", "F1-RUN-137", 137},
	OutcomeQuarantined:   {"quarantined", "F1-RUN-138", 137},
	OutcomeAborted:       {"aborted", "F1-RUN-139", 125},
	OutcomeLogFailed:     {"log-failed", "F1-RUN-140", 125},
	OutcomeKernel:        {"kernel-failed", "F1-RUN-141", 125},
	OutcomeDiverged:      {"diverged", "F1-RPL-001", 1},
	OutcomeDenials:       {"denials", "F1-RUN-131", 123},
	OutcomeStack:         {"stack", "F1-RUN-134", 120},
}

// String returns the outcome's name: "exit", "fuel".
func (o Outcome) String() string {
	if o < outcomeEnd {
		return outcomes[o].name
	}
	return "outcome(" + utoa(uint64(o)) + ")"
}

// Code returns the outcome's stable error code, "" for a run that ended by itself.
func (o Outcome) Code() Code {
	if o < outcomeEnd {
		return outcomes[o].code
	}
	return ""
}

// MaxGuestExit is the highest exit code of a guest that `run` passes on;
// higher ones come as this one, and the true one stands in the record.
const MaxGuestExit = 119

// ExitStatus is what `forgeone run` exits with for outcome o and guest code.
func (o Outcome) ExitStatus(guest uint32) int {
	if o == OutcomeExit {
		return int(min(guest, MaxGuestExit))
	}
	if o < outcomeEnd {
		return outcomes[o].exit
	}
	return 125
}
