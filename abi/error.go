package abi

import (
	"errors"
	"strings"
)

// Code is a stable error code: "F1-LOG-003". `forgeone explain` knows each.
type Code string

// Error is an error for people and programs: what failed, where, and a line to
// paste that mends it.
type Error struct {
	Code  Code
	What  string // "log verify: segment seal does not match"
	Where string // "log/00000000.seg at byte 4096", "policy.cedar:3:1"; may be empty
	Hint  string // a line to paste; may be empty
	Err   error  // the cause; may be nil
}

// Errorf-like construction is deliberately absent: say each part.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	if e.Where != "" {
		b.WriteString(" (" + e.Where + ")")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is match on the code: errors.Is(err, &Error{Code: c}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.What == ""
}

// CodeOf returns the code of the first *Error in err's chain, "" if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// CodeInfo is what `forgeone explain` says about a code.
type CodeInfo struct {
	Code  Code
	Title string // one line
	Text  string // what it means and what to do
	Exit  int    // the exit code of a command that ends with it
}

// Codes lists every error code, sorted as the areas list them.
func Codes() []CodeInfo {
	var all []CodeInfo
	for _, a := range [][]CodeInfo{runCodes, logCodes, keyCodes, configCodes, packageCodes, revokeCodes, policyCodes, moduleCodes, fileCodes, recordingCodes, retainCodes, brainCodes, kernelCodes, witnessCodes, cliCodes} {
		all = append(all, a...)
	}
	return all
}

// LookupCode returns the entry of c and whether there is one.
func LookupCode(c Code) (CodeInfo, bool) {
	for _, i := range Codes() {
		if i.Code == c {
			return i, true
		}
	}
	return CodeInfo{}, false
}
