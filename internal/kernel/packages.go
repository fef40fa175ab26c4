package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/sys"
)

func startPackages(_ context.Context, k *Kernel) error {
	return os.MkdirAll(k.home.Packages(), 0o700)
}

// packageExt ends the names of installed packages' files.
const packageExt = ".forgepkg"

func (k *Kernel) packageFile(d abi.Digest) string {
	return filepath.Join(k.home.Packages(), d.Hex()+packageExt)
}

// verify opens a package and checks it against the keyring and the highest
// serial seen. The caller closes the package.
func (k *Kernel) verify(path string, keep bool) (*forgepkg.Package, *forgepkg.Verified, error) {
	p, err := forgepkg.Open(path)
	if err != nil {
		return nil, nil, err
	}
	o := forgepkg.VerifyOptions{Now: k.present(), Keep: keep, Runtime: Version, Quorum: k.config.Quorum()}
	var ring forgepkg.Keyring
	k.ledger.view(func(s *brain.State) {
		ring = keyring(s)
		o.MinSerial = s.Serial(p.Manifest().Name)
		if old, ok := s.Package(p.Manifest().Name); ok && old.Serial == o.MinSerial {
			o.Installed = old.Package
		}
	})
	o.Revoked = k.revoked // now; a transaction asks again
	v, err := p.Verify(ring, o)
	if err == nil {
		err = k.checkImports(v)
	}
	if err != nil {
		p.Close()
		return nil, nil, err
	}
	return p, v, nil
}

// present is the time by the clock, or by the log where that is ahead: who sets
// the clock back does not bring back what had expired.
func (k *Kernel) present() time.Time {
	now, last := k.now(), k.log.Time()
	if last.After(now) {
		return last
	}
	return now
}

func keyring(s *brain.State) (ring forgepkg.Keyring) {
	for _, e := range s.Keys() {
		ring = append(ring, e.KeyAdd)
	}
	// Revoked keys too, so that what they signed is refused for that reason.
	for _, v := range s.RevokedKeys() {
		if v.Role == abi.RolePublisher {
			ring = append(ring, v.KeyAdd)
		}
	}
	return ring
}

// revoked tells forgepkg what is revoked: keys by operators' acts, anything by
// signed lists.
func (k *Kernel) revoked(what uint8, d abi.Digest, signers []abi.Digest) (why string, revoked bool) {
	k.ledger.view(func(s *brain.State) {
		if v, ok := s.RevokedKey(d); ok && what == abi.RevokedKey {
			if revoked = true; v.Reason != "" {
				why = "(" + v.Reason + ")"
			}
			return
		}
		var r brain.Revocation
		if r, revoked = s.Revoked(what, d, signers); revoked {
			why = revokedBy(s, r)
		}
	})
	return why, revoked
}

// checkImports compares what the manifest asks for with what the module imports.
func (k *Kernel) checkImports(v *forgepkg.Verified) error {
	m, err := v.Module()
	if err != nil {
		return err
	}
	info, err := rewrite.Inspect(m, k.caps)
	if err != nil {
		return err
	}
	return forgepkg.CheckImports(v.Manifest, ImportNames(info))
}

// ImportNames lists a module's imports as a manifest names them.
func ImportNames(info *rewrite.Info) (names []string) {
	for _, i := range info.Imports {
		names = append(names, forgepkg.ImportName(i.Module, i.Name))
	}
	return names
}

// Verified tells what Verify found out about a package file.
type Verified struct {
	*forgepkg.Verified
	Trust abi.Trust // of its workload, once installed
}

// Verify checks a package file as install would.
func (k *Kernel) Verify(path string) (*Verified, error) {
	p, v, err := k.verify(path, false)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	res := &Verified{Verified: v}
	k.ledger.view(func(s *brain.State) { v.Standing, res.Trust, _ = s.Admit(v.Manifest.Name, v.Signers) })
	return res, nil
}

// Install verifies a package, keeps it, compiles its module into the cache and
// records it. Version floors are checked again inside the transaction: of two
// installs at once, the higher serial stays.
func (k *Kernel) Install(ctx context.Context, path string) (*Verified, error) {
	p, v, err := k.verify(path, true)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	w := workloadOf(v)
	m, err := v.Module()
	if err != nil {
		return nil, err
	}
	started, err := k.starting()
	if err != nil {
		return nil, err
	}
	err = k.admit(w, m)
	started()
	if err != nil {
		return nil, err
	}
	if _, err := k.compiled(ctx, w); err != nil {
		return nil, err
	}
	unlock, err := k.lockPackages()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := k.keepPackage(path, v.Digest); err != nil {
		return nil, err
	}
	res := &Verified{Verified: v}
	_, err = k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) {
			if err = k.sameConfig(s); err == nil {
				records, err = res.install(s)
			}
		})
		return records, err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// install returns the record that installs the package in state s, none if it
