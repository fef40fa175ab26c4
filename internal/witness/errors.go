package witness

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Codes of this package's errors; `forgeone explain` says what each means.
const (
	CodeOlder   abi.Code = "F1-LOG-040"
	CodeHistory abi.Code = "F1-LOG-041"

	CodeUnreachable abi.Code = "F1-WIT-001"
	CodeUnknownLog  abi.Code = "F1-WIT-002"
	CodeUnknownKey  abi.Code = "F1-WIT-003"
	CodeAnswer      abi.Code = "F1-WIT-004"
	CodeNoSignature abi.Code = "F1-WIT-005"
	CodeForgot      abi.Code = "F1-WIT-006"
	CodeInUse       abi.Code = "F1-WIT-007"
	CodeState       abi.Code = "F1-WIT-008"
	CodeName        abi.Code = "F1-WIT-009"
	CodeFolder      abi.Code = "F1-WIT-010"
	CodeList        abi.Code = "F1-WIT-011"
	CodeURL         abi.Code = "F1-WIT-012"
	CodeBusy        abi.Code = "F1-WIT-013"
	CodeRequest     abi.Code = "F1-WIT-014"
	CodeListen      abi.Code = "F1-WIT-015"
)

func folder(path string, err error) *abi.Error {
	return &abi.Error{Code: CodeFolder, What: "the witness's folder can't be read or written", Where: path, Err: err}
}

// plain is text of a stranger, made fit for a message.
func plain(s string) string {
	if len(s) > 120 {
		s = s[:120]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
}
