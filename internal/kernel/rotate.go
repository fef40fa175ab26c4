package kernel

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// Replacing the log's key takes four steps, each of which may be the last one
// before the power fails:
//
//	1  the new private key is durable, as log.next
//	2  the log is handed over to it (evidence.Rotate)
//	3  log.next takes the place of log.key
//	4  what was in log.key is erased
//
// A log with an ML-DSA-44 key (log-post.key) gets another one with it, or none: the
// private one is made durable as log-post.next before 1, and settled before 3.
// So log.next is there until all is done.
//
// Until 2 the old key is current, and log.next is dropped by the next one who
// opens the kernel; from 2 on the new one is, and he does 3 and 4. Whoever
// replaces or tidies up holds the lock .rotate meanwhile; whoever only opens does
// not wait for it: with log.next there he finds the key that he needs.

// Rotated tells what RotateLogKey did.
type Rotated struct {
	Old, New evidence.Term
	Index    uint64 // of the log.key record
}

func (k *Kernel) logKeyFile() string  { return filepath.Join(k.home.Keys(), keys.LogFile) }
func (k *Kernel) nextKeyFile() string { return filepath.Join(k.home.Keys(), keys.NextLogFile) }

// LogTerms returns the terms of the log's keys, as far as this kernel has seen,
// the current one last.
func (k *Kernel) LogTerms() []evidence.Term { return k.log.Terms() }

// LogKey is the public key of the log's current term.
func (k *Kernel) LogKey() seal.PublicKey {
	ts := k.log.Terms()
	return ts[len(ts)-1].Key
}

// PostQuantum says whether the log has an ML-DSA-44 key in its next term.
type PostQuantum int

// The choices.
const (
	PostAsBefore PostQuantum = iota // if the present term has one
	PostYes
	PostNo
)

// RotateLogKey replaces the key that signs the log by a new one and erases the
// old one; the ML-DSA-44 key, which is beside it or not, too. Runs under way, here or in other processes, go on under the new key.
//
// Errors: CodeKeyRotating, somebody else is at it; CodeKeyUnsettled, the log
// failed in the middle; those of the log and of key files.
func (k *Kernel) RotateLogKey(ctx context.Context, choice PostQuantum) (*Rotated, error) {
	lock, got, err := k.lockRotation()
	if err != nil {
		return nil, err
	}
	if !got {
		return nil, &abi.Error{Code: abi.CodeKeyRotating, What: "another process is replacing the log's key", Where: k.home.Keys(), Hint: "forgeone log verify"}
	}
	defer lock.Unlock()
	if err := keys.Sweep(k.home.Keys()); err != nil {
		return nil, err
	}
	if err := k.settle(ctx); err != nil {
		return nil, err
	}
	post, err := k.nextPost(choice)
	if err != nil {
		return nil, err
	}
	if _, err := k.vault.Generate(k.nextKeyFile()); err != nil {
		return nil, err
	}
	next, err := k.vault.Load(k.nextKeyFile())
	if err != nil {
		return nil, err
	}
	index, err := k.log.Rotate(ctx, next, post)
	if err != nil {
		// It may have failed before or after the record was durable.
		if k.settle(context.WithoutCancel(ctx)) != nil {
			err = &abi.Error{Code: abi.CodeKeyUnsettled, What: "it is not known whether the log was handed over to the new key", Where: k.nextKeyFile(), Hint: "forgeone doctor", Err: err}
		}
		return nil, err
	}
	if err := k.settle(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	ts := k.LogTerms()
	return &Rotated{Old: ts[len(ts)-2], New: ts[len(ts)-1], Index: index}, nil
}

func (k *Kernel) lockRotation() (*sys.FileLock, bool, error) {
	l, got, err := sys.TryLock(k.home.path(".rotate"))
	return l, got, unkept(k.home.path(".rotate"), err)
}

// tidyRotation finishes or drops what a process left that died while it replaced
// the log's key.
func (k *Kernel) tidyRotation(ctx context.Context) error {
	_, err := os.Lstat(k.nextKeyFile())
	_, e := os.Lstat(k.nextPostFile())
	if errors.Is(err, fs.ErrNotExist) && errors.Is(e, fs.ErrNotExist) {
		return nil
	}
	lock, got, err := k.lockRotation()
	if err != nil || !got {
		return err // who has it is at work
	}
	defer lock.Unlock()
	return k.settle(ctx)
}

// settle is tidyRotation by who has the lock.
func (k *Kernel) settle(ctx context.Context) error {
	if err := k.log.Refresh(ctx); err != nil {
		return err
	}
	if err := k.settlePost(); err != nil {
		return err
	}
	current := k.LogKey()
	key, err := k.vault.Load(k.logKeyFile())
	if err == nil && bytes.Equal(key.Public(), current) {
		return keys.Erase(k.nextKeyFile())
	}
	next, e := k.vault.Load(k.nextKeyFile())
	if e == nil && bytes.Equal(next.Public(), current) {
		return keys.Replace(k.nextKeyFile(), k.logKeyFile())
	}
	return errors.Join(noLogKey(k.home, current), err, e)
}

// logKey finds the private key of the log's current term. (evidence.Options.NextKey)
func (k *Kernel) logKey(public seal.PublicKey) (*seal.PrivateKey, error) {
	// Twice: between the looks at the two files the one may become the other.
	for range 2 {
		for _, name := range []string{keys.LogFile, keys.NextLogFile} {
			key, err := k.vault.Load(filepath.Join(k.home.Keys(), name))
			if err == nil && bytes.Equal(key.Public(), public) {
				return key, nil
			}
		}
	}
	return nil, noLogKey(k.home, public)
}

func noLogKey(h Home, public seal.PublicKey) error {
	return &abi.Error{Code: abi.CodeKeyTerm, What: "the private key of " + public.String() + ", which the log was handed over to, is not here", Where: h.Keys()}
}
