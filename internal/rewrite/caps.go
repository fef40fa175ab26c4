package rewrite

// Version is the version of the rewriting. It changes whenever a module could
// come out differently: ticks would fall elsewhere, and recordings name it.
const Version = 4

// Names that the rewriting reserves.
const (
	// ReservedModule is the import module of the injected functions.
	ReservedModule = "forgeone"
	// TickName is the function that a guest calls when its gas is used up.
	TickName = "tick"
	// ProbeName is the function that a guest calls when calls nest too deep, and when
	// their frames or the memory may have grown so much that the host is to look.
	ProbeName = "probe"
	// ReservedPrefix begins the name of every injected export.
	ReservedPrefix = "forgeone:"
	// GasExport is the gas counter, a mutable i64.
	GasExport = ReservedPrefix + "gas"
	// DepthExport is the depth counter, a mutable i32: see TooDeep.
	DepthExport = ReservedPrefix + "depth"
	// RefusedExport is a mutable i32 that is not 0 once a table was not let grow
	// because of Caps.Table. Only a module that may come to that has it.
	RefusedExport = ReservedPrefix + "refused"
	// StartExport is a function that calls the module's start function, if it has
	// one. A host calls it before anything else; the instantiation does not.
	StartExport = ReservedPrefix + "start"
)

// Caps bound a module before anything is compiled. A zero field admits nothing
// of its kind.
type Caps struct {
	// ModuleBytes bounds the whole module.
	ModuleBytes int
	// Functions bounds the functions, imported ones included.
	Functions int
	// LocalsPerFunction and LocalsTotal bound the locals that functions declare.
	LocalsPerFunction, LocalsTotal int
	// Nesting bounds blocks within blocks.
	Nesting int
	// BrTable bounds the labels of one br_table.
	BrTable int
	// Table bounds the sum of all tables' elements, at the start and grown, and
	// the sum of all element segments'.
	Table int
	// Globals bounds the globals.
	Globals int
	// DataSegments bounds the data segments, and the element segments.
	DataSegments int
	// Depth bounds nested calls of functions that call in turn. More than 262,143
	// is as much.
	Depth uint32

	// CanonicalNaN asks for a rewriting that makes every NaN which an instruction
	// computes the positive quiet one without payload, on every machine. What is
	// admitted does not change, but the bytes that come out do.
	CanonicalNaN bool

	// Types, Imports, Exports and Tables bound the entries of their sections,
	// Values the parameters and the results of one type.
	Types, Values, Imports, Exports, Tables int
	// BodyBytes bounds the code of one function.
	BodyBytes int
	// Space bounds the memory that compiling any one function may take, in bytes,
	// as spaceOf estimates it.
	Space int64
	// Work bounds what compiling the module may cost beyond what its size
	// suggests, as function.work estimates it. A unit is some 15 ns.
	Work int64
	// FunctionWork bounds the same of any one function: a compilation can be
	// stopped between functions only.
	FunctionWork int64
	// Native bounds the machine code that the module compiles to, in bytes, as
	// nativeOf estimates it.
	Native int64
}

// raise says what to do about a cap that is exceeded: which field of the
// configuration sets it, if one does.
func raise(what string) string {
	field, ok := map[string]string{
		"bytes": "module", "functions": "functions", "locals of a function": "locals_per_function", "groups of locals": "locals_per_function",
		"locals of all functions": "locals", "blocks within blocks": "nesting", "labels of a br_table": "br_table", "globals": "globals",
		"data segments": "data_segments", "element segments": "data_segments",
	}[what]
	switch {
	case ok:
		return "raise admission." + field + " in the configuration, if you trust the module: forgeone init --config FILE"
	case what == "elements in tables" || what == "elements in segments":
		return "raise limits.table in the configuration, if you trust the module: forgeone init --config FILE"
	}
	return "build the module smaller or in parts: this limit is fixed, because it bounds what the compiler takes"
}

// DefaultCaps returns the caps in force unless signed configuration says
// otherwise. JavaScript engines bound types, bodies and signatures alike. A Go
// program nests a block for each jump target of its largest function: goja 1,307.
func DefaultCaps() Caps {
	return Caps{
		ModuleBytes:       64 << 20,
		Functions:         200_000,
		LocalsPerFunction: 10_000,
		LocalsTotal:       2_000_000,
		Nesting:           5_000,
		BrTable:           50_000,
		Table:             1_000_000,
		Globals:           10_000,
		DataSegments:      200_000,
		Depth:             defaultDepth,
		Types:             100_000,
		Values:            1_000,
		Imports:           1_000,
		Exports:           100_000,
		Tables:            100,
		BodyBytes:         2 << 20,
		Space:             512 << 20,
		Work:              4_000_000_000,
		FunctionWork:      600_000_000,
		Native:            512 << 20,
	}
}
