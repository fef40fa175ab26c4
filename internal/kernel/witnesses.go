package kernel

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
)

// maxWitnesses is half of the lines that a checkpoint may have.
const maxWitnesses = 32

// AddWitness is the change that adds a witness. One of that name is replaced, so
// that it may move.
func (k *Kernel) AddWitness(key evidence.NoteKey, url string) Change {
	return func(s *brain.State) (any, error) {
		if err := k.notTheLogs(key.Key.ID()); err != nil { // it would vouch for itself
			return nil, err
		}
		set := witnesses(s, key.Name)
		set.Witnesses = append(set.Witnesses, abi.Witness{Key: key.String(), URL: url})
		slices.SortFunc(set.Witnesses, func(a, b abi.Witness) int { return cmp.Compare(witnessName(a), witnessName(b)) })
		if len(set.Witnesses) > maxWitnesses {
			return nil, &abi.Error{Code: "F1-WIT-019", What: fmt.Sprintf("a log has at most %d witnesses", maxWitnesses), Where: key.Name, Hint: "forgeone log witness list"}
		}
		_, err := evidence.WitnessKeys(*set)
		return set, err
	}
}

// RemoveWitness is the change that drops the witness of that name. F1-WIT-016:
// there is none; F1-WIT-017: the quorum would be out of reach.
func (k *Kernel) RemoveWitness(name string) Change {
	return func(s *brain.State) (any, error) {
		set := witnesses(s, name)
		if len(set.Witnesses) == len(s.Witnesses().Witnesses) {
			return nil, &abi.Error{Code: "F1-WIT-016", What: "there is no witness of that name", Where: name, Hint: "forgeone log witness list"}
		}
		return set, reachable(set)
	}
}

// WitnessQuorum is the change that says how many witnesses must vouch; 0: none.
func (k *Kernel) WitnessQuorum(n uint64) Change {
	return func(s *brain.State) (any, error) {
		set := witnesses(s, "")
		set.Quorum = n
		return set, reachable(set)
	}
}

// witnesses is a copy of the set in force without the witness of that name.
func witnesses(s *brain.State, without string) *abi.WitnessSet {
	set := &abi.WitnessSet{Quorum: s.Witnesses().Quorum}
	for _, w := range s.Witnesses().Witnesses {
		if witnessName(w) != without {
			set.Witnesses = append(set.Witnesses, w)
		}
	}
	return set
}

// witnessName is the name that a witness's verifier key begins with.
func witnessName(w abi.Witness) string {
	k, err := evidence.ParseNoteKey(w.Key)
	if err != nil {
		return w.Key // it is shown as it is, and can be removed
	}
	return k.Name
}

func reachable(set *abi.WitnessSet) error {
	if set.Quorum <= uint64(len(set.Witnesses)) {
		return nil
	}
	return &abi.Error{
		Code: "F1-WIT-017", What: fmt.Sprintf("a quorum of %d can't be reached by %d witness(es)", set.Quorum, len(set.Witnesses)), Where: "witnesses",
		Hint: fmt.Sprintf("forgeone log witness quorum %d", len(set.Witnesses)),
	}
}

// LogHead returns the log's newest checkpoint.
func (k *Kernel) LogHead() (*evidence.Checkpoint, error) {
	return evidence.ParseCheckpoint(k.log.Checkpoint())
}
