package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"filippo.io/age"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// IdentityFile holds the age identity of a protected folder of keys, encrypted
// with a passphrase or to somebody's age recipient. The other files are age
// files to that identity: so opening a folder costs one scrypt at most.
const IdentityFile = "identity.age"

// MixedFile tells that keys in the clear lie beside encrypted ones: Protect or Unprotect
// is at work, or was interrupted. Who can't open the identity can't make it, and so can't
// put a key in the clear, which he knows, in the place of an encrypted one.
const MixedFile = "mixed.age"

const mixedText = "keys are being encrypted or decrypted\n"

const (
	agePrefix = "age-encryption.org/" // begins every age file
	// scrypt with N = 2^17, r = 8 (the least that OWASP's password storage cheat
	// sheet asks for): 128 MiB and some 0.4 s at each start. What somebody put in
	// place to exhaust memory is refused.
	workFactor    = 17
	maxWorkFactor = 20
)

// Vault reads and makes the private key files of one folder: plain ones, and, in
// a protected folder, encrypted ones. The secret that opens it is read when the
// first encrypted file is. Safe for concurrent use.
type Vault struct {
	dir, unlock string

	mu   sync.Mutex
	id   *age.X25519Identity // nil until it was needed
	file []byte              // what it was opened from: another identity may have come since
}

// NewVault returns the vault of the folder dir. unlock names the file with the
// passphrase (its first line) or the age identity that opens a protected
// folder; empty where there is none.
func NewVault(dir, unlock string) *Vault { return &Vault{dir: dir, unlock: unlock} }

// identity returns the folder's identity, opened. F1-KEY-008…010 where it can't be had.
func (v *Vault) identity() (*age.X25519Identity, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	path := filepath.Join(v.dir, IdentityFile)
	b, err := readPrivate(path)
	if abi.CodeOf(err) == abi.CodeKeyMissing {
		return nil, &abi.Error{Code: abi.CodeKeyMissing, What: "the keys are encrypted to an identity that is missing", Where: path, Hint: "forgeone doctor", Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	if v.id == nil || !bytes.Equal(b, v.file) {
		id, err := openIdentity(b, path, v.unlock)
		if err != nil {
			return nil, err
		}
		v.id, v.file = id, b
	}
	return v.id, nil
}

// Protected tells whether the folder has an identity, so that new files in it are
// encrypted.
func (v *Vault) Protected() bool {
	_, err := os.Lstat(filepath.Join(v.dir, IdentityFile))
	return err == nil
}

// Load reads a private Ed25519 key of the folder, which may be about to be
// replaced by another process.
func (v *Vault) Load(path string) (*seal.PrivateKey, error) {
	return again(func() (*seal.PrivateKey, error) {
		b, err := v.read(path)
		if err != nil {
			return nil, err
		}
		defer clear(b)
		return parsePrivate(b, path)
	})
}

// again calls f once or twice more if what it read was no key: between opening
// and reading a file that is replaced, the old one may have become zeros, and
// the identity of a folder may go when nothing is encrypted to it any more.
func again[T any](f func() (T, error)) (k T, err error) {
	for range 3 {
		k, err = f()
		if c := abi.CodeOf(err); c != abi.CodeKeyFormat && c != abi.CodeKeyMissing {
			break
		}
	}
	return k, err
}

func (v *Vault) loadSecret(path string) (seal.Key, error) {
	return again(func() (k seal.Key, err error) {
		b, err := v.read(path)
		if err != nil {
			return k, err
		}
		defer clear(b)
		return parseSecret(b, path)
	})
}

// Generate is Generate for a key of the folder: encrypted if that is protected.
func (v *Vault) Generate(path string) (seal.PublicKey, error) { return generate(path, v.seal) }

// read returns what a file of the folder says, in the clear.
func (v *Vault) read(path string) ([]byte, error) {
	b, err := readPrivate(path)
	if err != nil || !encrypted(b) && !v.Protected() {
		return b, err
	}
	id, err := v.identity()
	if err != nil {
		return nil, err
	}
	if !encrypted(b) {
		if !v.mixed(id) {
			return nil, stray(path)
		}
		return b, nil
	}
	plain, err := decrypt(b, id)
	if err != nil {
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "the file is damaged, or is encrypted to another identity than this folder's", Where: path, Err: err}
	}
	return plain, nil
}

// stray says that a key file is in the clear where none may be.
func stray(path string) error {
	return &abi.Error{Code: abi.CodeKeyFormat, What: "a key in the clear lies among encrypted ones: somebody else may have put it there", Where: path, Hint: "forgeone key protect --help"}
}

// mixed tells whether keys in the clear may lie beside encrypted ones.
func (v *Vault) mixed(id *age.X25519Identity) bool {
	b, err := readPrivate(filepath.Join(v.dir, MixedFile))
	if err != nil {
		return false
	}
	text, err := decrypt(b, id)
	return err == nil && string(text) == mixedText
}

// CheckMixed tells whether encrypting or decrypting the folder dir was interrupted: while
// nobody ends it, a key in the clear is taken beside encrypted ones.
func CheckMixed(dir string) error {
	if absent(dir, MixedFile) || absent(dir, IdentityFile) {
		return nil
	}
	return &abi.Error{
		Code: abi.CodeKeySecret, What: "encrypting or decrypting the keys was interrupted: until it is ended, a key in the clear is taken beside encrypted ones", Where: dir,
		Hint: "forgeone key protect --help",
	}
}

// mix says that keys in the clear may lie beside those encrypted to id, from now on.
func mix(dir string, id *age.X25519Identity) error {
	path := filepath.Join(dir, MixedFile)
	b, err := encrypt([]byte(mixedText), id.Recipient())
	if err == nil {
		err = sys.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return wrote(path, err)
	}
	return nil
}

// seal returns content as the folder keeps it.
func (v *Vault) seal(content []byte) ([]byte, error) {
	if !v.Protected() {
		return content, nil
	}
	id, err := v.identity()
	if err != nil {
		return nil, err
	}
	return encrypt(content, id.Recipient())
}

func encrypted(b []byte) bool { return bytes.HasPrefix(b, []byte(agePrefix)) }

func encrypt(plain []byte, to age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close() // writes the rest
	return out.Bytes(), err
}

// decrypt opens an age file that is a small one.
func decrypt(b []byte, ids ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(b), ids...)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(plain) > maxFile {
		err = fmt.Errorf("it holds more than %d bytes", maxFile)
	}
	return plain, err
}

