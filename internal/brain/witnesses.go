package brain

import (
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

const maxURL = 2048 // bytes of a witness's address

// Witnesses says whose cosignatures on checkpoints are wanted. It must not be
// changed.
func (s *State) Witnesses() abi.WitnessSet { return s.witnesses }

func (s *State) witnessSet(index uint64, r abi.Record, b *abi.WitnessSet) error {
	no := func(format string, args ...any) error { return refuse(abi.CodeBrainWitness, index, r, format, args...) }
	if b.Quorum > uint64(len(b.Witnesses)) {
		return no("a quorum of %d with %d witness(es)", b.Quorum, len(b.Witnesses))
	}
	last := ""
	for i, w := range b.Witnesses {
		name, rest, ok := strings.Cut(w.Key, "+")
		if !ok || name == "" || rest == "" || !printable(w.Key) || strings.ContainsRune(w.Key, ' ') {
			return no("%q is no verifier key", w.Key)
		}
		if len(w.URL) > maxURL || !printable(w.URL) {
			return no("the address of witness %q is no text of at most %d bytes", name, maxURL)
		}
		if i > 0 && name <= last {
			return no("its witnesses are not in order, one of each name")
		}
		last = name
	}
	s.witnesses = *b
	s.witnesses.Witnesses = slices.Clone(b.Witnesses)
	return nil
}
