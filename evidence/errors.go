package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
)

// Codes of this package's errors; `forgeone explain` says what each means.
const (
	CodeMissing   abi.Code = "F1-LOG-001"
	CodeExists    abi.Code = "F1-LOG-002"
	CodeDamaged   abi.Code = "F1-LOG-003"
	CodeTorn      abi.Code = "F1-LOG-004"
	CodeSignature abi.Code = "F1-LOG-005"
	CodeTree      abi.Code = "F1-LOG-006"
	CodeChain     abi.Code = "F1-LOG-007"
	CodeRecord    abi.Code = "F1-LOG-008"
	CodeOrigin    abi.Code = "F1-LOG-009"
	CodeIO        abi.Code = "F1-LOG-010"
	CodeFull      abi.Code = "F1-LOG-011"
	CodeMoved     abi.Code = "F1-LOG-012"
	CodeStopped   abi.Code = "F1-LOG-013"
	CodeClosed    abi.Code = "F1-LOG-014"
	CodePanic     abi.Code = "F1-LOG-015"
	CodeTooLarge  abi.Code = "F1-LOG-016"
	CodeRefused   abi.Code = "F1-LOG-017"
	CodeGaveUp    abi.Code = "F1-LOG-018"
	CodeUsage     abi.Code = "F1-LOG-019"
	CodeTampered  abi.Code = "F1-LOG-020"
	CodeStale     abi.Code = "F1-LOG-021"
	CodeTerm      abi.Code = "F1-LOG-022"
	CodePin       abi.Code = "F1-LOG-023"
	CodeForeign   abi.Code = "F1-LOG-025"
	CodeAhead     abi.Code = "F1-LOG-026"
	CodeExport    abi.Code = "F1-LOG-027"
	CodeNoProof   abi.Code = "F1-LOG-028"
	CodeProof     abi.Code = "F1-LOG-029"
	CodeNoCommit  abi.Code = "F1-LOG-030"
	CodeTooShort  abi.Code = "F1-LOG-031"

	// Of checkpoints and witnesses.
	CodeBehind      abi.Code = "F1-LOG-042"
	CodeForked      abi.Code = "F1-LOG-043"
	CodeQuorum      abi.Code = "F1-LOG-044"
	CodeNote                 = signednote.CodeNote
	CodeCosignature          = signednote.CodeCosignature
	CodeNoteKey              = signednote.CodeKey

	CodeRolledBack abi.Code = "F1-LOG-060"
	CodeState      abi.Code = "F1-LOG-061"
	CodeStateWrite abi.Code = "F1-LOG-062"

	// Of post-quantum signatures.
	CodePost    abi.Code = "F1-LOG-070"
	CodePostKey abi.Code = "F1-LOG-071"
)

// damage is what a reader of segments found wrong, and where.
type damage struct {
	code  abi.Code
	what  string
	seg   uint64
	off   int64  // in the segment file
	index uint64 // of the record, or of the next one
	size  int64  // bytes the bad frame claims to take; 0: unknown
	err   error
}

func (d *damage) Error() string {
	return fmt.Sprintf("%s (%s at byte %d, record %d)", d.what, segmentName(d.seg), d.off, d.index)
}

// public returns d as callers see it.
func (d *damage) public(dir string) *abi.Error {
	return &abi.Error{
		Code: d.code, What: d.what, Err: d.err,
		Where: fmt.Sprintf("%s at byte %d, record %d", filepath.Join(dir, segmentName(d.seg)), d.off, d.index),
	}
}

// publish makes any error of reading one that callers see.
func publish(dir string, err error) error {
	if err == nil {
		return nil
	}
	var d *damage
	if errors.As(err, &d) {
		return d.public(dir)
	}
	var e *abi.Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &abi.Error{Code: CodeGaveUp, What: "gave up on the evidence log", Where: dir, Err: err}
	}
	return ioError("read the evidence log", dir, err)
}

func ioError(what, where string, err error) *abi.Error {
	code, hint := CodeIO, ""
	if isFull(err) {
		code, hint = CodeFull, "df -h "+where
	}
	return &abi.Error{Code: code, What: "cannot " + what, Where: where, Hint: hint, Err: err}
}

func missing(dir string, err error) *abi.Error {
	return &abi.Error{Code: CodeMissing, What: "there is no evidence log here", Where: dir, Hint: "forgeone init", Err: err}
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func isExist(err error) bool { return errors.Is(err, fs.ErrExist) }
