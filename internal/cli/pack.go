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
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/sys"
)

type packFlags struct {
	out, name, version, assets, publisher string
	sbom, provenance, runtime             string
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
bytes: the time of issue is $SOURCE_DATE_EPOCH where that is set. A bill of
materials and a provenance are attached as in-toto statements about the module,
which the key signs as DSSE says, so that other tools can verify them too. The
module must be one that runs here: the limits of the configuration say what is
admitted, or the default ones where there is no state folder.`,
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
	fl.StringVar(&f.sbom, "sbom", "", "bill of materials to attach: SPDX or CycloneDX, JSON")
	fl.StringVar(&f.provenance, "provenance", "", "SLSA provenance v1 to attach: the predicate, JSON")
	fl.StringVar(&f.runtime, "runtime", "", "the lowest version of ForgeOne that can run it, as 1.2.3")
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
	by := a.admission()
	b, info, err := readModule(module, by)
	if err != nil {
		return err
	}
	signers, err := a.loadSigners(f.keys)
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
	m := forgepkg.Manifest{Name: f.name, Version: f.version, Serial: f.serial, Publisher: f.publisher, Runtime: f.runtime, Issued: issued.Unix(), Imports: kernel.ImportNames(info)}
	if f.expires > 0 {
		m.Expires = issued.Add(f.expires).Unix()
	}
	in := forgepkg.Input{Manifest: m, Module: b, Signers: signers}
	if in.SBOM, err = readPredicate(f.sbom); err != nil {
		return err
	}
	if in.Provenance, err = readPredicate(f.provenance); err != nil {
		return err
	}
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
		By      string `json:"admitted_by"`
	}{"forgeone.pack/v1", f.out, f.name, f.version, f.serial, d.Hex(), by.by}, func(w io.Writer) {
		printf(w, "packed %s %s (serial %d) into %s\ndigest %s\n", f.name, f.version, f.serial, f.out, d.Hex())
		if by.by == "defaults" { // elsewhere it may not be admitted
			printf(w, "module admitted by %s\n", by.words())
		}
	})
}

// writePackage builds the package in the file out, which appears whole.
func writePackage(out string, in forgepkg.Input) (d abi.Digest, err error) {
	err = sys.WriteWith(out, 0o644, func(f *os.File) (err error) {
		d, err = forgepkg.Build(f, in)
		return err
	})
	if err != nil && abi.CodeOf(err) == "" {
		err = cantWrite("the package", out, err)
	}
	return d, err
}

// readPredicate reads a document to be attached, nil if there is no file.
func readPredicate(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	b, err := sys.ReadRegular(file, forgepkg.MaxStatement)
	if err != nil {
		return nil, &abi.Error{Code: "F1-CLI-002", What: "the document to attach can't be read", Where: file, Err: err}
	}
	return b, nil
}

// loadSigners loads the private keys that sign a package.
func (a *app) loadSigners(files []string) (s []forgepkg.Signer, err error) {
	for _, f := range files {
		k, err := keys.LoadSigning(f, a.unlockFile())
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
		return "", "", usage(fmt.Sprintf("the folder %s holds %d modules, not one", quote(input), len(found)), "forgeone pack "+abi.Shell(moduleHint(input, found))+" -o app.forgepkg --name app --version 1.0.0 --key my.key")
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
