package brain

import (
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// MaxReason bounds the words that say why a run is to stop, in bytes.
const MaxReason = 256

// Stop is the order to stop that an open run was given, nil if there is none.
func (s *State) Stop(id abi.RunID) *abi.RunStop {
	if _, o := s.find(id); o != nil {
		return o.stop
	}
	return nil
}

func (s *State) runStop(index uint64, r abi.Record, b *abi.RunStop) error {
	u, o := s.find(b.Run)
	switch {
	case o == nil:
		return refuse(abi.CodeBrainStop, index, r, "no run %q is open", b.Run)
	case o.stop != nil:
		return refuse(abi.CodeBrainStop, index, r, "%s was told to stop before", b.Run)
	case len(b.Reason) > MaxReason || !utf8.ValidString(b.Reason):
		return refuse(abi.CodeBrainStop, index, r, "its reason is not a text of at most %d bytes", MaxReason)
	}
	stop := *b
	o.stop, u.stop = &stop, index
	return nil
}
