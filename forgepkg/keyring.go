package forgepkg

import (
	"fmt"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Keyring is the caller's list of keys, as its evidence log folds to it. Only
// keys with the role publisher count for packages. An entry with Post is a pair:
// one publisher, who signs with both keys.
type Keyring []abi.KeyAdd

// verifySignatures fills v with the publishers that count and asks for the quorum.
func (p *Package) verifySignatures(v *Verified, ring Keyring, o VerifyOptions) *abi.Error {
	signed := pae(p.manifestBytes())
	have := map[abi.Digest]bool{} // keys of the keyring that signed
	var why string
	for _, s := range p.sigs {
		k, ok := ring.find(s.Key)
		if !ok {
			v.Unknown = append(v.Unknown, s.Key)
			why = "key " + s.Key.Short() + " is not in the keyring"
			continue
		}
		alg, public := k.Alg, k.Public
		if s.Key != k.ID {
			alg, public = MLDSA44, k.Post
		}
		if s.Alg != alg || !seal.VerifyAs(alg, public, domainSign, signed, s.Sig) {
			return fault(abi.CodePkgBadSig, section("signatures", p.sigsAt), "the signature by %q (key %s) does not match the manifest: one of them was changed", k.Name, s.Key.Short())
		}
		have[s.Key] = true
	}
	for _, s := range p.sigs {
		k, ok := ring.find(s.Key)
		if !ok {
			continue
		}
		who := fmt.Sprintf("key %s (%q) ", s.Key.Short(), k.Name)
		keys := PublisherKeys(k)
		reason, revoked := o.revokedKey(keys)
		switch {
		case k.Role != abi.RolePublisher:
			why = who + "is in the keyring as " + string(k.Role) + ", not as publisher"
		case revoked:
			why = who + "is revoked" + reason
		case !have[keys[0]] || !have[keys[len(keys)-1]]:
			why = who + "is one of a pair, and the other key has not signed"
		default:
			if s.Key == k.ID { // once for a pair
				v.Signers = append(v.Signers, k.ID)
				v.Keys = append(v.Keys, k)
				v.Local = v.Local && k.Local
			}
			continue
		}
		v.Unknown = append(v.Unknown, s.Key)
	}
	slices.SortFunc(v.Signers, compareDigests)
	slices.SortFunc(v.Keys, func(a, b abi.KeyAdd) int { return compareDigests(a.ID, b.ID) })
	slices.SortFunc(v.Unknown, compareDigests)
	if len(v.Signers) >= o.Quorum {
		return nil
	}
	if n := ring.publishers(); o.Quorum > n && n > 0 {
		why = fmt.Sprintf("the keyring holds only that many publishers: %d", n)
	}
	return hint(fault(abi.CodePkgUntrusted, section("signatures", p.sigsAt), "%d of %d needed signatures are by trusted publishers: %s", len(v.Signers), o.Quorum, why),
		"forgeone key add PUBLISHER.pub --role publisher")
}

// revokedKey tells whether one of a publisher's keys is revoked.
func (o *VerifyOptions) revokedKey(keys []abi.Digest) (why string, revoked bool) {
	for _, id := range keys {
		if why, revoked = o.revoked(abi.RevokedKey, id, keys[:1]); revoked {
			return why, true
		}
	}
	return "", false
}

// PublisherKeys returns the ids of all keys with which entry k of a keyring
// signs: one, or two of a pair.
func PublisherKeys(k abi.KeyAdd) []abi.Digest {
	if len(k.Post) == 0 {
		return []abi.Digest{k.ID}
	}
	return []abi.Digest{k.ID, KeyID(MLDSA44, k.Post)}
}

// find returns the entry that counts for key id: a publisher's if one is there,
// and of those a pair, so that a second entry never asks for less.
func (r Keyring) find(id abi.Digest) (k abi.KeyAdd, ok bool) {
	better := func(e abi.KeyAdd) bool {
		if p := e.Role == abi.RolePublisher; p != (k.Role == abi.RolePublisher) {
			return p
		}
		return len(e.Post) > 0 && len(k.Post) == 0
	}
	for _, e := range r {
		if slices.Contains(PublisherKeys(e), id) && (!ok || better(e)) {
			k, ok = e, true
		}
	}
	return k, ok
}

// publishers counts the distinct keys and pairs with the role publisher.
func (r Keyring) publishers() int {
	ids := map[abi.Digest]struct{}{}
	for _, e := range r {
		if e.Role == abi.RolePublisher {
			ids[e.ID] = struct{}{}
		}
	}
	return len(ids)
}
