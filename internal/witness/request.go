package witness

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
)

const (
	addPath  = "/add-checkpoint"
	sizeType = "text/x.tlog.size" // of the body of a conflict: the size that the witness knows

	maxProof   = 63
	maxRequest = evidence.MaxCheckpoint + 32 + maxProof*45
	maxSize    = 1<<63 - 1
)

// request is the body of add-checkpoint.
type request struct {
	old   uint64
	proof []abi.Digest
	head  *evidence.Checkpoint
}

// parseRequest reads a body strictly: encode gives b again.
func parseRequest(b []byte) (r request, err error) {
	if len(b) > maxRequest {
		return r, malformed(fmt.Sprintf("it has more than %d bytes", maxRequest))
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	var ok bool
	if r.old, ok = parseSize(strings.CutPrefix(string(line), "old ")); !ok {
		return r, malformed("it does not begin with the old size")
	}
	for {
		line, rest, ok = bytes.Cut(rest, []byte("\n"))
		if !ok {
			return r, malformed("no empty line ends the proof")
		}
		if len(line) == 0 {
			break
		}
		var d abi.Digest
		raw, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil || len(raw) != len(d) || len(line) != 44 || len(r.proof) == maxProof {
			return r, malformed("the consistency proof is not at most 63 lines, each a hash in base64")
		}
		copy(d[:], raw)
		r.proof = append(r.proof, d)
	}
	r.head, err = evidence.ParseCheckpoint(rest)
	return r, err
}

// parseSize reads a tree size in its one form; had says that there is one.
func parseSize(s string, had bool) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, had && err == nil && n <= maxSize && strconv.FormatUint(n, 10) == s
}

func malformed(what string) error {
	return &abi.Error{Code: CodeRequest, What: "this is not a request to a witness: " + what}
}

func (r request) encode() []byte {
	b := strconv.AppendUint([]byte("old "), r.old, 10)
	b = append(b, '\n')
	for _, d := range r.proof {
		b = append(base64.StdEncoding.AppendEncode(b, d[:]), '\n')
	}
	return append(append(b, '\n'), r.head.Bytes()...)
}
