// Package keys keeps key files on disk: the keys of the node, its log, its
// operator and the local developer, the two symmetric keys of a state folder,
// and the signing keys that people make with keygen. A private key lies in a
// file of its own with mode 0600, appears there complete or not at all, is never
// overwritten, and is never printed: errors name the file, not what is in it.
// The files of a state folder may be encrypted with age.
package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Names of the files in a folder of keys.
const (
	NodeFile      = "node.key"
	LogFile       = "log.key"
	OperatorFile  = "operator.key"
	DeveloperFile = "developer.key"
	RecordingFile = "recording.key"
	CacheFile     = "cache.key"
)

// files are those that Ensure makes.
func files() []string {
	return []string{NodeFile, LogFile, OperatorFile, DeveloperFile, RecordingFile, CacheFile}
}

// Local is what a state folder's folder of keys holds.
type Local struct {
	Node      *seal.PrivateKey // signs the configuration; the node's name
	Log       *seal.PrivateKey // signs the evidence log in its present term
	Operator  *seal.PrivateKey // signs operator's acts here; nil: it is kept elsewhere
	Developer *seal.PrivateKey // signs packages on this machine
	Recording seal.Key         // wraps the keys of recordings; outlives node keys
	Cache     seal.Key         // authenticates caches

	Vault *Vault // the folder, opened
}

// Open reads the keys in the folder dir, which may be protected (see NewVault).
// A missing one is F1-KEY-002: none is made, because a new key beside an old log
// could only hide that the old one is lost. Only the operator's key may be kept
// elsewhere.
func Open(dir, unlock string) (*Local, error) { return NewVault(dir, unlock).Open() }

// Open is the package's Open of the vault's folder.
func (v *Vault) Open() (*Local, error) {
	l, err := v.open()
	var e *abi.Error
	if errors.As(err, &e) && e.Code == abi.CodeKeyMissing && e.Where != v.dir {
		e.Hint = "forgeone doctor" // keygen can't bring these back
	}
	return l, err
}

func (v *Vault) open() (*Local, error) {
	if err := checkFolder(v.dir); err != nil {
		return nil, err
	}
	l := Local{Vault: v}
	for _, f := range []struct {
		name string
		key  **seal.PrivateKey
	}{{NodeFile, &l.Node}, {LogFile, &l.Log}, {OperatorFile, &l.Operator}, {DeveloperFile, &l.Developer}} {
		k, err := v.Load(filepath.Join(v.dir, f.name))
		if err != nil && !(f.name == OperatorFile && abi.CodeOf(err) == abi.CodeKeyMissing && absent(v.dir, f.name)) {
			return nil, err
		}
		*f.key = k
	}
	var err error
	if l.Recording, err = v.loadSecret(filepath.Join(v.dir, RecordingFile)); err != nil {
		return nil, err
	}
	if l.Cache, err = v.loadSecret(filepath.Join(v.dir, CacheFile)); err != nil {
		return nil, err
	}
	l.Cache = ofNode(l.Node, l.Cache)
	return &l, nil
}

// ofNode makes of a secret one that only who has the node's key can make, too: what is
// authenticated with it is believed, and whoever can write the secret's file knows what
// he wrote there. Ed25519 signs alike each time (RFC 8032).
func ofNode(node *seal.PrivateKey, secret seal.Key) seal.Key {
	const domain = "forgeone/cache-key/v1"
	id := seal.Authenticate(secret, domain, nil)
	return seal.Authenticate(secret, domain, node.Sign(domain, id[:]))
}

// absent tells whether the folder has no file of that name.
func absent(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist)
}

// Ensure makes the vault's folder (0700) and those of its keys that are missing,
// and opens it. It may be called again, and by several processes at once: all get
// the same keys. It is for making a state folder; whoever has a log calls Open.
func (v *Vault) Ensure() (*Local, error) {
	if err := makeFolder(v.dir); err != nil {
		return nil, err
	}
	for _, name := range files() {
		if !absent(v.dir, name) {
			continue
		}
		path := filepath.Join(v.dir, name)
		content, err := fresh(name)
		if err == nil {
			content, err = v.seal(content)
		}
		if err != nil {
			return nil, err
		}
		if err := create(path, content); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, wrote(path, err)
		}
	}
	return v.Open()
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return wrote(dir, err)
	}
	return checkFolder(dir)
}

// fresh returns the content of a new key file of that name.
func fresh(name string) ([]byte, error) {
	if name == RecordingFile || name == CacheFile {
		return marshalSecret(seal.NewKey(), purpose(name)), nil
	}
	k, err := seal.GenerateKey()
	if err != nil {
		return nil, wrote(name, err)
	}
	return seal.MarshalPrivate(k), nil
}

// Generate makes a new signing key in the file path, which must not exist, and
// returns its public half.
func Generate(path string) (seal.PublicKey, error) {
	return generate(path, plain)
}

// plain leaves a file's content as it is.
func plain(b []byte) ([]byte, error) { return b, nil }

// generate is Generate; seal makes of a file's content what is written.
func generate(path string, seals func([]byte) ([]byte, error)) (seal.PublicKey, error) {
	k, err := seal.GenerateKey()
	if err != nil {
		return nil, wrote(path, err)
	}
	content, err := seals(seal.MarshalPrivate(k))
	if err != nil {
		return nil, err
	}
	switch err := create(path, content); {
	case errors.Is(err, fs.ErrExist):
		return nil, &abi.Error{Code: abi.CodeKeyExists, What: "the file exists, and a key is never overwritten", Where: path, Hint: "forgeone keygen -o " + abi.Shell(path+".new")}
	case err != nil:
		return nil, wrote(path, err)
	}
	return k.Public(), nil
}

// Load reads a private signing key. It refuses a file that group or others may
// read or write. One that is encrypted with age is opened with what the file
// unlock holds (see NewVault): itself, or, in a protected folder, its identity.
func Load(path, unlock string) (*seal.PrivateKey, error) {
	b, err := readUnlocked(path, unlock)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return parsePrivate(b, path)
}

// readUnlocked returns what a private key's file says, in the clear.
func readUnlocked(path, unlock string) ([]byte, error) {
	v := NewVault(filepath.Dir(path), unlock)
	if v.Protected() {
		return v.read(path)
	}
	b, err := readPrivate(path)
	if err != nil || !encrypted(b) {
		return b, err
	}
	return unlocked(b, path, unlock)
}

func parsePrivate(b []byte, path string) (*seal.PrivateKey, error) {
	k, err := seal.ParsePrivate(b)
	if err != nil {
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "not a private signing key", Where: path, Err: err}
	}
	return k, nil
}

// LoadPublic reads a public key: a file with the one line that keygen printed.
func LoadPublic(path string) (seal.PublicKey, error) {
	alg, p, err := LoadAnyPublic(path)
	if err != nil {
		return nil, err
	}
	if alg != seal.Ed25519 {
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "an Ed25519 key is wanted here, this is one of algorithm " + alg, Where: path}
	}
	return p, nil
}
