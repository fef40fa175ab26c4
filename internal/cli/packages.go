package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/sys"
)

type packFlags struct {
	out, name, version, assets, publisher string
	keys                                  []string
	serial                                uint64
	expires                               time.Duration
}

func (a *app) packCmd() *cobra.Command {
	var f packFlags
	c := &cobra.Command{
		Use:   "pack MODULE.wasm|DIR -o P --name N --version V --key K… [--assets DIR]",
		Short: "Make a signed package of a module",
		Long: `Make a signed package of a module, or of a folder that holds one module
(*.wasm) and, in a folder assets/, its assets. The same input makes the same
bytes: the time of issue is $SOURCE_DATE_EPOCH where that is set.`,
		Example: "  forgeone pack app.wasm -o app.forgepkg --name app --version 1.0.0 --key my.key",
		Args:    args(1, 1, "a module or a folder"),
		RunE:    func(_ *cobra.Command, got []string) error { return a.pack(f, got[0]) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "the package to write")
	fl.StringVar(&f.name, "name", "", "the workload's name")
	fl.StringVar(&f.version, "version", "", "its version, as 1.2.3")
	fl.StringArrayVar(&f.keys, "key", nil, "file of a private key that signs; may be given several times")
	fl.StringVar(&f.assets, "assets", "", "folder of files that the guest finds in "+kernel.AssetsFolder)
	fl.StringVar(&f.publisher, "publisher", "", "what the publisher calls itself")
	fl.Uint64Var(&f.serial, "serial", 0, "number that orders the versions (default: made of the version)")
	fl.DurationVar(&f.expires, "expires", 0, "how long the package is good for (0: for ever)")
	fl.StringVar(&a.format, "output", "text", "output format: text or json")
	return c
}

func (a *app) pack(f packFlags, input string) error {
	for _, need := range []struct{ flag, value string }{{"-o", f.out}, {"--name", f.name}, {"--version", f.version}, {"--key", strings.Join(f.keys, "")}} {
		if need.value == "" {
			return usage("pack needs "+need.flag, "forgeone pack "+input+" -o app.forgepkg --name app --version 1.0.0 --key my.key")
		}
	}
	module, assets, err := packInput(input, f.assets)
	if err != nil {
		return err
	}
	b, err := sys.ReadRegular(module, forgepkg.MaxModule)
	if err != nil {
		return &abi.Error{Code: "F1-CLI-002", What: "the module can't be read", Where: module, Err: err}
	}
	info, err := rewrite.Inspect(b, rewrite.DefaultCaps())
	if err != nil {
		return err
	}
	signers, err := loadSigners(f.keys)
	if err != nil {
		return err
	}
	if f.serial == 0 {
		if f.serial, err = serialOf(f.version); err != nil {
			return err
		}
	}
	issued, err := a.buildTime()
	if err != nil {
		return err
	}
	m := forgepkg.Manifest{Name: f.name, Version: f.version, Serial: f.serial, Publisher: f.publisher, Issued: issued.Unix(), Imports: kernel.ImportNames(info)}
	if f.expires > 0 {
		m.Expires = issued.Add(f.expires).Unix()
	}
	in := forgepkg.Input{Manifest: m, Module: b, Signers: signers}
	if assets != "" {
		root, err := os.OpenRoot(assets)
		if err != nil {
			return &abi.Error{Code: "F1-CLI-002", What: "the assets can't be read", Where: assets, Err: err}
		}
		defer root.Close()
		in.Assets = root.FS()
	}
	d, err := writePackage(f.out, in)
	if err != nil {
		return err
	}
	return a.emit(struct {
		Schema  string `json:"schema"`
		File    string `json:"file"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Serial  uint64 `json:"serial"`
		Digest  string `json:"digest"`
	}{"forgeone.pack/v1", f.out, f.name, f.version, f.serial, d.Hex()}, func(w io.Writer) {
		fmt.Fprintf(w, "packed %s %s (serial %d) into %s\ndigest %s\n", f.name, f.version, f.serial, f.out, d.Hex())
	})
}

// writePackage builds into a file beside out and puts it there whole.
func writePackage(out string, in forgepkg.Input) (d abi.Digest, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(out), ".pack-*")
	if err != nil {
		return d, cantWrite("the package", out, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if d, err = forgepkg.Build(tmp, in); err != nil {
		return d, err
	}
	err = tmp.Chmod(0o644)
	if err == nil {
		err = tmp.Sync()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), out)
	}
	if err != nil {
		return d, cantWrite("the package", out, err)
	}
	return d, nil
}

// loadSigners loads the private keys that sign a package.
func loadSigners(files []string) (s []forgepkg.Signer, err error) {
	for _, f := range files {
		k, err := keys.LoadSigning(f)
		if err != nil {
			return nil, err
		}
		if k.Post != nil {
			s = append(s, forgepkg.PostSignerOf(k.Post))
		} else {
			s = append(s, forgepkg.SignerOf(k.Ed25519))
		}
	}
	return s, nil
}

// packInput finds the module and the assets that pack was given.
func packInput(input, assets string) (module, assetsDir string, err error) {
	st, err := os.Stat(input)
	if err != nil {
		return "", "", &abi.Error{Code: "F1-CLI-002", What: "no such module or folder", Where: input, Err: err}
	}
	if !st.IsDir() {
		return input, assets, nil
	}
	found, err := filepath.Glob(filepath.Join(input, "*.wasm"))
	if err != nil || len(found) != 1 {
		return "", "", usage(fmt.Sprintf("the folder %s holds %d modules, not one", quote(input), len(found)), "forgeone pack "+moduleHint(input, found)+" -o app.forgepkg --name app --version 1.0.0 --key my.key")
	}
	if sub := filepath.Join(input, "assets"); assets == "" {
		if st, err := os.Stat(sub); err == nil && st.IsDir() {
			assets = sub
		}
	}
	return found[0], assets, nil
}

// moduleHint is the module to paste into a hint: the first that was found.
func moduleHint(input string, found []string) string {
	if len(found) > 0 {
		return found[0]
	}
	return filepath.Join(input, "MODULE.wasm")
}

// serialOf orders versions: major, minor and patch, a million apart.
func serialOf(version string) (uint64, error) {
	var major, minor, patch uint64
	core, _, _ := strings.Cut(version, "+")
	core, pre, _ := strings.Cut(core, "-")
	n, err := fmt.Sscanf(core, "%d.%d.%d", &major, &minor, &patch)
	if err != nil || n != 3 || pre != "" || major >= 1e6 || minor >= 1e6 || patch >= 1e6 {
		return 0, usage("no serial number can be made of version "+quote(version), "--serial 1")
	}
	return major*1e12 + minor*1e6 + patch + 1, nil
}

// buildTime is now, or what SOURCE_DATE_EPOCH says (reproducible-builds.org).
func (a *app) buildTime() (time.Time, error) {
	s := a.getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Now(), nil
	}
	var sec int64
	if _, err := fmt.Sscanf(s, "%d", &sec); err != nil || sec < 0 {
		return time.Time{}, usage("SOURCE_DATE_EPOCH="+quote(s)+" is no time in seconds", "SOURCE_DATE_EPOCH=1700000000")
	}
	return time.Unix(sec, 0), nil
}

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

func (a *app) inspectCmd() *cobra.Command {
	return &cobra.Command{
		Use: "inspect P", Short: "Show what a package says and what its module asks for, unverified",
		Args: args(1, 1, "a package file"),
		RunE: func(_ *cobra.Command, got []string) error {
			p, err := forgepkg.Open(got[0])
			if err != nil {
				return err
			}
			defer p.Close()
			m := p.Manifest()
			j := manifestJSON(m)
			j.File, j.Digest, j.Size, j.Imports, j.Signers = got[0], p.Digest().Hex(), p.Size(), importsOf(m.Imports), []string{}
			for _, s := range p.Signatures() {
				j.Signers = append(j.Signers, s.Key.Hex())
			}
			j.Revoked = a.revokedHere(p)
			return a.emit(j, func(w io.Writer) {
				fmt.Fprintf(w, "%s %s (serial %d), not verified\n", m.Name, m.Version, m.Serial)
				fmt.Fprintf(w, "digest   %s\nmodule   %s (%d bytes)\n", j.Digest, j.Module, j.ModuleSize)
				if j.AssetsSize > 0 {
					fmt.Fprintf(w, "assets   %d bytes\n", j.AssetsSize)
				}
				fmt.Fprintf(w, "issued   %s\n", j.Issued)
				if j.Expires != "" {
					fmt.Fprintf(w, "expires  %s\n", j.Expires)
				}
				for _, s := range j.Signers {
					fmt.Fprintf(w, "signer   %s\n", s)
				}
				if j.Revoked != "" {
					fmt.Fprintf(w, "revoked  %s\n", j.Revoked)
				}
				fmt.Fprintln(w, "\nIt asks for:")
				t := table(w, "FUNCTION", "CLASS", "WHAT IT DOES")
				for _, i := range j.Imports {
					t.row(i.Function, i.Class, i.Doc)
				}
				t.Flush()
			})
		},
	}
}

// revokedHere tells whether this node, if there is one, refuses p as revoked.
func (a *app) revokedHere(p *forgepkg.Package) (why string) {
	if _, err := os.Stat(a.homeDir()); err != nil {
		return ""
	}
	k, err := a.open(kernel.ModEvidence)
	if err != nil {
		fmt.Fprintln(a.stderr, "forgeone: whether it is revoked is not known: "+err.Error())
		return ""
	}
	defer k.Close(a.ctx)
	k.View(func(s *brain.State) {
		why = kernel.Revoked(s, p.Digest(), p.Manifest().Module().Digest, p.Manifest().Signers)
	})
	return why
}

// shown is a verified package in JSON.
func shown(v *kernel.Verified) packageJSON {
	j := manifestJSON(v.Manifest)
	j.Digest, j.Verified, j.Standing, j.Trust, j.Signers = v.Digest.Hex(), true, v.Standing.String(), trustOf(v.Trust), []string{}
	for _, e := range v.Keys {
		j.Signers = append(j.Signers, e.Name)
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
				fmt.Fprintf(w, "verified: %s %s (serial %d), signed by %s\ndigest %s\nstanding %s, trust %s\n", j.Name, j.Version, j.Serial, strings.Join(j.Signers, ", "), j.Digest, j.Standing, v.Trust)
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
				fmt.Fprintf(w, "installed %s %s (%s)\n", v.Manifest.Name, v.Manifest.Version, v.Digest.Short())
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
			}{"forgeone.package.removed/v1", got[0]}, func(w io.Writer) { fmt.Fprintf(w, "uninstalled %s\n", got[0]) })
		},
	}
}
