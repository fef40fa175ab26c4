package provider

import "github.com/forgeone/forgeone/abi"

// Signals of preview 1 (witx typename "signal") that do not end a process.
const (
	sigNone  = 0
	sigChld  = 16
	sigCont  = 17
	sigStop  = 18
	sigTtou  = 21 // sigStop, TSTP, TTIN, TTOU
	sigUrg   = 22
	sigWinch = 27
	sigSys   = 30 // the last
)

// signalErrno is why raising sig can do nothing. Nothing in preview 1 could
// continue a guest that was stopped.
func signalErrno(sig uint8) abi.Errno {
	switch {
	case sig > sigSys:
		return abi.EINVAL
	case sig >= sigStop && sig <= sigTtou:
		return abi.ENOTSUP
	}
	return 0
}

// terminates tells whether sig ends the process that raises it. Preview 1 has
// no handlers, so that each signal does what it does without one (POSIX).
func terminates(sig uint8) bool {
	switch sig {
	case sigNone, sigChld, sigCont, sigUrg, sigWinch:
		return false
	}
	return true
}
