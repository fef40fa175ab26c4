package evidence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// Term is the span of a log that one key signs.
type Term struct {
	Number uint64        // from 0
	Key    PublicKey     // signs every commit of the term
	Post   PostPublicKey // signs published checkpoints of the term, and the hand-over that ends it, too; nil: none
	From   uint64        // index of the term's first record: the one behind its log.key
}

const (
	// Domains of the two signatures of a hand-over: of the key that ends, and of
	// the one that begins.
	handOverDomain = "forgeone/log-key/v1"
	takeOverDomain = "forgeone/log-key-new/v1"

	ed25519Size = 32

	// maxTerms bounds what a verifier keeps of a log: a new key each day for 27
	// years.
	maxTerms = 10_000
)

// terms follows which key signs a log. It is fed every record, or at least those
// of kinds genesis and log.key, of a log whose tree is otherwise verified:
// against the commits of segments, or against a checkpoint of the last term.
// From its zero value on it is a value: a copy is a snapshot.
type terms struct {
	origin string
	list   []Term // never changed, only replaced
}

// apply takes in the record entry at index. before returns the root of the tree
// over all records before it, and is called for a log.key only. On an error t is
// as before.
func (t *terms) apply(kind abi.Kind, entry []byte, index uint64, before func() abi.Digest) error {
	if kind != abi.KindGenesis && kind != abi.KindLogKey {
		return nil
	}
	r, err := codec.DecodeRecord(entry)
	if err != nil {
		return err
	}
	switch b := r.Body.(type) {
	case *abi.Genesis:
		return t.begin(b, index)
	case *abi.LogKey:
		return t.next(b, index, before)
	}
	return fmt.Errorf("a record of kind %v stands for one of kind %v", r.Kind, kind)
}

// begin is term 0.
func (t *terms) begin(g *abi.Genesis, index uint64) error {
	switch {
	case index != 0 || len(t.list) > 0:
		return errors.New("the log begins twice")
	case len(g.LogKey) != ed25519Size:
		return fmt.Errorf("the log's first key has %d bytes", len(g.LogKey))
	case !ownOrigin(g.Origin, g.LogKey):
		return fmt.Errorf("the log is named %s, which is not the name of its first key", g.Origin)
	}
	t.origin = g.Origin
	t.list = []Term{{Key: bytes.Clone(g.LogKey)}}
	return nil
}

// next is the term that k begins.
func (t *terms) next(k *abi.LogKey, index uint64, before func() abi.Digest) error {
	if len(t.list) == 0 {
		return errors.New("a hand-over to another key stands before the log's beginning")
	}
	for _, x := range t.list {
		if bytes.Equal(x.Key, k.Public) {
			return fmt.Errorf("the log is handed over to the key of term %d, which was used up", x.Number)
		}
		if len(x.Post) > 0 && bytes.Equal(x.Post, k.Post) {
			return fmt.Errorf("the log is handed over to the ML-DSA-44 key of term %d, which was used up", x.Number)
		}
	}
	switch n := uint64(len(t.list)); {
	case k.Term != n:
		return fmt.Errorf("the log is handed over to term %d where term %d follows", k.Term, n)
	case n >= maxTerms:
		return fmt.Errorf("the log had %d keys, more than a log may have", n)
	case len(k.Public) != ed25519Size:
		return fmt.Errorf("the key of term %d has %d bytes", n, len(k.Public))
	case len(k.Post) != 0 && len(k.Post) != seal.PostPublicSize:
		return fmt.Errorf("the ML-DSA-44 key of term %d has %d bytes", n, len(k.Post))
	case k.Root != before():
		return fmt.Errorf("the hand-over to term %d is of another log: its tree has another root", n)
	}
	msg := handOver(t.origin, k, index)
	if !t.current().Verify(handOverDomain, msg, k.Sig) {
		return fmt.Errorf("the hand-over to term %d is not signed by the key of term %d", k.Term, k.Term-1)
	}
	if !PublicKey(k.Public).Verify(takeOverDomain, msg, k.Own) {
		return fmt.Errorf("the hand-over to term %d is not signed by its own key", k.Term)
	}
	switch post := t.last().Post; {
	case post == nil && len(k.PostSig) > 0:
		return fmt.Errorf("the hand-over to term %d has an ML-DSA-44 signature, and term %d has no such key", k.Term, k.Term-1)
	case post != nil && !post.Verify(handOverDomain, msg, k.PostSig):
		return fmt.Errorf("the hand-over to term %d is not signed by the ML-DSA-44 key of term %d", k.Term, k.Term-1)
	}
	next := Term{Number: k.Term, Key: bytes.Clone(k.Public), From: index + 1}
	if len(k.Post) > 0 {
		next.Post = bytes.Clone(k.Post)
	}
	t.list = append(t.list[:len(t.list):len(t.list)], next)
	return nil
}

// current is the key that signs now, nil before the log's beginning.
func (t *terms) current() PublicKey {
	if len(t.list) == 0 {
		return nil
	}
	return t.list[len(t.list)-1].Key
}

// last is the newest term, of which there is one.
func (t *terms) last() Term { return t.list[len(t.list)-1] }

// lacks returns the first of the keys that is none of a term, nil if each is.
func (t *terms) lacks(keys []PublicKey) PublicKey {
next:
	for _, k := range keys {
		for _, x := range t.list {
			if bytes.Equal(x.Key, k) {
				continue next
			}
		}
		return k
	}
	return nil
}

// handOver is what the keys sign (docs/FORMATS.md "Terms").
func handOver(origin string, k *abi.LogKey, index uint64) []byte {
	b := append([]byte{byte(len(origin))}, origin...)
	b = binary.LittleEndian.AppendUint64(b, k.Term)
	b = binary.LittleEndian.AppendUint64(b, index)
	b = append(b, k.Root[:]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(k.Post)))
	return append(append(b, k.Post...), k.Public...)
}

// newLogKey makes the record that hands a log over: the one at index, with the
// tree's root before it.
// oldPost is the private half of the ML-DSA-44 key of the term that ends, nil if
// it has none.
func (t *terms) newLogKey(old, next *PrivateKey, post PostPublicKey, oldPost *PostPrivateKey, index uint64, root abi.Digest) *abi.LogKey {
	k := &abi.LogKey{Term: uint64(len(t.list)), Public: next.Public(), Post: post, Root: root}
	msg := handOver(t.origin, k, index)
	k.Sig, k.Own = old.Sign(handOverDomain, msg), next.Sign(takeOverDomain, msg)
	if oldPost != nil {
		k.PostSig = oldPost.Sign(handOverDomain, msg)
	}
	return k
}

// ownOrigin tells whether a log whose first key is key may have that name. Names
// of the form that DefaultOrigin gives are of one key only.
func ownOrigin(origin string, key PublicKey) bool {
	id, formed := strings.CutPrefix(origin, localPrefix)
	formed = formed && len(id) == localDigits && strings.Trim(id, "0123456789abcdef") == ""
	return !formed || origin == DefaultOrigin(key)
}

// copyTerms returns list as callers may keep and change it.
func copyTerms(list []Term) []Term {
	out := make([]Term, len(list))
	for i, t := range list {
		t.Key, t.Post = bytes.Clone(t.Key), bytes.Clone(t.Post)
		out[i] = t
	}
	return out
}