// is installed: keys and serials may have changed since it was verified.
func (v *Verified) install(s *brain.State) ([]abi.Record, error) {
	m := v.Manifest
	if err := revokedNow(s, v.Digest, v.ModuleID, v.Signers, m.Name); err != nil {
		return nil, err
	}
	st, t, ok := s.Admit(m.Name, v.Signers)
	if !ok {
		return nil, &abi.Error{Code: "F1-PKG-050", What: "a key that signed the package was removed meanwhile", Where: m.Name, Hint: "forgeone key list"}
	}
	v.Standing, v.Trust = st, t
	if old, ok := s.Package(m.Name); ok && old.Package == v.Digest && slices.Equal(old.Signers, v.Signers) {
		return nil, nil
	}
	if old, ok := s.Package(m.Name); ok && old.Serial == m.Serial && old.Package != v.Digest {
		return nil, &abi.Error{Code: "F1-PKG-051", What: fmt.Sprintf("another package of serial %d was installed meanwhile", m.Serial), Where: m.Name, Hint: "forgeone list"}
	}
	if last := s.Serial(m.Name); last > m.Serial {
		return nil, &abi.Error{Code: "F1-PKG-051", What: fmt.Sprintf("serial %d was installed meanwhile, this package has %d", last, m.Serial), Where: m.Name, Hint: "forgeone list"}
	}
	return []abi.Record{{Body: &abi.PackageInstall{
		Name: m.Name, Version: m.Version, Package: v.Digest, Module: v.ModuleID,
		Signers: v.Signers, Standing: st, Trust: t, Serial: m.Serial,
	}}}, nil
}

// keepPackage copies the package file under its digest, and verifies the copy:
// the file may have changed while it was read.
func (k *Kernel) keepPackage(path string, d abi.Digest) error {
	dst := k.packageFile(d)
	if p, v, err := k.verify(dst, false); err == nil {
		defer p.Close()
		if v.Digest == d {
			return nil // kept, and whole
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// Before the log says that it is there.
	err = sys.WriteWith(dst, 0o600, func(w *os.File) error {
		_, err := io.Copy(w, f)
		return err
	})
	if err != nil {
		return unkept(dst, err)
	}
	p, v, err := k.verify(dst, false)
	if err != nil {
		return errors.Join(err, os.Remove(dst))
	}
	defer p.Close()
	if v.Digest != d {
		return errors.Join(&abi.Error{Code: "F1-PKG-052", What: "the package changed while it was installed", Where: path}, os.Remove(dst))
	}
	return nil
}

// Downgrade is the change that lets the named package go back to a serial.
func Downgrade(name string, serial uint64) Change {
	return func(s *brain.State) (any, error) {
		floor := s.Serial(name)
		switch {
		case floor == 0:
			return nil, &abi.Error{Code: "F1-PKG-055", What: "no package of that name was ever installed", Where: name, Hint: "forgeone list"}
		case serial == 0 || serial >= floor:
			return nil, &abi.Error{Code: "F1-PKG-056", What: fmt.Sprintf("serial %d is not below %d, the lowest that is accepted now", serial, floor), Where: name, Hint: "forgeone list -o json"}
		}
		return &abi.Downgrade{Name: name, Serial: serial, From: floor}, nil
	}
}

// lockPackages keeps installing and uninstalling processes apart: a package's
// file and its record go together. It is taken before the log's transaction.
func (k *Kernel) lockPackages() (unlock func(), err error) {
	path := filepath.Join(k.home.Packages(), ".lock")
	l, err := sys.Lock(path)
	if err != nil {
		return nil, unkept(path, err)
	}
	return func() { _ = l.Unlock() }, nil // it falls with the process anyway
}

// Uninstall removes an installed package. Its file goes; what it did stays in
// the log, and its serial remains the floor.
func (k *Kernel) Uninstall(ctx context.Context, name string) error {
	unlock, err := k.lockPackages()
	if err != nil {
		return err
	}
	defer unlock()
	var gone abi.Digest
	_, err = k.log.Update(ctx, func() ([]abi.Record, error) {
		p, ok := k.installed(name)
		if !ok {
			return nil, &abi.Error{Code: "F1-PKG-054", What: "no package of that name is installed", Where: name, Hint: "forgeone list"}
		}
		gone = p.Package
		return []abi.Record{{Body: &abi.PackageUninstall{Name: name}}}, nil
	})
	if err != nil {
		return err
	}
	if err := os.Remove(k.packageFile(gone)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
