// Package evidence is an append-only, signed log: append records to it in
// transactions, from several processes at once; read it; verify it offline
// with a public key, on the machine or from a copy. An auditor needs this
// package and package abi only:
//
//	key, err := evidence.ParsePublicKey("f1pub-ed25519:…")
//	report, err := evidence.Verify(ctx, "copy/of/log", []evidence.PublicKey{key}, evidence.VerifyOptions{})
//
// A log is a folder of segment files. A record is deterministic CBOR; records
// are the leaves of an RFC 6962 Merkle tree with SHA-256. Every batch of
// records ends in a commit: a C2SP checkpoint (the tree's size and root) as a
// signed note, so that tools that are not ours can check it. Every full
// segment is sealed, and the next one carries the seal. docs/FORMATS.md has
// the bytes.
//
// # Pins
//
// A log's key may change (Log.Rotate): the span of a key is a term, and each key
// hands over to the next in a record that both sign. The keys given to Verify are
// pins: each must be the key of some term. A pin of
//
//   - the first key vouches for every term: no hand-over can be forged without
//     the key before. But who stole the key of an old term can show a fork of
//     the log that parts from it in that term.
//   - the newest key you know of, beside the first, ends that: its term must be
//     there, and only who holds it can make a log in which it is.
//   - the newest key alone finds every fork by keys of the past, but its holder
//     can make another past. (Not where the log is named after its first key,
//     and you compare the name: such a log begins with that key.)
//
// So keep every public key you were told of, and give them all.
//
// A term may have an ML-DSA-44 key too (Term.Post), which signs what is published
// of the log: exports and proofs, but not the commits of segments. An export whose
// newest term has one counts only with that signature. Who must not depend on
// Ed25519 pins such a key (VerifyOptions.Post): then what is published must be
// signed by it, or by those that it handed over to, one after the other.
//
// What verification can't see: whoever holds the log's current private key can
// rewrite the current term, and whoever puts back a whole older copy of the folder
// is found only by someone who kept a later key or a checkpoint elsewhere
// (VerifyOptions.Heads), or by witnesses (VerifyOptions.Witnesses). Without them
// every report says so (Report.Witnessed).
//
// Errors are *abi.Error with a code F1-LOG-…, the file, the byte and the
// record they are about.
package evidence
