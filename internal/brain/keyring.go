package brain

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/seal"
)

// KeyEntry is a key of the keyring.
type KeyEntry struct {
	abi.KeyAdd
	Index uint64 // of the record that added it
	Time  int64  // of that record, unix nanoseconds
}

// RevokedKey is a key that never counts again: the entry of the keyring that it
// was, or its id alone.
type RevokedKey struct {
	abi.KeyAdd
	Reason string
	Index  uint64 // of the record that revoked it
	Time   int64  // of that record, unix nanoseconds
}

const (
	maxName   = 128 // bytes of a key's name
	maxReason = 256 // bytes of the reason of a revocation
)

func (s *State) keyAdd(index uint64, r abi.Record, b *abi.KeyAdd) error {
	no := func(format string, args ...any) error { return refuse(abi.CodeBrainKey, index, r, format, args...) }
	switch b.Role {
	case abi.RolePublisher, abi.RoleOperator, abi.RolePolicy:
	case abi.RoleNode:
		if !s.founding() {
			return no("a node has the key that it was founded with")
		}
	default:
		return no("there is no role %q", b.Role)
	}
	if n := seal.PublicSize(b.Alg); n == 0 || len(b.Public) != n {
		return no("%d bytes of algorithm %q are no key", len(b.Public), b.Alg)
	}
	if b.ID != seal.KeyID(b.Alg, b.Public) {
		return no("the id %s is not the key's", b.ID.Short())
	}
	if err := postQuantum(b); err != "" {
		return no("%s", err)
	}
	for _, id := range forgepkg.PublisherKeys(*b) {
		if v, ok := s.revoked[id]; ok {
			return refuse(abi.CodeBrainRevoked, index, r, "key %s was revoked by record %d", id.Short(), v.Index)
		}
		if old, ok := s.KeyOf(id); ok {
			return no("key %s is in the keyring already, as %q", id.Short(), old.Name)
		}
	}
	if !ValidKeyName(b.Name) {
		return no("%q is no name for a key", b.Name)
	}
	if _, ok := s.byName[b.Name]; ok {
		return no("the name %q is taken", b.Name)
	}
	e := KeyEntry{KeyAdd: *b, Index: index, Time: r.Time}
	e.Public, e.Post, e.Act.Sigs = slices.Clone(b.Public), slices.Clone(b.Post), slices.Clone(b.Act.Sigs)
	s.keys[b.ID], s.byName[b.Name] = e, b.ID
	return nil
}

// postQuantum says what is wrong with the post-quantum key of a new entry, ""
// if nothing is: only publishers have one so far, alone or in a pair.
func postQuantum(b *abi.KeyAdd) string {
	switch {
	case b.Role != abi.RolePublisher && (b.Alg != seal.Ed25519 || len(b.Post) > 0):
		return "a key of role " + string(b.Role) + " is an Ed25519 key alone"
	case len(b.Post) > 0 && (b.Alg != seal.Ed25519 || len(b.Post) != seal.PostPublicSize):
		return "its keys are no pair of Ed25519 and ML-DSA-44"
	}
	return ""
}

// ValidKeyName tells whether a key may be called name: 1 to 128 bytes that
// print, and that nobody takes for a key's id.
func ValidKeyName(name string) bool {
	if name == "" || len(name) > maxName || !printable(name) {
		return false
	}
	id, err := hex.DecodeString(name)
	return err != nil || len(id) != len(abi.Digest{})
}

