package wasm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// Cache keeps compiled code on disk, under the node's key: a MAC is put only on
// bytes that came from the box, were checked, and have been in memory since. The
// bytes that were authenticated are those that the engine gets. An entry that does
// not authenticate is as good as none. Safe for use by several processes: an entry
// is written whole, by rename.
//
// An entry: magic, 32 bytes by which the engine knows the code, the code, 32 bytes
// HMAC-SHA256 over all before it, the kind of engine and the module's digest.
//
// A refusal is an entry of its own: magic, the error in the deterministic encoding,
// and a MAC that is bound to the configuration too.
type Cache struct {
	dir   string
	key   seal.Key
	scope abi.Digest
}

const (
	codeEntry     = "F1CODE\x02\n"
	refusalEntry  = "F1DENY\x01\n"
	cacheDomain   = "forgeone/code-cache/v2"
	refusalDomain = "forgeone/code-refusal/v1"
	macSize       = 32
	maxEntry      = 4 << 30
	maxRefusal    = 64 << 10
)

// NewCache returns the cache in folder dir, authenticated under key. Refusals hold
// under the configuration with that digest.
func NewCache(dir string, key seal.Key, config abi.Digest) *Cache {
	return &Cache{dir: dir, key: key, scope: config}
}

// Paths are the files of the rewritten module with digest d. They may be removed at
// any time.
func (c *Cache) Paths(d abi.Digest) []string { return []string{c.codePath(d), c.refusalPath(d)} }

func (c *Cache) codePath(d abi.Digest) string { return filepath.Join(c.dir, d.Hex()+".code") }

func (c *Cache) refusalPath(d abi.Digest) string { return filepath.Join(c.dir, d.Hex()+".refused") }

// tag authenticates an entry of module d.
func (c *Cache) tag(domain string, d abi.Digest, parts ...[]byte) (t [macSize]byte) {
	m := seal.NewAuthenticator(c.key, domain)
	m.Write([]byte(Compiler.ID()))
	m.Write(d[:])
	if domain == refusalDomain {
		m.Write(c.scope[:])
	}
	for _, p := range parts {
		m.Write(p)
	}
	m.Sum(t[:0])
	return t
}

// read returns what an entry holds, if it is there and authenticates.
func (c *Cache) read(path, magic, domain string, d abi.Digest, limit int64) (body []byte, ok bool) {
	b, err := sys.ReadRegular(path, limit)
	if err != nil || len(b) < len(magic)+macSize || string(b[:len(magic)]) != magic {
		return nil, false
	}
	b, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	if want := c.tag(domain, d, b); !seal.Equal(want[:], mac) {
		return nil, false
	}
	return b[len(magic):], true
}

// write writes an entry.
func (c *Cache) write(path, domain string, d abi.Digest, parts ...[]byte) error {
	mac := c.tag(domain, d, parts...)
	err := os.MkdirAll(c.dir, 0o700)
	if err == nil {
		err = sys.WriteParts(path, 0o600, append(parts, mac[:])...)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &abi.Error{Code: "F1-RUN-165", What: "there is no room for the module's compiled code", Where: c.dir, Err: err, Hint: "df -h " + abi.Shell(c.dir)}
	}
	if err != nil {
		return &abi.Error{Code: "F1-RUN-165", What: "the module's compiled code can't be kept", Where: c.dir, Err: err, Hint: "forgeone doctor"}
	}
	return nil
}

// stamp tells one state of what is kept of module d from another.
func (c *Cache) stamp(d abi.Digest) (s string) {
	for _, p := range c.Paths(d) {
		if st, err := os.Stat(p); err == nil {
			s += fmt.Sprint(st.ModTime().UnixNano(), st.Size())
		}
		s += "/"
	}
	return s
}

// open returns the code of module d, and what the engine knows it by.
func (c *Cache) open(d abi.Digest) (code []byte, key engineKey, ok bool) {
	b, ok := c.read(c.codePath(d), codeEntry, cacheDomain, d, maxEntry)
	if !ok || len(b) < len(key) {
		return nil, key, false
	}
	return b[copy(key[:], b):], key, true
}

// store keeps the code of module d.
func (c *Cache) store(d abi.Digest, key engineKey, code []byte) error {
	return c.write(c.codePath(d), cacheDomain, d, []byte(codeEntry), key[:], code)
}

// refusal is an error as it is kept.
type refusal struct {
	_          struct{} `cbor:",toarray"`
	Code       string
	What, Hint []byte
}

// Refuse keeps what compiling module d came to, or admitting it where d stands for that.
func (c *Cache) Refuse(d abi.Digest, e *abi.Error) error {
	b, err := codec.Marshal(refusal{Code: string(e.Code), What: []byte(e.What), Hint: []byte(e.Hint)})
	if err != nil {
		return err
	}
	return c.write(c.refusalPath(d), refusalDomain, d, []byte(refusalEntry), b)
}

// Refused returns what was kept of d by Refuse under this configuration, nil if there is
// nothing.
func (c *Cache) Refused(d abi.Digest) error {
	b, ok := c.read(c.refusalPath(d), refusalEntry, refusalDomain, d, maxRefusal)
	var r refusal
	if !ok || codec.Unmarshal(b, &r) != nil {
		return nil
	}
	return &abi.Error{Code: abi.Code(r.Code), What: string(r.What) + " (as before: it was not tried again)", Hint: string(r.Hint)}
}
