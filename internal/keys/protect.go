package keys

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/forgeone/forgeone/abi"
)

// Protection says with what a folder of keys is encrypted: exactly one of the
// two is given.
type Protection struct {
	Passphrase string // file (0600) whose first line is the passphrase
	Recipient  string // age recipient: "age1…"

	work int // of scrypt, log2 N; 0: workFactor. Tests have less time.
}

// recipient returns what the folder's identity is encrypted to.
func (p Protection) recipient() (age.Recipient, error) {
	if (p.Passphrase == "") == (p.Recipient == "") {
		return nil, &abi.Error{Code: abi.CodeKeySecret, What: "keys are protected by a passphrase file or an age recipient, one of the two", Where: "keys", Hint: "forgeone key protect --passphrase-file FILE"}
	}
	if p.Recipient != "" {
		list, err := age.ParseRecipients(strings.NewReader(p.Recipient))
		if err != nil || len(list) != 1 {
			return nil, &abi.Error{Code: abi.CodeKeySecret, What: "not an age recipient (age1…)", Where: p.Recipient, Hint: "age-keygen -y IDENTITY"}
		}
		return list[0], nil
	}
	b, err := readPrivate(p.Passphrase)
	if err != nil {
		return nil, unlockError(p.Passphrase, err)
	}
	defer clear(b)
	pass, err := passphrase(b, p.Passphrase)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(pass)
	if err != nil {
		return nil, &abi.Error{Code: abi.CodeKeySecret, What: "not a passphrase", Where: p.Passphrase}
	}
	r.SetWorkFactor(cmp.Or(p.work, workFactor))
	return r, nil
}

// Protect encrypts the private keys in the folder dir, each file at once: after a
// crash some are plain and some encrypted, which opens, and calling it again
// does the rest. In a folder that is protected already it puts another
// passphrase or recipient in place of the one that the file unlock opens.
// What was plain is overwritten, as far as the file system writes in place; a
// copy of the disk made before holds the keys in the clear.
func Protect(dir, unlock string, p Protection) error {
	if err := checkFolder(dir); err != nil {
		return err
	}
	before := NewVault(dir, unlock).Protected()
	v, err := identify(dir, unlock, p)
	if err != nil {
		return err
	}
	id := v.id
	plain := !before || v.mixed(id) // may there be
	err = eachKey(dir, func(path string) error {
		b, err := readPrivate(path)
		if err != nil || encrypted(b) {
			return err
		}
		if !plain {
			return stray(path)
		}
		defer clear(b)
		sealed, err := encrypt(b, id.Recipient())
		if err != nil {
			return wrote(path, err)
		}
		// Before the only copy goes.
		if back, err := decrypt(sealed, id); err != nil || !bytes.Equal(back, b) {
			return wrote(path, errors.Join(errors.New("what was encrypted does not open"), err))
		}
		return swap(path, sealed)
	})
	if err != nil {
		return err
	}
	return Erase(filepath.Join(dir, MixedFile))
}

// NewProtected makes the folder dir of a new node, with an identity, and returns
// its vault, opened: no key of it ever lies on the disk in the clear. In a folder
// that has keys in the clear already it is F1-KEY-010.
func NewProtected(dir, unlock string, p Protection) (*Vault, error) {
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	if v := NewVault(dir, unlock); v.Protected() {
		return v, nil
	}
	for _, name := range files() {
		if !absent(dir, name) {
			return nil, &abi.Error{Code: abi.CodeKeySecret, What: "there are keys in the clear already", Where: dir, Hint: "forgeone key protect --passphrase-file FILE"}
		}
	}
	return identify(dir, unlock, p)
}

// identify gives the folder an identity, or another lock to the one that it has,
// and returns its vault, opened.
func identify(dir, unlock string, p Protection) (*Vault, error) {
	if unlock == "" {
		unlock = p.Passphrase // an interrupted call is called again
	}
	r, err := p.recipient()
	if err != nil {
		return nil, err
	}
	v := NewVault(dir, unlock)
	if v.Protected() {
		_, err = v.identity()
	} else {
		v.id, err = age.GenerateX25519Identity()
	}
	if err != nil {
		return nil, err
	}
	// Before there is an identity that plain keys are refused beside. A new folder has none.
	if !v.Protected() && slices.ContainsFunc(files(), func(name string) bool { return !absent(dir, name) }) {
		if err := mix(dir, v.id); err != nil {
			return nil, err
		}
	}
	v.file, err = writeIdentity(dir, v.id, r)
	return v, err
}

// Unprotect is the way back: the keys lie in the clear again, and the identity is
// gone. It too can be interrupted at any moment and called again.
func Unprotect(dir, unlock string) error {
	if err := checkFolder(dir); err != nil {
		return err
	}
	v := NewVault(dir, unlock)
	if !v.Protected() {
		return &abi.Error{Code: abi.CodeKeySecret, What: "the keys are not encrypted", Where: dir, Hint: "forgeone key protect --passphrase-file FILE"}
	}
	id, err := v.identity() // also where an interrupted call left only that
	if err != nil {
		return err
	}
	if err := mix(dir, id); err != nil {
		return err
	}
	err = eachKey(dir, func(path string) error {
		b, err := readPrivate(path)
		if err != nil || !encrypted(b) {
			return err
		}
		plain, err := v.read(path)
		if err != nil {
			return err
		}
		defer clear(plain)
		return swap(path, plain)
	})
	if err != nil {
		return err
	}
	if err := Erase(filepath.Join(dir, IdentityFile)); err != nil {
		return err
	}
	return Erase(filepath.Join(dir, MixedFile))
}

// eachKey calls f with the private key files that are in the folder.
func eachKey(dir string, f func(path string) error) error {
	for _, name := range append(files(), NextLogFile, PostLogFile, NextPostLogFile) {
		path := filepath.Join(dir, name)
		if err := Erase(path + newSuffix); err != nil { // of a call that was interrupted
			return err
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := f(path); err != nil {
			return err
		}
	}
	return nil
}

// newSuffix ends the name of a key file in the making.
const newSuffix = ".new"

// swap puts content in the place of the key file path, and erases what was there.
func swap(path string, content []byte) error {
	next := path + newSuffix
	if err := create(next, content); err != nil {
		return wrote(next, err)
	}
	return Replace(next, path)
}
