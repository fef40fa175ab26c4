package wasm

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// Cache keeps compiled code on disk. The engine guards its own files with a
// CRC only, so each is wrapped with a MAC under the node's key, and the bytes
// that were checked are copied to a private folder and used from there. An
// entry that does not authenticate is as good as none. Safe for use by several
// processes: an entry is written whole, by rename.
//
// An entry: magic, u32 length of the engine's file name, the name, the code,
// 32 bytes HMAC-SHA256 over all before it and the module's digest.
type Cache struct {
	dir string
	key seal.Key
}

const (
	cacheMagic  = "F1CODE\x01\n"
	cacheDomain = "forgeone/code-cache/v1"
	macSize     = 32
	maxCode     = 1 << 30
)

// NewCache returns the cache in folder dir, authenticated under key.
func NewCache(dir string, key seal.Key) *Cache { return &Cache{dir: dir, key: key} }

// Path is the file of the rewritten module with digest d. It may be removed at any
// time.
func (c *Cache) Path(d abi.Digest) string { return filepath.Join(c.dir, d.Hex()+".code") }

func (c *Cache) tag(d abi.Digest, b []byte) (t [macSize]byte) {
	m := seal.NewAuthenticator(c.key, cacheDomain)
	m.Write([]byte(Compiler.ID()))
	m.Write(d[:])
	m.Write(b)
	m.Sum(t[:0])
	return t
}

// open returns the engine's file name and content, if the entry is there and
// authenticates.
func (c *Cache) open(d abi.Digest) (name string, code []byte, ok bool) {
	st, err := os.Stat(c.Path(d))
	if err != nil || st.Size() > maxCode {
		return "", nil, false
	}
	b, err := os.ReadFile(c.Path(d))
	if err != nil || len(b) < len(cacheMagic)+4+macSize || string(b[:len(cacheMagic)]) != cacheMagic {
		return "", nil, false
	}
	body, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	if want := c.tag(d, body); !seal.Equal(want[:], mac) {
		return "", nil, false
	}
	body = body[len(cacheMagic):]
	n := binary.LittleEndian.Uint32(body)
	body = body[4:]
	if uint64(n) > uint64(len(body)) || !filepath.IsLocal(string(body[:n])) {
		return "", nil, false
	}
	return string(body[:n]), body[n:], true
}

// load puts the code of module d where the engine that uses folder dir finds it,
// whole or not at all.
func (c *Cache) load(d abi.Digest, dir string) bool {
	name, code, ok := c.open(d)
	if !ok {
		return false
	}
	p := filepath.Join(dir, name)
	if os.MkdirAll(filepath.Dir(p), 0o700) != nil {
		return false
	}
	if os.WriteFile(p, code, 0o600) != nil {
		_ = os.Remove(p) // the engine takes half a file for a module that is not valid
		return false
	}
	return true
}

// settle takes what the engine has just written to dir into the cache, unless
// it came from there, and empties dir: the code is in memory now.
func (c *Cache) settle(d abi.Digest, dir string, hit bool) error {
	return filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == privateLock {
			return err
		}
		if !hit {
			if err := c.store(d, dir, p); err != nil {
				return err
			}
		}
		return os.Remove(p)
	})
}

func (c *Cache) store(d abi.Digest, dir, file string) error {
	code, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(dir, file)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32([]byte(cacheMagic), uint32(len(name)))
	b = append(append(b, name...), code...)
	mac := c.tag(d, b)
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	return sys.WriteFile(c.Path(d), append(b, mac[:]...), 0o600)
}
