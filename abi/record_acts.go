package abi

// LogKey hands the log on to another key: the batch that ends with it is signed
// by the key of the term before, everything after by Public. It is the last
// record of its batch.
type LogKey struct {
	Term   uint64 `cbor:"1,keyasint" json:"term"`                     // counts from 0, which is the term of Genesis.LogKey
	Public []byte `cbor:"2,keyasint" json:"public"`                   // Ed25519
	Post   []byte `cbor:"3,keyasint,omitempty" json:"post,omitempty"` // ML-DSA-44: published checkpoints carry its signature too
	Root   Digest `cbor:"4,keyasint" json:"root"`                     // of the tree over all records before this one
	Sig    []byte `cbor:"5,keyasint" json:"sig"`                      // by the key of the term before, Ed25519
	Own    []byte `cbor:"6,keyasint" json:"own"`                      // by Public itself: a log that its owner never held can't name it

	// By Post of the term before, if that had one: ML-DSA-44, over what Sig is over.
	PostSig []byte `cbor:"7,keyasint,omitempty" json:"post_sig,omitempty"`
}

// Act makes a record an operator's signed act: as many distinct operators of the
// keyring as its threshold asks for signed it. What they sign is the record
// with Sigs empty, its kind, and the log's origin.
type Act struct {
	Ring uint64   `cbor:"1,keyasint" json:"ring"`                     // version of the keyring that it was signed for: it counts once
	Sigs []KeySig `cbor:"2,keyasint,omitempty" json:"sigs,omitempty"` // ascending by key id
}

// KeySig is one signature, by the key with this id.
type KeySig struct {
	Key Digest `cbor:"1,keyasint" json:"key"`
	Sig []byte `cbor:"2,keyasint" json:"sig"`
}

// KeyRevoke takes a key out of the keyring for good: it can't be added again,
// and what it signed counts no more.
type KeyRevoke struct {
	ID     Digest `cbor:"1,keyasint" json:"id"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"`
	Act    Act    `cbor:"3,keyasint,omitzero" json:"act,omitzero"`
}

// KeyThreshold says how many operators must sign an act from now on.
type KeyThreshold struct {
	Threshold uint64 `cbor:"1,keyasint" json:"threshold"`
	Act       Act    `cbor:"2,keyasint,omitzero" json:"act,omitzero"`
}

// WitnessSet says whose cosignatures on checkpoints are wanted.
type WitnessSet struct {
	Quorum    uint64    `cbor:"1,keyasint" json:"quorum"`                        // how many of them; 0: none
	Witnesses []Witness `cbor:"2,keyasint,omitempty" json:"witnesses,omitempty"` // ascending by name
	Act       Act       `cbor:"3,keyasint,omitzero" json:"act,omitzero"`
}

// Witness is one witness (C2SP tlog-witness).
type Witness struct {
	Key string `cbor:"1,keyasint" json:"key"`                     // its verifier key, as signed-note writes it: it begins with its name
	URL string `cbor:"2,keyasint,omitempty" json:"url,omitempty"` // submission prefix
}

// Revocations is a part of a revocation list that its issuer signed. Part 0
// holds what was signed, which names the digest of each other part.
type Revocations struct {
	Issuer  Digest    `cbor:"1,keyasint" json:"issuer"` // key id
	Serial  uint64    `cbor:"2,keyasint" json:"serial"` // of the list: rises with each of an issuer's lists
	List    Digest    `cbor:"3,keyasint" json:"list"`   // of the list's head
	Part    uint64    `cbor:"4,keyasint" json:"part"`   // from 0
	Parts   uint64    `cbor:"5,keyasint" json:"parts"`  // that follow part 0
	Entries []Revoked `cbor:"6,keyasint,omitempty" json:"entries,omitempty"`
	Head    []byte    `cbor:"7,keyasint,omitempty" json:"head,omitempty"` // part 0: as in the list's file
	Sigs    []byte    `cbor:"8,keyasint,omitempty" json:"sigs,omitempty"` // part 0: as in the list's file
}

// Revoked is one thing that no longer counts.
type Revoked struct {
	What   uint8  `cbor:"1,keyasint" json:"what"`
	Digest Digest `cbor:"2,keyasint" json:"digest"`
	Reason string `cbor:"3,keyasint,omitempty" json:"reason,omitempty"` // for people, at most 128 bytes
}

// Kind names what is revoked.
func (r Revoked) Kind() string {
	switch r.What {
	case RevokedPackage:
		return "package"
	case RevokedModule:
		return "module"
	}
	return "key"
}

// What can be revoked.
const (
	RevokedPackage uint8 = 1 // by the package's digest
	RevokedModule  uint8 = 2 // by the module's digest
	RevokedKey     uint8 = 3 // a publisher's key, by its id
)

// Downgrade lets a package go back: the floor of its serial becomes Serial.
type Downgrade struct {
	Name   string `cbor:"1,keyasint" json:"name"`
	Serial uint64 `cbor:"2,keyasint" json:"serial"`
	From   uint64 `cbor:"3,keyasint" json:"from"` // the floor before
	Act    Act    `cbor:"4,keyasint,omitzero" json:"act,omitzero"`
}

// RunStop says that a run is to stop at its next call or tick.
type RunStop struct {
	Run    RunID  `cbor:"1,keyasint" json:"run"`
	Reason string `cbor:"2,keyasint,omitempty" json:"reason,omitempty"` // for people, at most 256 bytes
}
