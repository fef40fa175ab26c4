// Package policy decides calls by Cedar policies. It generates the Cedar schema
// from the syscall table, checks policy texts strictly against it, compiles
// them for one workload into an immutable Program that the gate asks, and
// explains decisions and what would change them. It is the only user of
// cedar-go, whose x/exp packages are outside its promise of compatibility: the
// version is pinned.
package policy

import "github.com/forgeone/forgeone/abi"

// Source is one policy file.
type Source struct {
	// Name is the file's name as rules, problems and explanations show it:
	// "base.cedar".
	Name string
	Text []byte
}

// Identity is who a program decides for: Cedar's principal.
type Identity struct {
	Workload  string // the package's name, or "bare:" and the module's short digest
	Publisher string // the publisher's name in the keyring, "" if nobody's
	Tenant    string // "" is the tenant "local"
	Standing  abi.Standing
	Bare      bool
}

// Grant is a folder granted to a run. Grant number n of abi.Object is the entry
// n-1 of the grants given to Compile.
type Grant struct {
	Host     string // as the operator wrote it; for hints only
	Guest    string // absolute and canonical
	ReadOnly bool
}
