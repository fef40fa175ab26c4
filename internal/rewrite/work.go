package rewrite

// What the compiler spends beyond time linear in a function's size, in units of
// some 15 ns. Each was measured on functions written to cost the most: a few
// kilobytes that nest blocks, merge many locals, follow one another in thousands,
// or call among thousands of globals would otherwise compile for minutes, and a
// compilation cannot be stopped within a function. Real programs (CPython, Ruby,
// PHP, goja) stay below a fifth of the default cap.
const (
	workJoins  = 2   // for each pair of joins
	workLoops  = 12  // for each pair of loops
	workDepth  = 32  // for each block, times its depth
	workLabel  = 650 // for each label of a br_table
	workReload = 50  // for each mutable global, at each call
)

// work estimates those costs for the function; mutable is the number of mutable
// globals, which the compiler plans to load anew after each call, injected ones
// included.
func (f *function) work(mutable int) int64 {
	joins, locals, loops := int64(f.joins), int64(f.nlocals), int64(len(f.regions)-1)
	calls := int64(f.calls + len(f.regions) + 1) // one more for depth
	return joins*locals*locals + workJoins*joins*joins + workLoops*loops*loops +
		workDepth*int64(f.depths) + workLabel*int64(f.labels) + workReload*calls*int64(mutable)
}
