package kernel

import (
	"encoding/hex"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
)

// notTheLogs refuses a key that signs or signed the log: it is used without anybody
// looking, and is for that alone.
func (k *Kernel) notTheLogs(id abi.Digest) error {
	for _, t := range k.LogTerms() {
		if t.Key.ID() == id || t.Post != nil && t.Post.ID() == id {
			return &abi.Error{Code: "F1-KEY-050", What: fmt.Sprintf("this key is the log's, of term %d, and has no other role", t.Number), Where: id.Short(), Hint: "forgeone keygen -o NEW.key"}
		}
	}
	return nil
}

// AddKey is the change that puts a public key into the keyring.
func (k *Kernel) AddKey(e abi.KeyAdd) Change {
	e.Local = e.ID == k.keys.Developer.Public().ID() // it is worth no more when it comes back
	return func(s *brain.State) (any, error) {
		for _, id := range forgepkg.PublisherKeys(e) {
			if err := k.notTheLogs(id); err != nil {
				return nil, err
			}
			if old, ok := s.KeyOf(id); ok {
				return nil, &abi.Error{Code: "F1-KEY-050", What: "this key is in the keyring already", Where: old.Name, Hint: "forgeone key list"}
			}
			if v, ok := s.RevokedKey(id); ok {
				return nil, &abi.Error{Code: "F1-KEY-046", What: fmt.Sprintf("this key was revoked by record %d and never counts again", v.Index), Where: id.Short(), Hint: "forgeone key list"}
			}
		}
		if old, ok := s.KeyByName(e.Name); ok {
			return nil, &abi.Error{Code: "F1-KEY-051", What: "another key has this name", Where: old.Name, Hint: "forgeone key remove " + abi.Shell(old.Name)}
		}
		if !brain.ValidKeyName(e.Name) || e.Name[0] == '-' { // which commands would take for a flag
			return nil, &abi.Error{Code: "F1-KEY-045", What: "a key can't have this name", Where: fmt.Sprintf("%q", e.Name), Hint: "forgeone key add FILE --name acme --role " + string(e.Role)}
		}
		body := e
		return &body, nil
	}
}

// RemoveKey is the change that takes the key of that name, or with that id in
// hexadecimal, out of the keyring.
func (k *Kernel) RemoveKey(name string) Change {
	return func(s *brain.State) (any, error) {
		e, ok := keyNamed(s, name)
		if !ok {
			return nil, noKey(name)
		}
		if err := mayLeave(s, e); err != nil {
			return nil, err
		}
		return &abi.KeyRemove{ID: e.ID}, nil
	}
}

// RevokeKey is the change that takes the key of that name or id out of the
// keyring for good. An id need not be in it. The reason is for people.
func (k *Kernel) RevokeKey(name, reason string) Change {
	return func(s *brain.State) (any, error) {
		id, isID := parseID(name)
		e, ok := keyNamed(s, name)
		switch {
		case ok:
			if err := mayLeave(s, e); err != nil {
				return nil, err
			}
			id = e.ID
		case !isID:
			return nil, noKey(name)
		}
		if v, ok := s.RevokedKey(id); ok {
			return nil, &abi.Error{Code: "F1-KEY-046", What: fmt.Sprintf("this key was revoked by record %d", v.Index), Where: id.Short(), Hint: "forgeone key list"}
		}
		return &abi.KeyRevoke{ID: id, Reason: reason}, nil
	}
}

// SetThreshold is the change of how many operators sign an act.
func (k *Kernel) SetThreshold(n uint64) Change {
	return func(s *brain.State) (any, error) {
		if ops := s.Operators(); n < 1 || n > ops {
			return nil, &abi.Error{
				Code: "F1-KEY-047", What: fmt.Sprintf("a threshold of %d can't be met by the %d operator(s) in the keyring", n, ops), Where: "keyring",
				Hint: "forgeone key add OPERATOR.pub --role operator",
			}
		}
		return &abi.KeyThreshold{Threshold: n}, nil
	}
}

func keyNamed(s *brain.State, name string) (brain.KeyEntry, bool) {
	if id, ok := parseID(name); ok {
		return s.KeyOf(id)
	}
	return s.KeyByName(name)
}

// parseID reads a key's id; no key has a name of that form.
func parseID(text string) (id abi.Digest, ok bool) {
	b, err := hex.DecodeString(text)
	return id, err == nil && copy(id[:], b) == len(id) && len(b) == len(id)
}

func noKey(name string) error {
	return &abi.Error{Code: "F1-KEY-052", What: "no key of that name is in the keyring", Where: name, Hint: "forgeone key list"}
}

func mayLeave(s *brain.State, e brain.KeyEntry) error {
	switch {
	case e.Role == abi.RoleNode:
		return &abi.Error{Code: "F1-KEY-053", What: "the node's own key can't leave the keyring: it signs the configuration", Where: e.Name, Hint: "forgeone key list"}
	case e.Role == abi.RoleOperator && s.Operators() <= s.Threshold():
		return &abi.Error{
			Code: "F1-KEY-047", What: fmt.Sprintf("without this key there are %d operator(s), and %d must sign", s.Operators()-1, s.Threshold()), Where: e.Name,
			Hint: "forgeone key add OPERATOR.pub --role operator",
		}
	}
	return nil
}