// openIdentity opens the identity in b, which is the file path, with what the
// file unlock holds.
func openIdentity(b []byte, path, unlock string) (*age.X25519Identity, error) {
	plain, err := unlocked(b, path, unlock)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	id, err := age.ParseX25519Identity(strings.TrimSpace(string(plain)))
	if err != nil {
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "what opens is no age identity", Where: path}
	}
	return id, nil
}

// unlocked opens the age file in b, which is the file path, with what the file
// unlock holds.
func unlocked(b []byte, path, unlock string) ([]byte, error) {
	if unlock == "" {
		return nil, &abi.Error{Code: abi.CodeKeyLocked, What: "the keys are encrypted, and no file is named that opens them", Where: path, Hint: "export FORGEONE_UNLOCK=FILE"}
	}
	ids, err := unlockers(unlock)
	if err != nil {
		return nil, err
	}
	plain, err := decrypt(b, ids...)
	if err != nil {
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) || errors.Is(err, age.ErrIncorrectIdentity) {
			return nil, &abi.Error{Code: abi.CodeKeyUnlock, What: "the passphrase or identity in " + unlock + " does not open the keys", Where: path, Hint: "export FORGEONE_UNLOCK=FILE"}
		}
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "the encrypted file is damaged", Where: path, Err: err}
	}
	return plain, nil
}

// unlockers reads the file that opens a folder: age identities, or a passphrase.
func unlockers(file string) ([]age.Identity, error) {
	b, err := readPrivate(file)
	if err != nil {
		return nil, unlockError(file, err)
	}
	defer clear(b)
	if bytes.Contains(b, []byte("AGE-SECRET-KEY-")) {
		ids, err := age.ParseIdentities(bytes.NewReader(b))
		if err != nil { // its message may hold a part of the file
			return nil, &abi.Error{Code: abi.CodeKeySecret, What: "the file holds no age identity that can be read", Where: file}
		}
		return ids, nil
	}
	pass, err := passphrase(b, file)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		return nil, &abi.Error{Code: abi.CodeKeySecret, What: "the file holds no passphrase", Where: file}
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	return []age.Identity{id}, nil
}

// passphrase is the first line of a file that holds one.
func passphrase(b []byte, file string) (string, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", &abi.Error{Code: abi.CodeKeySecret, What: "the first line of the file is empty: a passphrase is wanted", Where: file}
	}
	return line, nil
}

// unlockError gives a missing file of a secret a hint of its own.
func unlockError(file string, err error) error {
	if abi.CodeOf(err) == abi.CodeKeyMissing {
		return &abi.Error{Code: abi.CodeKeySecret, What: "the file with the passphrase or identity is missing", Where: file, Err: fs.ErrNotExist, Hint: "export FORGEONE_UNLOCK=FILE"}
	}
	return err
}

// writeIdentity puts the identity in place, encrypted to r, and returns what the
// file holds.
func writeIdentity(dir string, id *age.X25519Identity, r age.Recipient) ([]byte, error) {
	path := filepath.Join(dir, IdentityFile)
	b, err := encrypt([]byte(id.String()+"\n"), r)
	if err == nil {
		err = sys.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return nil, wrote(path, err)
	}
	return b, nil
}
