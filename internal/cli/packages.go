package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
)

type importJSON struct {
	Function string `json:"function"`
	Class    string `json:"class"`
	Doc      string `json:"doc"`
	Provided bool   `json:"provided"`
}

func importsOf(names []string) []importJSON {
	list := []importJSON{}
	for _, n := range names {
		i := importJSON{Function: n, Class: "unknown"}
		mod, fn, _ := strings.Cut(n, ".")
		if r := abi.ByName(abi.WASIPreview1, fn); r != nil && mod == r.Iface.Module() {
			i.Class, i.Doc, i.Provided = r.Class.String(), r.Doc, r.Provided
		}
		list = append(list, i)
	}
	return list
}

type packageJSON struct {
	Schema     string       `json:"schema"`
	File       string       `json:"file,omitempty"`
	Name       string       `json:"name"`
	Version    string       `json:"version"`
	Serial     uint64       `json:"serial"`
	Publisher  string       `json:"publisher,omitempty"`
	Issued     string       `json:"issued,omitempty"`
	Expires    string       `json:"expires,omitempty"`
	Digest     string       `json:"digest"`
	Module     string       `json:"module"`
	Size       int64        `json:"size,omitempty"`
	ModuleSize uint64       `json:"module_size,omitempty"`
	AssetsSize uint64       `json:"assets_size,omitempty"`
	Signers    []string     `json:"signers"`
	Verified   bool         `json:"verified"`
	Revoked    string       `json:"revoked,omitempty"` // by whom and why, on this node
	Standing   string       `json:"standing,omitempty"`
	Trust      *trustJSON   `json:"trust,omitempty"`
	Imports    []importJSON `json:"imports,omitempty"`

	Statements []statementJSON `json:"statements,omitempty"`
}

type trustJSON struct {
	abi.Trust
	T uint8 `json:"t"`
}

func trustOf(t abi.Trust) *trustJSON { return &trustJSON{t, t.T()} }

func manifestJSON(m *forgepkg.Manifest) packageJSON {
	j := packageJSON{Schema: "forgeone.package/v1", Name: m.Name, Version: m.Version, Serial: m.Serial, Publisher: m.Publisher, Issued: stamp(m.Issued), Module: m.Module().Digest.Hex(), ModuleSize: m.Module().Length}
	if m.Expires > 0 {
		j.Expires = stamp(m.Expires)
	}
	if b, ok := m.Assets(); ok {
		j.AssetsSize = b.Length
	}
	return j
}

func stamp(sec int64) string { return time.Unix(sec, 0).UTC().Format(time.RFC3339) }

// shown is a verified package in JSON.
func shown(v *kernel.Verified) packageJSON {
	j := manifestJSON(v.Manifest)
	j.Digest, j.Verified, j.Standing, j.Trust, j.Signers = v.Digest.Hex(), true, v.Standing.String(), trustOf(v.Trust), []string{}
	for _, e := range v.Keys {
		j.Signers = append(j.Signers, e.Name)
	}
	for _, st := range v.Statements {
		j.Statements = append(j.Statements, statementOf(&st))
	}
	return j
}

func (a *app) verifyCmd() *cobra.Command {
	return &cobra.Command{
		Use: "verify P", Short: "Verify a package against the keyring",
		Args: args(1, 1, "a package file"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModPackages, kernel.ModAdmission)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			v, err := k.Verify(got[0])
			if err != nil {
				return err
			}
			j := shown(v)
			j.File = got[0]
			return a.emit(j, func(w io.Writer) {
				printf(w, "verified: %s %s (serial %d), signed by %s\ndigest %s\nstanding %s, trust %s\n", j.Name, j.Version, j.Serial, strings.Join(j.Signers, ", "), j.Digest, j.Standing, v.Trust)
				for _, st := range j.Statements {
					by := ""
					if len(st.Keys) == 0 {
						by = ", which no key known here signed itself"
					}
					printf(w, "%s %s%s\n", st.Role, st.Type, by)
				}
			})
		},
	}
}

func (a *app) installCmd() *cobra.Command {
	return &cobra.Command{
		Use: "install P", Short: "Verify a package, keep it, and compile it",
		Args: args(1, 1, "a package file"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModPackages, kernel.ModAdmission)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			v, err := k.Install(a.ctx, got[0])
			if err != nil {
				return err
			}
			return a.emit(shown(v), func(w io.Writer) {
				printf(w, "installed %s %s (%s)\n", v.Manifest.Name, v.Manifest.Version, v.Digest.Short())
			})
		},
	}
}

func (a *app) listCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List installed packages", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			list := []packageJSON{}
			k.View(func(s *brain.State) {
				for _, p := range s.Packages() {
					j := packageJSON{Schema: "forgeone.package/v1", Name: p.Name, Version: p.Version, Serial: p.Serial, Digest: p.Package.Hex(), Module: p.Module.Hex(), Verified: true, Signers: []string{}}
					for _, id := range p.Signers {
						j.Signers = append(j.Signers, id.Hex())
					}
					if w, ok := s.Workload(p.Name); ok {
						j.Standing, j.Trust = w.Standing.String(), trustOf(w.Trust)
					}
					list = append(list, j)
				}
				for i, p := range s.Packages() {
					list[i].Revoked = kernel.Revoked(s, p.Package, p.Module, p.Signers)
				}
			})
			return a.emit(struct {
				Schema   string        `json:"schema"`
				Packages []packageJSON `json:"packages"`
			}{"forgeone.packages/v1", list}, func(w io.Writer) {
				t := table(w, "NAME", "VERSION", "DIGEST", "STANDING", "TRUST")
				for _, p := range list {
					trust := "-"
					if p.Trust != nil {
						trust = fmt.Sprint(p.Trust.T)
					}
					standing := p.Standing
					if p.Revoked != "" {
						standing = "revoked"
					}
					t.row(p.Name, p.Version, p.Digest[:12], standing, trust)
				}
				t.Flush()
			})
		},
	}
}

func (a *app) uninstallCmd() *cobra.Command {
	return &cobra.Command{
		Use: "uninstall NAME", Short: "Remove an installed package; its evidence stays", Args: args(1, 1, "a package's name"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModPackages)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			if err := k.Uninstall(a.ctx, got[0]); err != nil {
				return err
			}
			return a.emit(struct {
				Schema string `json:"schema"`
				Name   string `json:"name"`
			}{"forgeone.package.removed/v1", got[0]}, func(w io.Writer) { printf(w, "uninstalled %s\n", got[0]) })
		},
	}
}
