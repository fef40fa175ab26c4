package forgeone

import (
	"context"

	"github.com/forgeone/forgeone/evidence"
)

// LogDir returns the folder of the node's evidence log. A copy of it, made at
// any time, is all that VerifyLog needs beside the public key.
func (n *Node) LogDir() string { return n.k.Home().Log() }

// Verify checks the node's log from its first byte with the node's own key.
// Whoever doubts the node uses VerifyLog with a key kept elsewhere.
func (n *Node) Verify(ctx context.Context) (*evidence.Report, error) {
	leave, err := n.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return VerifyLog(ctx, n.LogDir(), n.PublicKey())
}

// VerifyLog checks the log in dir, offline, with the given public keys of the
// form "f1pub-ed25519:…": each of them must be the key of some term of the log,
// and each of its keys must have handed over to the next; see "Pins" of package
// evidence. It needs no state folder and changes nothing.
//
// The report is also returned with an error, and then holds what was verified
// before. Errors: F1-LOG-… with the place of the damage; F1-LOG-019, no key was
// given or it is none.
func VerifyLog(ctx context.Context, dir string, keys ...string) (*evidence.Report, error) {
	var ring []evidence.PublicKey
	for _, text := range keys {
		key, err := evidence.ParsePublicKey(text)
		if err != nil {
			return &evidence.Report{}, &Error{Code: evidence.CodeUsage, What: "log verify: not a public key", Where: text, Err: err, Hint: "forgeone key list"}
		}
		ring = append(ring, key)
	}
	r, err := evidence.Verify(ctx, dir, ring, evidence.VerifyOptions{})
	return &r, err
}
