package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/forgeone/forgeone/abi"
)

const (
	typeWorkload  types.EntityType = "Workload"
	typePublisher types.EntityType = "Publisher"
	typeTenant    types.EntityType = "Tenant"
	typeAction    types.EntityType = "Action"
	typeFile      types.EntityType = "File"
)

// resourceKinds are the kinds of objects that policy decides on.
func resourceKinds() []abi.ObjectKind {
	return []abi.ObjectKind{
		abi.ObjFile, abi.ObjStream, abi.ObjArgs, abi.ObjEnv, abi.ObjClock, abi.ObjRandom,
		abi.ObjProcess, abi.ObjSocket,
	}
}

// named lists the ids of the resource types of which all objects are known, nil
// for the others.
func named(k abi.ObjectKind) []string {
	switch k {
	case abi.ObjStream:
		return []string{"stdin", "stdout", "stderr"}
	case abi.ObjClock:
		return []string{"realtime", "monotonic", "process_cputime", "thread_cputime"}
	case abi.ObjArgs:
		return []string{"args"}
	case abi.ObjEnv:
		return []string{"environ"}
	case abi.ObjRandom:
		return []string{"random"}
	case abi.ObjProcess:
		return []string{"self"}
	}
	return nil
}

// applies lists the kinds of objects that a can be on, as its row in the table
// tells: what has a path is on files, what has a descriptor on what descriptors
// stand for.
func applies(a abi.Action) []abi.ObjectKind {
	n := abi.Num(a)
	if a == abi.PathOpenWrite {
		n = abi.PathOpen
	}
	r := abi.Lookup(n)
	switch {
	case r == nil:
		return nil
	case r.Class == abi.Net:
		return []abi.ObjectKind{abi.ObjSocket}
	case r.Paths() > 0:
		return []abi.ObjectKind{abi.ObjFile}
	case len(r.Params) > 0 && r.Params[0].Type == abi.Handle:
		return []abi.ObjectKind{abi.ObjFile, abi.ObjStream, abi.ObjSocket}
	case r.Class == abi.Entropy:
		return []abi.ObjectKind{abi.ObjRandom}
	case strings.HasPrefix(r.Name, "args_"):
		return []abi.ObjectKind{abi.ObjArgs}
	case strings.HasPrefix(r.Name, "environ_"):
		return []abi.ObjectKind{abi.ObjEnv}
	case slices.ContainsFunc(r.Params, func(p abi.Param) bool { return p.Words == "clockid" }):
		return []abi.ObjectKind{abi.ObjClock}
	}
	return []abi.ObjectKind{abi.ObjProcess}
}

const schemaHead = `// The Cedar schema of ForgeOne's policies, generated from the syscall table.
// A rule may carry @id("name"), @description("text") and @advice("text"), which
// people are shown on a denial; a forbid also @severity("0") to @severity("5"),
// "2" if it has none: what a denial by it takes from the workload's conduct.

entity Tenant;
entity Publisher;

// A workload is an installed package, or a bare module. Its standing is
// "Unverified", "Signed", "Root" or "Compromised"; publisher is "" if there is none.
entity Workload in [Tenant, Publisher] = {
  name: String,
  publisher: String,
  standing: String,
  bare: Bool,
};

// A file or folder by its canonical name in the run, which is also its id. It is
// in every folder above it: resource in File::"/data" is /data and all beneath.
// Mount is where what holds it is mounted, "" for what is there without a grant
// (package assets, scratch).
entity File in [File] = {
  path: String,
  mount: String,
  readonly: Bool,
};

`

const schemaContext = `
// What is known at the moment of the call. Trust is the minimum of its
// components, each from 0 to 100. Granted says that a grant covers the object;
// approved that an operator has approved this very call.
type Context = {
  trust: Long,
  provenance: Long,
  attestation: Long,
  conduct: Long,
  anomaly: Long,
  resources: Long,
  approved: Bool,
  granted: Bool,
};

`

// Schema returns the schema in Cedar's own text form.
func Schema() string {
	var b strings.Builder
	b.WriteString(schemaHead)
	for _, k := range resourceKinds() {
		if ids := named(k); ids != nil {
			fmt.Fprintf(&b, "entity %v enum [\"%s\"];\n", k, strings.Join(ids, `", "`))
		} else if k != abi.ObjFile {
			fmt.Fprintf(&b, "entity %v;\n", k)
		}
	}
	b.WriteString(schemaContext)
	for _, c := range abi.Classes() {
		fmt.Fprintf(&b, "action \"%v\";\n", c)
	}
	for _, a := range abi.Actions() {
		doc := "Opens a file or folder by name so that it can be written, made or cut short."
		if r := abi.Lookup(abi.Num(a)); r != nil {
			doc = r.Doc
		}
		fmt.Fprintf(&b, "\n// %s\naction \"%v\" in [\"%v\"] appliesTo {\n  principal: [Workload],\n  resource: [", doc, a, a.Class())
		for i, k := range applies(a) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k.String())
		}
		b.WriteString("],\n  context: Context,\n};\n")
	}
	return b.String()
}

// vocabulary is what checking and deciding need of the schema. It is immutable.
type vocabulary struct {
	schema    *resolved.Schema
	validator *validate.Validator
	actions   types.EntityMap
	uids      [abi.ActionSlots]types.EntityUID
	applies   [abi.ActionSlots][]abi.ObjectKind
}

// words builds the vocabulary once. That its schema parses is a test's to show:
// it derives from constants.
var words = sync.OnceValue(func() *vocabulary {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(Schema())); err != nil {
		panic(err)
	}
	r, err := s.Resolve()
	if err != nil {
		panic(err)
	}
	w := &vocabulary{schema: r, validator: validate.New(r, validate.WithStrict()), actions: types.EntityMap{}}
	for uid, a := range r.Actions {
		w.actions[uid] = a.Entity
	}
	for _, a := range abi.Actions() {
		w.uids[a.Slot()] = types.NewEntityUID(typeAction, types.String(a.String()))
		w.applies[a.Slot()] = applies(a)
	}
	return w
})
