package kernel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Module is one node of the kernel graph: what the kernel boots from, and what
// people and language models read to understand it.
type Module struct {
	Name    string   `json:"name"`
	Purpose string   `json:"purpose"`
	Package string   `json:"package"` // the room it lives in
	Needs   []string `json:"needs"`

	start func(context.Context, *Kernel) error
}

// Names of the modules, for Options.Modules.
const (
	ModHome      = "home"
	ModRegister  = "register"
	ModKeys      = "keys"
	ModConfig    = "config"
	ModBrain     = "brain"
	ModEvidence  = "evidence"
	ModPolicy    = "policy"
	ModPackages  = "packages"
	ModEngine    = "engine"
	ModAdmission = "admission"
	ModRecorder  = "recorder"
	ModGate      = "gate"
	ModReplay    = "replay"
)

// Graph returns the kernel's modules. Its order means nothing: Boot sorts.
func Graph() []Module {
	return []Module{
		{ModHome, "finds the state folder and checks who may read it", "internal/kernel", nil, startHome},
		{ModRegister, "makes sure that guests of other processes are kept from the state folder", "internal/register", []string{ModHome}, startRegister},
		{ModKeys, "loads the node's keys: log, developer, recordings, cache", "internal/keys", []string{ModHome}, startKeys},
		{ModConfig, "loads the signed configuration and freezes it", "internal/config", []string{ModHome, ModKeys}, startConfig},
		{ModBrain, "folds the log into state: keyring, packages, trust, runs", "internal/brain", nil, startBrain},
		{ModEvidence, "opens the append-only signed log and catches up", "evidence", []string{ModKeys, ModConfig, ModBrain}, startEvidence},
		{ModPolicy, "loads the policy in force", "internal/policy", []string{ModEvidence}, startPolicy},
		{ModPackages, "verifies packages against the keyring", "forgepkg", []string{ModEvidence}, startPackages},
		{ModEngine, "compiles modules and runs guests", "internal/wasm", []string{ModKeys, ModConfig}, startEngine},
		{ModAdmission, "checks a module's structure and rewrites it with ticks", "internal/rewrite", []string{ModEngine}, startAdmission},
		{ModRecorder, "keeps every call of a run, encrypted", "internal/trace", []string{ModKeys, ModHome}, startRecorder},
		{ModGate, "the one door every syscall goes through", "internal/gate", []string{ModPolicy, ModRecorder, ModAdmission, ModRegister}, startGate},
		{ModReplay, "re-executes a run from its recording, without any capability", "internal/replay", []string{ModRecorder, ModEngine}, startReplay},
	}
}

// Plan returns the modules that the wanted ones need, in boot order: each after
// everything it needs, otherwise in the graph's order. No wanted ones: all.
func Plan(graph []Module, wanted []string) ([]Module, error) {
	byName := map[string]*Module{}
	for i := range graph {
		byName[graph[i].Name] = &graph[i]
	}
	if len(wanted) == 0 {
		for _, m := range graph {
			wanted = append(wanted, m.Name)
		}
	}
	var plan []Module
	done := map[string]bool{}
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		if done[name] {
			return nil
		}
		if slices.Contains(path, name) {
			return graphError("modules need each other: " + strings.Join(append(path, name), " → "))
		}
		m := byName[name]
		if m == nil {
			return graphError(fmt.Sprintf("module %q is needed (%s) and is not in the graph", name, strings.Join(path, " → ")))
		}
		for _, n := range m.Needs {
			if err := visit(n, append(slices.Clone(path), name)); err != nil {
				return err
			}
		}
		done[name] = true
		plan = append(plan, *m)
		return nil
	}
	for _, w := range wanted {
		if err := visit(w, nil); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func graphError(what string) error {
	return &abi.Error{Code: "F1-RUN-150", What: "kernel graph: " + what, Hint: "forgeone graph"}
}
