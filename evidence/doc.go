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
// What verification can't see: whoever holds the log's current private key, or
// puts back a whole older copy of the folder, is found only by someone who
// kept a checkpoint elsewhere. Until a witness signs checkpoints, every report
// says so (Report.Witnessed).
//
// Errors are *abi.Error with a code F1-LOG-…, the file, the byte and the
// record they are about.
package evidence
