package brain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// actDomain is the domain of the signatures of operator's acts.
const actDomain = "forgeone/act/v1"

// ActOf returns the act in a record's body, nil where the kind is no operator's act.
func ActOf(body any) *abi.Act {
	switch b := body.(type) {
	case *abi.KeyAdd:
		return &b.Act
	case *abi.KeyRemove:
		return &b.Act
	case *abi.KeyRevoke:
		return &b.Act
	case *abi.KeyThreshold:
		return &b.Act
	case *abi.WitnessSet:
		return &b.Act
	case *abi.Downgrade:
		return &b.Act
	case *abi.HoldEnd:
		return &b.Act
	}
	return nil
}

// unsigned returns a copy of an act's body without its signatures, nil if it is none.
func unsigned(body any) any {
	if ActOf(body) == nil {
		return nil
	}
	c := reflect.New(reflect.TypeOf(body).Elem())
	c.Elem().Set(reflect.ValueOf(body).Elem())
	ActOf(c.Interface()).Sigs = nil
	return c.Interface()
}

// ErrNoAct says that a record of this kind is no operator's act.
var ErrNoAct = errors.New("no operator's act")

// actMessage is what operators sign of body on the log called origin:
// u16 kind ‖ u8 length of the origin ‖ origin ‖ encoding of the body without
// signatures, the number of the keyring in it. So a signature serves one act,
// once, on one log.
func actMessage(origin string, body any) ([]byte, error) {
	bare := unsigned(body)
	if bare == nil || len(origin) > 255 {
		return nil, ErrNoAct
	}
	b, err := codec.Marshal(bare)
	if err != nil {
		return nil, err
	}
	m := binary.BigEndian.AppendUint16(nil, uint16(abi.KindOf(body)))
	m = append(append(m, byte(len(origin))), origin...)
	return append(m, b...), nil
}

// SignAct puts key's signature into the act in body, in its place among those
// that are there; one by the same key is replaced. The act's Ring is signed as
// it stands. ErrNoAct: body is none.
func SignAct(origin string, body any, key *seal.PrivateKey) error {
	m, err := actMessage(origin, body)
	if err != nil {
		return err
	}
	act, sig := ActOf(body), abi.KeySig{Key: key.Public().ID(), Sig: key.Sign(actDomain, m)}
	i, found := slices.BinarySearchFunc(act.Sigs, sig, byKey)
	if found {
		act.Sigs[i] = sig
	} else {
		act.Sigs = slices.Insert(slices.Clone(act.Sigs), i, sig)
	}
	return nil
}

func byKey(a, b abi.KeySig) int { return bytes.Compare(a.Key[:], b.Key[:]) }

// Acted checks that the act in body is for the keyring as it is now and signed
// by as many of its operators as its threshold asks for; every signature must be
// right, also those beyond the threshold. Whether the act itself can follow is
// not checked. Errors: F1-BRN-010, another keyring; F1-BRN-011, signatures.
func (s *State) Acted(body any) error {
	act := ActOf(body)
	if act == nil {
		return fault(abi.CodeBrainSigs, "%v is no operator's act", abi.KindOf(body))
	}
	if act.Ring != s.ring {
		return fault(abi.CodeBrainRing, "it was signed for version %d of the keyring, which is at version %d", act.Ring, s.ring)
	}
	for i, sig := range act.Sigs {
		if i > 0 && byKey(act.Sigs[i-1], sig) >= 0 {
			return fault(abi.CodeBrainSigs, "its signatures are not in order, one for each key")
		}
		if k, ok := s.keys[sig.Key]; !ok || k.Role != abi.RoleOperator {
			return fault(abi.CodeBrainSigs, "key %s, which signed it, is no operator's in the keyring", sig.Key.Short())
		}
	}
	if n := uint64(len(act.Sigs)); n < s.threshold {
		return fault(abi.CodeBrainSigs, "%d operator(s) signed it, the threshold is %d", n, s.threshold)
	}
	m, err := actMessage(s.genesis.Origin, body)
	if err != nil {
		return fault(abi.CodeBrainSigs, "%v", err)
	}
	for _, sig := range act.Sigs {
		if !seal.PublicKey(s.keys[sig.Key].Public).Verify(actDomain, m, sig.Sig) {
			return fault(abi.CodeBrainSigs, "the signature by key %s is not one of it", sig.Key.Short())
		}
	}
	return nil
}

func fault(code abi.Code, format string, args ...any) *abi.Error {
	return &abi.Error{Code: code, What: fmt.Sprintf(format, args...)}
}

// founding tells whether the batch that makes a node is still being read: it
// ends with the first configuration, and only it may add keys unsigned.
func (s *State) founding() bool { return s.config.Version == 0 }

// act folds an operator's act. Each that follows makes another version of the
// keyring, so none can follow twice.
func (s *State) act(index uint64, r abi.Record, fold func() error) error {
	act := ActOf(r.Body)
	if _, add := r.Body.(*abi.KeyAdd); add && s.founding() {
		if act.Ring != 0 || len(act.Sigs) > 0 {
			return refuse(abi.CodeBrainSigs, index, r, "a key that a node is founded with is not signed for")
		}
		return fold()
	}
	if err := s.Acted(r.Body); err != nil {
		e := err.(*abi.Error)
		return refuse(e.Code, index, r, "%s", e.What)
	}
	if err := fold(); err != nil {
		return err
	}
	s.ring++
	return nil
}

// Ring is the version of the keyring: 1 at the beginning, one more with each
// operator's act.
func (s *State) Ring() uint64 { return s.ring }

// Threshold is how many operators must sign an act.
func (s *State) Threshold() uint64 { return s.threshold }
