package cli

import (
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/rewrite"
)

type statementJSON struct {
	Role string   `json:"role"`
	Type string   `json:"type"`
	Keys []string `json:"keys"` // ids
}

func statementOf(s *forgepkg.Statement) statementJSON {
	j := statementJSON{Role: string(s.Role), Type: s.Type, Keys: []string{}}
	for _, k := range s.Keys {
		j.Keys = append(j.Keys, k.Hex())
	}
	return j
}

func (a *app) inspectCmd() *cobra.Command {
	var sbom, provenance bool
	c := &cobra.Command{
		Use: "inspect P|MODULE.wasm", Short: "Show what a package says and what its module asks for, unverified",
		Long: `Show what a package says and what its module asks for, unverified: anybody may
have made it. --sbom and --provenance print the statement that is attached to it,
as JSON. Of a module that is in no package, show what it is and asks for, or why
it is not admitted; it is neither compiled nor run. It is judged as a run here
would: by the limits of the configuration, or by the default ones where there is
no state folder.`,
		Args: args(1, 1, "a package file or a module"),
		RunE: func(_ *cobra.Command, got []string) error {
			if !sbom && !provenance && kernel.IsModule(got[0]) {
				return a.inspectModule(got[0])
			}
			p, err := forgepkg.Open(got[0])
			if err != nil {
				return err
			}
			defer p.Close()
			switch {
			case sbom && provenance:
				return usage("--sbom and --provenance print one statement each", "forgeone inspect "+got[0]+" --sbom")
			case sbom:
				return a.printStatement(p, forgepkg.RoleSBOM, got[0])
			case provenance:
				return a.printStatement(p, forgepkg.RoleProvenance, got[0])
			}
			return a.inspect(p, got[0])
		},
	}
	c.Flags().BoolVar(&sbom, "sbom", false, "print the statement with the bill of materials")
	c.Flags().BoolVar(&provenance, "provenance", false, "print the statement of where the module comes from")
	return c
}

func (a *app) inspect(p *forgepkg.Package, file string) error {
	m := p.Manifest()
	j := manifestJSON(m)
	j.File, j.Digest, j.Size, j.Imports, j.Signers = file, p.Digest().Hex(), p.Size(), importsOf(m.Imports), []string{}
	for _, s := range p.Signatures() {
		j.Signers = append(j.Signers, s.Key.Hex())
	}
	for _, role := range []forgepkg.Role{forgepkg.RoleSBOM, forgepkg.RoleProvenance} {
		s, err := p.Statement(role)
		if err != nil {
			return err
		}
		if s != nil {
			j.Statements = append(j.Statements, statementOf(s))
		}
	}
	if err := importsHold(p, file, a.admission().Caps); err != nil {
		return err
	}
	j.Revoked = a.revokedHere(p)
	return a.emit(j, func(w io.Writer) {
		printf(w, "%s %s (serial %d), not verified\n", m.Name, m.Version, m.Serial)
		printf(w, "digest   %s\nmodule   %s (%d bytes)\n", j.Digest, j.Module, j.ModuleSize)
		if j.AssetsSize > 0 {
			printf(w, "assets   %d bytes\n", j.AssetsSize)
		}
		printf(w, "issued   %s\n", j.Issued)
		if j.Expires != "" {
			printf(w, "expires  %s\n", j.Expires)
		}
		for _, s := range p.Signatures() {
			printf(w, "signer   %s (%s)\n", s.Key.Hex(), s.Alg)
		}
		for _, s := range j.Statements {
			printf(w, "attached %s: %s\n", s.Role, s.Type)
		}
		if j.Revoked != "" {
			printf(w, "revoked  %s\n", j.Revoked)
		}
		printf(w, "\nIt asks for:\n")
		t := table(w, "FUNCTION", "CLASS", "WHAT IT DOES")
		for _, i := range j.Imports {
			t.row(i.Function, i.Class, i.Doc)
		}
		t.Flush()
	})
}

// importsHold tells whether the module imports what the manifest asks for.
func importsHold(p *forgepkg.Package, file string, caps rewrite.Caps) error {
	b, err := p.UnverifiedModule()
	if err != nil {
		return err
	}
	info, err := rewrite.Inspect(b, caps)
	if err != nil {
		return kernel.Located(err, file)
	}
	return forgepkg.CheckImports(p.Manifest(), kernel.ImportNames(info))
}

// printStatement prints a statement as it was signed, in text as in JSON.
func (a *app) printStatement(p *forgepkg.Package, role forgepkg.Role, file string) error {
	s, err := p.Statement(role)
	if err != nil {
		return err
	}
	if s == nil {
		return &abi.Error{Code: "F1-PKG-057", What: "the package has no statement of the kind " + string(role), Where: file, Hint: "forgeone inspect " + abi.Shell(file)}
	}
	return a.emit(json.RawMessage(s.Payload), func(w io.Writer) { printf(w, "%s\n", block(s.Payload)) })
}

// revokedHere tells whether this node, if there is one, refuses p as revoked.
func (a *app) revokedHere(p *forgepkg.Package) (why string) {
	if _, err := os.Stat(a.homeDir()); err != nil {
		return ""
	}
	k, err := a.open(kernel.ModEvidence)
	if err != nil {
		printn(a.stderr, "forgeone: whether it is revoked is not known: "+err.Error())
		return ""
	}
	defer k.Close(a.ctx)
	k.View(func(s *brain.State) {
		why = kernel.Revoked(s, p.Digest(), p.Manifest().Module().Digest, p.Manifest().Signers)
	})
	return why
}
