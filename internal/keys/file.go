package keys

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

const (
	secretType    = "FORGEONE SECRET KEY"
	purposeHeader = "Purpose"
	maxFile       = 4096
)

// purpose is what a symmetric key's file says it is for, so that one can't
// stand in for the other.
func purpose(name string) string { return strings.TrimSuffix(name, ".key") }

func marshalSecret(k seal.Key, purpose string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: secretType, Headers: map[string]string{purposeHeader: purpose}, Bytes: k[:]})
}

func parseSecret(b []byte, path string) (k seal.Key, err error) {
	want := purpose(filepath.Base(path))
	blk, rest := pem.Decode(b)
	if blk == nil || blk.Type != secretType || blk.Headers[purposeHeader] != want || len(blk.Bytes) != len(k) || len(strings.TrimSpace(string(rest))) > 0 {
		return k, &abi.Error{Code: abi.CodeKeyFormat, What: fmt.Sprintf("not a secret key for the purpose %q", want), Where: path}
	}
	copy(k[:], blk.Bytes)
	return k, nil
}

// readPrivate reads a file that only its owner may touch.
func readPrivate(path string) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	if m := info.Mode().Perm(); m&0o077 != 0 {
		return nil, &abi.Error{Code: abi.CodeKeyPermissions, What: fmt.Sprintf("private key has mode %04o: group or others may touch it", m), Where: path, Hint: "chmod 600 " + abi.Shell(path)}
	}
	return readAll(f, path)
}

// open opens a regular file. What else there may be (a FIFO, say) is refused
// without opening it, since that might wait.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &abi.Error{Code: abi.CodeKeyMissing, What: "key file is missing", Where: path, Hint: "forgeone keygen -o " + abi.Shell(path), Err: err}
	case err != nil:
		return nil, unreadable(path, err)
	case !info.Mode().IsRegular():
		return nil, unreadable(path, errors.New("not a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

func readAll(f *os.File, path string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(b) > maxFile {
		clear(b)
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: fmt.Sprintf("key file is larger than %d bytes", maxFile), Where: path}
	}
	return b, nil
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &abi.Error{Code: abi.CodeKeyMissing, What: "the folder of keys is missing", Where: dir, Hint: "forgeone init", Err: err}
	case err != nil:
		return unreadable(dir, err)
	case !info.IsDir():
		return unreadable(dir, errors.New("not a folder"))
	case info.Mode().Perm()&0o077 != 0:
		return &abi.Error{Code: abi.CodeKeyPermissions, What: fmt.Sprintf("folder of keys has mode %04o: group or others may touch it", info.Mode().Perm()), Where: dir, Hint: "chmod 700 " + abi.Shell(dir)}
	}
	return nil
}

func unreadable(path string, err error) *abi.Error {
	return &abi.Error{Code: abi.CodeKeyRead, What: "key file can't be read", Where: path, Err: err}
}

func wrote(path string, err error) *abi.Error {
	return &abi.Error{Code: abi.CodeKeyWrite, What: "key file can't be written", Where: path, Err: err}
}
