package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/seal"
)

// Change is an operator's act to be: it returns the body of the record that
// makes it, on the state as it then is, or says why that can't be. It is called
// inside the log's transaction, and must not keep the state. The act in the body
// is filled in by whoever calls it.
type Change func(s *brain.State) (body any, err error)

// Act makes a change: it is signed with the operator's key that lies here and
// appended, and returns the index of its record. F1-KEY-040: the keyring's
// threshold asks for more than this node can sign; then Draft is the way.
func (k *Kernel) Act(ctx context.Context, change Change) (uint64, error) {
	index, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) {
			var body any
			if body, err = change(s); err != nil {
				return
			}
			if err = k.sign(s, body); err == nil {
				records = []abi.Record{{Body: body}}
			}
		})
		return records, err
	})
	return index, refusal(err)
}

// sign makes body an act on the keyring as it is, signed with what lies here.
func (k *Kernel) sign(s *brain.State, body any) error {
	brain.ActOf(body).Ring = s.Ring()
	own := uint64(0)
	for _, key := range []*seal.PrivateKey{k.keys.Operator} {
		if key == nil {
			continue
		}
		if e, ok := s.Key(key.Public().ID()); !ok || e.Role != abi.RoleOperator {
			continue
		}
		if err := brain.SignAct(s.Genesis().Origin, body, key); err != nil {
			return err
		}
		own++
	}
	if own < s.Threshold() {
		return &abi.Error{
			Code: "F1-KEY-040", What: fmt.Sprintf("this takes the signatures of %d operator(s), and the keys of %d lie here", s.Threshold(), own), Where: s.Genesis().Origin,
			Hint: "repeat it with --draft change.act, then: forgeone key sign change.act --key OPERATOR.key; forgeone key apply change.act",
		}
	}
	return nil
}

// Draft returns a change as an act for the present keyring that nobody has
// signed yet.
func (k *Kernel) Draft(change Change) (d *Draft, err error) {
	k.ledger.view(func(s *brain.State) {
		var body any
		if body, err = change(s); err == nil {
			*brain.ActOf(body) = abi.Act{Ring: s.Ring()}
			d = &Draft{Origin: s.Genesis().Origin, Body: body}
		}
	})
	return d, err
}

// Apply appends a draft's act, if enough operators have signed it, and returns
// the index of its record. Errors: F1-KEY-041, it is for another node;
// F1-KEY-042, for another version of the keyring; F1-KEY-044, a signature is
// missing or wrong; F1-BRN-…, the act can't follow.
func (k *Kernel) Apply(ctx context.Context, d *Draft) (uint64, error) {
	index, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) { err = d.applicable(s) })
		return []abi.Record{{Body: d.Body}}, err
	})
	return index, refusal(err)
}

func (d *Draft) applicable(s *brain.State) error {
	if own := s.Genesis().Origin; d.Origin != own {
		return &abi.Error{Code: "F1-KEY-041", What: fmt.Sprintf("the draft is for the log of %q, this one is %q", d.Origin, own), Where: "draft", Hint: "forgeone key apply change.act --home THAT_NODE"}
	}
	if ring := d.Act().Ring; ring != s.Ring() {
		return &abi.Error{Code: "F1-KEY-042", What: fmt.Sprintf("the draft is for version %d of the keyring, which is at version %d", ring, s.Ring()), Where: "draft", Hint: "make the draft anew, and have it signed again"}
	}
	if err := s.Acted(d.Body); err != nil {
		return &abi.Error{Code: "F1-KEY-044", What: "the draft is not signed as the keyring asks", Where: "draft", Err: err, Hint: "forgeone key sign change.act --key OPERATOR.key"}
	}
	return nil
}

// refusal returns what the fold said where it refused the record that was to be
// appended; a log that can't be read on (which has a place) is another matter.
func refusal(err error) error {
	var e, cause *abi.Error
	if errors.As(err, &e) && e.Code == evidence.CodeRefused && e.Where == "" && errors.As(e.Err, &cause) {
		return cause
	}
	return err
}
