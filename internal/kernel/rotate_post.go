package kernel

import (
	"bytes"
	"path/filepath"

	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
)

func (k *Kernel) postKeyFile() string  { return filepath.Join(k.home.Keys(), keys.PostLogFile) }
func (k *Kernel) nextPostFile() string { return filepath.Join(k.home.Keys(), keys.NextPostLogFile) }

// logPost is the ML-DSA-44 key of the log's current term, nil for none.
func (k *Kernel) logPost() seal.PostPublicKey {
	ts := k.log.Terms()
	return ts[len(ts)-1].Post
}

// nextPost makes the ML-DSA-44 key of the next term durable, if it has one, and
// returns its public half.
func (k *Kernel) nextPost(choice PostQuantum) (seal.PostPublicKey, error) {
	if choice == PostNo || choice == PostAsBefore && k.logPost() == nil {
		return nil, nil
	}
	return k.vault.GeneratePost(k.nextPostFile())
}

// settlePost is settle for the ML-DSA-44 key. What is not the current term's is
// erased; but not as long as the current one is nowhere.
func (k *Kernel) settlePost() error {
	current := k.logPost()
	if current == nil {
		if err := keys.Erase(k.nextPostFile()); err != nil {
			return err
		}
		return keys.Erase(k.postKeyFile())
	}
	key, err := k.vault.LoadPost(k.postKeyFile())
	if err == nil && bytes.Equal(key.Public(), current) {
		return keys.Erase(k.nextPostFile())
	}
	key, err = k.vault.LoadPost(k.nextPostFile())
	if err == nil && bytes.Equal(key.Public(), current) {
		return keys.Replace(k.nextPostFile(), k.postKeyFile())
	}
	_, err = k.vault.LogPost(current)
	return err
}

// checkPost looks for the private ML-DSA-44 key of a log that has one.
func (k *Kernel) checkPost() error {
	if public := k.logPost(); public != nil {
		_, err := k.vault.LogPost(public)
		return err
	}
	return nil
}
