package rewrite

// Version is the version of the rewriting. It changes whenever a module could
// come out differently: ticks would fall elsewhere, and recordings name it.
const Version = 5

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

// Caps bound what a module may hold to be admitted, so that admission, rewriting and
// what the kernel keeps of a module stay in proportion to its size. A zero field
// admits nothing of its kind. What a compiler takes is not theirs to bound.
type Caps struct {
	// ModuleBytes bounds the whole module.
	ModuleBytes int
	// RewrittenBytes bounds the code of the rewritten module: a loop becomes ten
	// times as long.
	RewrittenBytes int
	// Types bounds the types, Values the parameters and the results of one,
	// TypeValues those of all types together: the engine makes machine code for
	// each, outside the compiler's process.
	Types, Values, TypeValues int
	// Imports, Exports, Tables and Globals bound the entries of their sections.
	Imports, Exports, Tables, Globals int
	// Functions bounds the functions, imported ones included.
	Functions int
	// BodyBytes bounds the code of one function.
	BodyBytes int
	// LocalsPerFunction and LocalsTotal bound the locals that functions declare.
	LocalsPerFunction, LocalsTotal int
	// OperandsPerFunction and OperandsTotal bound the values that blocks take and
	// give, branches pass on, calls and functions take and give: the engine's
	// validation looks at each, and two bytes may name a thousand.
	OperandsPerFunction, OperandsTotal int
	// Nesting bounds blocks within blocks.
	Nesting int
	// BrTable bounds the labels of one br_table.
	BrTable int
	// Table bounds the sum of all tables' elements, at the start and grown, and
	// the sum of all element segments'.
	Table int
	// DataSegments and ElementSegments bound the segments.
	DataSegments, ElementSegments int
	// Depth bounds nested calls of functions that call in turn. More than 262,143
	// is as much.
	Depth uint32

	// CanonicalNaN asks for a rewriting that makes every NaN which an instruction
	// computes the positive quiet one without payload, on every machine. What is
	// admitted does not change but for RewrittenBytes, and the bytes that come out do.
	CanonicalNaN bool
}

// DefaultCaps returns the caps in force unless signed configuration says
// otherwise. A Go program nests a block for each jump target of its largest
// function: goja 1,307.
func DefaultCaps() Caps {
	return Caps{
		ModuleBytes:         64 << 20,
		RewrittenBytes:      128 << 20,
		Types:               100_000,
		Values:              1_000,
		TypeValues:          100_000,
		Imports:             1_000,
		Exports:             100_000,
		Tables:              100,
		Globals:             10_000,
		Functions:           200_000,
		BodyBytes:           8 << 20,
		LocalsPerFunction:   10_000,
		LocalsTotal:         2_000_000,
		OperandsPerFunction: 2_000_000,
		OperandsTotal:       20_000_000,
		Nesting:             100_000,
		BrTable:             500_000,
		Table:               1_000_000,
		DataSegments:        200_000,
		ElementSegments:     200_000,
		Depth:               defaultDepth,
	}
}

// MaxCaps returns the largest caps that can work. Most are the engine's own bounds
// of what it numbers. The time that it takes to decode a type grows with the square
// of the type's values.
func MaxCaps() Caps {
	const indices, size = 1 << 27, 1 << 29
	return Caps{
		ModuleBytes:         size,
		RewrittenBytes:      2 * size,
		Types:               indices,
		Values:              100_000,
		TypeValues:          indices,
		Imports:             indices,
		Exports:             indices,
		Tables:              indices,
		Globals:             indices,
		Functions:           indices,
		BodyBytes:           size,
		LocalsPerFunction:   indices,
		LocalsTotal:         indices,
		OperandsPerFunction: 1 << 33, // costs stay below maxCost
		OperandsTotal:       1 << 40,
		Nesting:             indices,
		BrTable:             size,
		Table:               indices,
		DataSegments:        indices,
		ElementSegments:     indices,
		Depth:               maxNested,
	}
}
