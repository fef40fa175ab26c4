package keys

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Signing is a private signing key of either algorithm: one of the two is nil.
type Signing struct {
	Ed25519 *seal.PrivateKey
	Post    *seal.PostPrivateKey // ML-DSA-44
}

// GeneratePost is Generate for an ML-DSA-44 key.
func GeneratePost(path string) (seal.PostPublicKey, error) {
	return generatePost(path, plain)
}

// generatePost is generate for an ML-DSA-44 key.
func generatePost(path string, seals func([]byte) ([]byte, error)) (seal.PostPublicKey, error) {
	k, err := seal.GeneratePost()
	if err != nil {
		return nil, wrote(path, err)
	}
	content, err := seals(seal.MarshalPost(k))
	if err != nil {
		return nil, err
	}
	switch err := create(path, content); {
	case errors.Is(err, fs.ErrExist):
		return nil, &abi.Error{Code: abi.CodeKeyExists, What: "the file exists, and a key is never overwritten", Where: path, Hint: "forgeone keygen --alg mldsa44 -o " + abi.Shell(path+".new")}
	case err != nil:
		return nil, wrote(path, err)
	}
	return k.Public(), nil
}

// LoadSigning is Load for a key of either algorithm.
func LoadSigning(path, unlock string) (Signing, error) {
	b, err := readUnlocked(path, unlock)
	if err != nil {
		return Signing{}, err
	}
	defer clear(b)
	if k, err := seal.ParsePost(b); err == nil {
		return Signing{Post: k}, nil
	}
	k, err := parsePrivate(b, path)
	return Signing{Ed25519: k}, err
}

// LoadAnyPublic is LoadPublic for a key of either algorithm, which it names.
func LoadAnyPublic(path string) (alg string, public []byte, err error) {
	f, err := open(path)
	if err != nil {
		return "", nil, err
	}
	defer f.Close() // only read from
	b, err := readAll(f, path)
	if err != nil {
		return "", nil, err
	}
	defer clear(b)
	if strings.Contains(string(b), "PRIVATE KEY") || strings.Contains(string(b), secretType) {
		return "", nil, &abi.Error{Code: abi.CodeKeyPrivate, What: "this file holds a private key; the public one is wanted", Where: path}
	}
	if alg, public, err = seal.ParseAnyPublic(string(b)); err != nil {
		return "", nil, &abi.Error{Code: abi.CodeKeyFormat, What: "not a public key", Where: path, Err: err}
	}
	return alg, public, nil
}
