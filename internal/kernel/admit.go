package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/wasm"
)

// workload is what a run is of: an identity, and code that was admitted.
type workload struct {
	name      string // package name, or "bare:" and the module's short digest
	bare      bool
	publisher string
	standing  abi.Standing // as the log knows it when the run starts
	pkg       abi.Digest
	module    abi.Digest
	assets    map[string]*io.SectionReader
	file      io.Closer // what they are read from, nil if there are none
	// canonical asks for canonical NaNs; the configuration may do so too.
	canonical bool
	admission
	id   [32]byte // the module's MAC, by which its admission is found
	code []byte   // the rewritten module; nil if it is compiled already
}

// admission is what is known of a module once it was admitted and rewritten.
type admission struct {
	Module    abi.Digest `cbor:"5,keyasint"` // the original
	Rewritten abi.Digest `cbor:"1,keyasint"`
	MemoryMin uint64     `cbor:"2,keyasint"` // pages
	Floats    bool       `cbor:"3,keyasint,omitempty"`
	Tag       []byte     `cbor:"4,keyasint,omitempty"` // HMAC of the rewritten module
	Canonical bool       `cbor:"6,keyasint,omitempty"` // rewritten with canonical NaNs
}

const (
	admissionDomain = "forgeone/admission/v1"
	canonicalDomain = "forgeone/admission-canonical/v1"
	entryDomain     = "forgeone/admission-entry/v1"
	rewrittenDomain = "forgeone/rewritten/v1"
)

func startAdmission(_ context.Context, k *Kernel) error {
	k.caps = k.config.Caps()
	return nil
}

// find loads what target names: a package file, a module file, or an installed
// package. canonical asks for canonical NaNs.
func (k *Kernel) find(ctx context.Context, target string, canonical bool) (*workload, error) {
	head, err := headOf(target)
	switch {
	case err == nil && bytes.HasPrefix(head, []byte(forgepkg.Magic)):
		// A run is of an installed workload: identity and version floor are the log's.
		if _, err := k.Install(ctx, target); err != nil {
			return nil, err
		}
		return k.openPackage(target, canonical)
	case err == nil && bytes.HasPrefix(head, []byte("\x00asm")):
		return k.openBare(target, canonical)
	}
	if p, ok := k.installed(target); ok {
		return k.openPackage(k.packageFile(p.Package), canonical)
	}
	switch foreign := rewrite.Foreign(head); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &abi.Error{Code: "F1-RUN-127", What: "no such file, and no package of that name is installed", Where: target, Hint: "forgeone list"}
	case err != nil:
		return nil, &abi.Error{Code: "F1-RUN-128", What: "can't be read", Where: target, Err: err}
	case foreign != nil:
		return nil, Located(foreign, target)
	}
	return nil, &abi.Error{Code: "F1-RUN-128", What: "neither a package nor a WebAssembly module", Where: target, Hint: "forgeone pack MODULE.wasm -o app.forgepkg --name app --version 1.0.0 --key KEY"}
}

// headOf returns what the regular file path begins with. Of anything else
// nothing is read: nobody should wait for a FIFO's writer.
func headOf(path string) ([]byte, error) {
	f, err := sys.OS{}.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, 512))
}

// IsModule tells whether the file begins as a module does, or as something
// known that people take for one.
func IsModule(path string) bool {
	head, err := headOf(path)
	return err == nil && !bytes.HasPrefix(head, []byte(forgepkg.Magic)) && (bytes.HasPrefix(head, []byte("\x00asm")) || rewrite.Foreign(head) != nil)
}

// ReadModule reads a module file. Its size is checked before it is read.
func ReadModule(path string, caps rewrite.Caps) ([]byte, error) {
	b, err := sys.ReadRegular(path, int64(caps.ModuleBytes))
	if errors.Is(err, sys.ErrTooLarge) {
		e := &abi.Error{
			Code: "F1-MOD-103", What: fmt.Sprintf("the module is larger than the %d bytes that are admitted", caps.ModuleBytes), Where: path,
			Hint: "build it smaller, without debug information (-ldflags=-s; wasm-opt --strip-debug)",
		}
		if st, err := os.Stat(path); err == nil && st.Size() <= int64(rewrite.MaxCaps().ModuleBytes) {
			e.Hint += fmt.Sprintf(", or put admission: {module: %d} in the configuration: forgeone init --config FILE", st.Size())
		}
		return nil, e
	}
	return b, err
}

// Located says in which file the refusal of a module lies.
func Located(err error, path string) error {
	var e *abi.Error
	if !errors.As(err, &e) {
		return err
	}
	at := *e
	if at.Where = path; e.Where != "" {
		at.Where += ": " + e.Where
	}
	return &at
}

func (k *Kernel) installed(name string) (p brain.Package, ok bool) {
	k.ledger.view(func(s *brain.State) { p, ok = s.Package(name) })
	return p, ok
}

// openBare loads a module that no package vouches for.
func (k *Kernel) openBare(path string, canonical bool) (*workload, error) {
	if !k.config.BareModules() {
		return nil, &abi.Error{
			Code: "F1-RUN-129", What: "this node's configuration refuses modules without a package", Where: path,
			Hint: "forgeone pack " + abi.Shell(path) + " -o app.forgepkg --name app --version 1.0.0 --key KEY",
		}
	}
	b, err := ReadModule(path, k.caps)
	if err != nil {
		return nil, err
	}
	w := &workload{bare: true, canonical: canonical}
	if err := k.admit(w, b); err != nil {
		return nil, Located(err, path)
	}
	w.name = brain.BareName(w.module)
	return w, nil
}

