package forgeone

import (
	"context"

	"github.com/forgeone/forgeone/internal/kernel"
)

// Package is a package that this node has verified.
type Package struct {
	Name       string
	Version    string
	Publishers []string // who signed, by the names of their keys in the keyring
	Digest     Digest   // of the package
	Module     Digest   // of the module in it
	Standing   Standing
	Trust      Trust    // its workload's
	Imports    []string // the functions it asks for
}

// VerifyPackage checks the package file at path as Install would, and changes
// nothing: structure, signatures against the node's keyring, quorum, expiry, the
// version floor, every byte of the content, and the module's imports.
//
// Errors: F1-PKG-…, those of package forgepkg; F1-MOD-… for a module that can't
// be admitted.
func (n *Node) VerifyPackage(path string) (*Package, error) {
	leave, err := n.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	v, err := n.k.Verify(path)
	if err != nil {
		return nil, err
	}
	return packageOf(v), nil
}

// Install verifies the package file at path, keeps a copy, compiles its module
// and records all that in the log; when it returns, the package can be run by
// its name. Installing what is installed changes nothing.
func (n *Node) Install(ctx context.Context, path string) (*Package, error) {
	leave, err := n.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	v, err := n.k.Install(ctx, path)
	if err != nil {
		return nil, err
	}
	return packageOf(v), nil
}

func packageOf(v *kernel.Verified) *Package {
	m := v.Manifest
	p := &Package{
		Name: m.Name, Version: m.Version, Digest: v.Digest, Module: v.ModuleID,
		Standing: v.Standing, Trust: v.Trust, Imports: append([]string(nil), m.Imports...),
	}
	for _, k := range v.Keys {
		p.Publishers = append(p.Publishers, k.Name)
	}
	return p
}
