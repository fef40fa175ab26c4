package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/forgeone/forgeone/abi"
)

// Codes of errors about recordings.
const (
	CodeDiverged  abi.Code = "F1-RPL-001"
	CodeDamaged   abi.Code = "F1-RPL-002"
	CodeUnsealed  abi.Code = "F1-RPL-003"
	CodeForeign   abi.Code = "F1-RPL-004"
	CodeEmpty     abi.Code = "F1-RPL-005"
	CodeFormat    abi.Code = "F1-RPL-006"
	CodeTable     abi.Code = "F1-RPL-007"
	CodeWrite     abi.Code = "F1-RPL-008"
	CodeLimit     abi.Code = "F1-RPL-009"
	CodeRead      abi.Code = "F1-RPL-010"
	CodeMissing   abi.Code = "F1-RPL-011"
	CodeExists    abi.Code = "F1-RPL-012"
	CodeOtherSeal abi.Code = "F1-RPL-013"
)

const hintDoctor = "forgeone log verify"

func at(path, part string, offset int64) string {
	return fmt.Sprintf("%s: %s at byte %d", path, part, offset)
}

func chunkName(n uint64) string { return fmt.Sprintf("chunk %d", n) }

func damaged(path, part string, offset int64, err error) error {
	return &abi.Error{
		Code: CodeDamaged, What: "the recording is damaged", Where: at(path, part, offset),
		Hint: hintDoctor, Err: err,
	}
}

func unsealed(path, part string, offset int64) error {
	return &abi.Error{
		Code: CodeUnsealed, What: "the recording has no end: its run was cut short, or the file was", Where: at(path, part, offset),
		Hint: hintDoctor,
	}
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &abi.Error{Code: CodeMissing, What: "there is no recording", Where: path, Hint: "forgeone runs", Err: err}
	}
	return readError(path, err)
}

func readError(path string, err error) error {
	return &abi.Error{Code: CodeRead, What: "the recording can't be read", Where: path, Hint: "forgeone doctor", Err: err}
}

func otherSeal(path string) error {
	return &abi.Error{Code: CodeOtherSeal, What: "the recording is not the one that the evidence log sealed", Where: path, Hint: hintDoctor}
}

func writeError(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return &abi.Error{Code: CodeExists, What: "there is a recording under this name already", Where: path, Hint: "forgeone runs", Err: err}
	}
	hint := "forgeone doctor"
	if noRoom(err) {
		hint = "df -h " + filepath.Dir(path)
	}
	return &abi.Error{Code: CodeWrite, What: "the recording can't be written", Where: path, Hint: hint, Err: err}
}

// noRoom tells whether err says that the disk, or the user's share of it, is full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