// openPackage verifies a package file and loads it.
func (k *Kernel) openPackage(path string, canonical bool) (*workload, error) {
	p, v, err := k.verify(path, true)
	if err != nil {
		return nil, err
	}
	w := workloadOf(v)
	w.file, w.canonical = p, canonical
	m, err := v.Module()
	if err == nil {
		w.assets, err = v.Assets()
	}
	if err == nil {
		err = k.admit(w, m)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	for name, a := range w.assets {
		w.assets[name] = io.NewSectionReader(watched{a, k}, 0, a.Size())
	}
	return w, nil
}

// close closes what the workload's assets are read from.
func (w *workload) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// watched tells the operator of assets that can't be read, or are no longer
// what was verified: the guest sees a failing disk.
type watched struct {
	io.ReaderAt
	k *Kernel
}

func (w watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.k.warn("assets: " + err.Error())
	}
	return n, err
}

// workloadOf is the identity that a verified package has.
func workloadOf(v *forgepkg.Verified) *workload {
	w := &workload{name: v.Manifest.Name, pkg: v.Digest, module: v.ModuleID}
	if len(v.Keys) > 0 {
		w.publisher = v.Keys[0].Name
	}
	return w
}

// slowRefusal is how long it takes to refuse a module that is worth to be remembered:
// whoever tries it again and again takes no more of the machine.
const slowRefusal = 200 * time.Millisecond

// admit checks and rewrites a module, or finds that this was done before. The
// rewritten module is kept by its digest, because replays use that one; what
// is known of it is a cache entry under the node's MAC, found by a MAC of the
// module: a fifth of the cost of its digest.
func (k *Kernel) admit(w *workload, module []byte) error {
	caps, domain := k.caps, admissionDomain
	if caps.CanonicalNaN = caps.CanonicalNaN || w.canonical; caps.CanonicalNaN {
		domain = canonicalDomain
	}
	id := seal.Authenticate(k.keys.Cache, domain, module)
	k.modules.mu.Lock()
	known, ok := k.modules.admitted[id]
	k.modules.mu.Unlock()
	w.id = id
	if ok {
		// Another process may have tidied it away meanwhile.
		if _, err := os.Stat(k.moduleFile(known.Rewritten)); err == nil {
			w.take(known)
			return nil
		}
	}
	entry := filepath.Join(k.home.Cache(), abi.Digest(id).Hex()+".adm")
	if k.admitted(w, entry, caps) {
		return nil
	}
	if err := k.cache.Refused(id); err != nil {
		return err
	}
	begun := time.Now()
	code, info, err := rewrite.Rewrite(module, caps)
	if err != nil {
		var e *abi.Error
		if time.Since(begun) > slowRefusal && errors.As(err, &e) {
			_ = k.cache.Refuse(id, e) // a cache that can't be written costs the next attempt
		}
		return err
	}
	tag := seal.Authenticate(k.keys.Cache, rewrittenDomain, code)
	w.code = code
	w.take(admission{
		Module: forgepkg.ModuleDigest(module), Rewritten: seal.Sum(rewrittenDomain, code),
		MemoryMin: info.MemoryMin, Floats: info.Floats, Tag: tag[:], Canonical: caps.CanonicalNaN,
	})
	if err := sys.WriteFile(k.moduleFile(w.Rewritten), code, 0o600); err != nil {
		return unkept(k.moduleFile(w.Rewritten), err)
	}
	b, err := codec.Marshal(w.admission)
	if err != nil {
		return err
	}
	// One that can't be written costs the next start; the folder may have been removed.
	if err := os.MkdirAll(k.home.Cache(), 0o700); err == nil {
		_ = sys.WriteFile(entry, append(b, k.entryTag(id, caps, b)...), 0o600)
	}
	return nil
}

// take makes what is known of a module the workload's.
func (w *workload) take(a admission) { w.admission, w.module = a, a.Module }

// entryTag authenticates a cache entry: for this module, by this rewriter,
// under these caps.
func (k *Kernel) entryTag(id [32]byte, in rewrite.Caps, b []byte) []byte {
	caps, err := codec.Marshal(in)
	if err != nil {
		panic(err) // numbers only
	}
	t := seal.Authenticate(k.keys.Cache, entryDomain, append(append(append([]byte{rewrite.Version}, id[:]...), caps...), b...))
	return t[:]
}

// admitted loads an earlier admission of the module, made by this rewriter
// under these caps. Whatever does not authenticate is as good as none.
func (k *Kernel) admitted(w *workload, entry string, caps rewrite.Caps) bool {
	b, err := os.ReadFile(entry)
	if err != nil || len(b) < 32 {
		return false
	}
	body, tag := b[:len(b)-32], b[len(b)-32:]
	var a admission
	if !seal.Equal(tag, k.entryTag(w.id, caps, body)) || codec.Unmarshal(body, &a) != nil {
		return false
	}
	code, err := os.ReadFile(k.moduleFile(a.Rewritten))
	if err != nil {
		return false
	}
	if t := seal.Authenticate(k.keys.Cache, rewrittenDomain, code); !seal.Equal(t[:], a.Tag) {
		return false
	}
	w.code = code
	w.take(a)
	return true
}

// moduleExt ends the name of a rewritten module's file.
const moduleExt = ".wasm"

func (k *Kernel) moduleFile(d abi.Digest) string {
	return filepath.Join(k.home.Modules(), d.Hex()+moduleExt)
}

// maxPages is the memory limit in pages. The engine tells sizes in 32 bits, so
// the last page of 4 GiB is never given.
func maxPages(l abi.Limits) uint32 {
	return uint32(min(l.Memory/wasm.PageSize, 65535))
}
