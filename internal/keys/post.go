package keys

import (
	"bytes"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// GeneratePost is Generate for an ML-DSA-44 key.
func (v *Vault) GeneratePost(path string) (seal.PostPublicKey, error) {
	return generatePost(path, v.seal)
}

// LoadPost is Load for an ML-DSA-44 key.
func (v *Vault) LoadPost(path string) (*seal.PostPrivateKey, error) {
	return again(func() (*seal.PostPrivateKey, error) {
		b, err := v.read(path)
		if err != nil {
			return nil, err
		}
		defer clear(b)
		k, err := seal.ParsePost(b)
		if err != nil {
			return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "not a private ML-DSA-44 key", Where: path, Err: err}
		}
		return k, nil
	})
}

// LogPost finds the private half of the log's ML-DSA-44 key public, which may be
// about to take the place of another (NextPostLogFile). F1-KEY-002 if it is not
// here.
func (v *Vault) LogPost(public seal.PostPublicKey) (*seal.PostPrivateKey, error) {
	var failed error
	// Twice: between the looks at the two files the one may become the other.
	for range 2 {
		for _, name := range []string{PostLogFile, NextPostLogFile} {
			k, err := v.LoadPost(filepath.Join(v.dir, name))
			if err == nil && bytes.Equal(k.Public(), public) {
				return k, nil
			}
			// A file that can't be opened says more than one that is not there.
			if err != nil && abi.CodeOf(err) != abi.CodeKeyMissing {
				failed = err
			}
		}
	}
	if failed != nil {
		return nil, failed
	}
	return nil, &abi.Error{Code: abi.CodeKeyMissing, What: "the private part of the log's post-quantum key " + public.ID().Short() + " is not here", Where: filepath.Join(v.dir, PostLogFile), Hint: "forgeone doctor"}
}