// printable tells whether s is text that does nothing to a terminal.
func printable(s string) bool {
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// leaves checks that the key k may leave the keyring.
func (s *State) leaves(index uint64, r abi.Record, k KeyEntry) error {
	switch {
	case k.Role == abi.RoleNode:
		return refuse(abi.CodeBrainKey, index, r, "the node's own key %s stays", k.ID.Short())
	case k.Role == abi.RoleOperator && s.Operators() <= s.threshold:
		return refuse(abi.CodeBrainThreshold, index, r, "without key %s there are %d operator(s), and the threshold is %d", k.ID.Short(), s.Operators()-1, s.threshold)
	}
	return nil
}

func (s *State) keyRemove(index uint64, r abi.Record, b *abi.KeyRemove) error {
	k, ok := s.keys[b.ID]
	if !ok {
		return refuse(abi.CodeBrainKey, index, r, "key %s is not in the keyring", b.ID.Short())
	}
	if err := s.leaves(index, r, k); err != nil {
		return err
	}
	delete(s.keys, b.ID)
	delete(s.byName, k.Name)
	return nil
}

// keyRevoke also takes keys that are not in the keyring: that of a key that
// was removed, or that should never come in. Of a pair, both keys go with either.
func (s *State) keyRevoke(index uint64, r abi.Record, b *abi.KeyRevoke) error {
	if v, ok := s.revoked[b.ID]; ok {
		return refuse(abi.CodeBrainRevoked, index, r, "key %s was revoked by record %d", b.ID.Short(), v.Index)
	}
	if len(b.Reason) > maxReason || !printable(b.Reason) {
		return refuse(abi.CodeBrainKey, index, r, "its reason is longer than %d bytes or does not print", maxReason)
	}
	v := RevokedKey{KeyAdd: abi.KeyAdd{ID: b.ID}, Reason: b.Reason, Index: index, Time: r.Time}
	if k, ok := s.KeyOf(b.ID); ok {
		if err := s.leaves(index, r, k); err != nil {
			return err
		}
		v.KeyAdd = k.KeyAdd
		delete(s.keys, k.ID)
		delete(s.byName, k.Name)
	}
	s.revoke(v)
	return nil
}

// revoke makes a key revoked; of a pair, both.
func (s *State) revoke(v RevokedKey) {
	for _, id := range forgepkg.PublisherKeys(v.KeyAdd) {
		s.revoked[id] = v
	}
}

func (s *State) keyThreshold(index uint64, r abi.Record, b *abi.KeyThreshold) error {
	if n := s.Operators(); b.Threshold < 1 || b.Threshold > n {
		return refuse(abi.CodeBrainThreshold, index, r, "a threshold of %d with %d operator(s)", b.Threshold, n)
	}
	s.threshold = b.Threshold
	return nil
}

// Operators is the number of operators' keys in the keyring.
func (s *State) Operators() (n uint64) {
	for _, k := range s.keys {
		if k.Role == abi.RoleOperator {
			n++
		}
	}
	return n
}

// Key returns the key with this id and whether it is in the keyring. Its slices
// must not be changed; so with all that follows.
func (s *State) Key(id abi.Digest) (KeyEntry, bool) {
	k, ok := s.keys[id]
	return k, ok
}

// KeyOf returns the entry of the keyring that the key with this id belongs to,
// as its key or as the post-quantum key of its pair.
func (s *State) KeyOf(id abi.Digest) (KeyEntry, bool) {
	if k, ok := s.keys[id]; ok {
		return k, true
	}
	for _, k := range s.keys {
		if slices.Contains(forgepkg.PublisherKeys(k.KeyAdd), id) {
			return k, true
		}
	}
	return KeyEntry{}, false
}

// KeyByName returns the key of this name and whether it is in the keyring.
func (s *State) KeyByName(name string) (KeyEntry, bool) {
	id, ok := s.byName[name]
	if !ok {
		return KeyEntry{}, false
	}
	return s.Key(id)
}

// Keys returns the keyring in order of addition.
func (s *State) Keys() []KeyEntry {
	return slices.SortedFunc(maps.Values(s.keys), func(a, b KeyEntry) int { return cmp.Compare(a.Index, b.Index) })
}

// RevokedKey returns the revoked key that has this id, or whose pair has, and
// whether it was revoked.
func (s *State) RevokedKey(id abi.Digest) (RevokedKey, bool) {
	v, ok := s.revoked[id]
	return v, ok
}

// RevokedKeys returns the keys that were revoked, in that order, a pair once.
func (s *State) RevokedKeys() (list []RevokedKey) {
	for id, v := range s.revoked {
		if id == v.ID {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b RevokedKey) int { return cmp.Compare(a.Index, b.Index) })
	return list
}
