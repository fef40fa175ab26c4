package rewrite

// What the compiler carries along control flow, counted because it costs more than
// in proportion to the code: a few bytes pass a thousand operands on, and each of
// a thousand branches in a row looks through all those before it.

// flow follows one path through a function.
type flow struct {
	// chain is how many of the compiler's blocks, each with one way in, lead here.
	// A variable is looked for in all of them, each time, up to where it was set.
	chain int
	// known are the accesses to memory that came before on every path. At the end
	// of each block the compiler keeps a list of their addresses.
	known int
}

// spread is the sum of what was so carried in a function.
type spread struct {
	splits int   // branches that may go on behind them
	fills  int   // instructions that the compiler makes loops of
	passed int64 // operands that blocks take and give, branches pass on, calls take and give
	walked int64 // blocks that variables are looked for in
	kept   int64 // addresses that are kept
}

// label is what a block's type says to a branch.
type label struct {
	passes int   // operands
	ways   int   // that lead to the block's end
	walks  int64 // the sum of the chains along them
	end    flow  // along them
}

// variables is how many variables the compiler may look for at a join: locals,
// mutable globals, the address and the length of memory.
func (w *rewriter) variables() int64 { return int64(w.nlocals + w.mutable + 2) }

// pass accounts for n operands that are passed on.
func (w *rewriter) pass(n int) {
	w.passed += int64(n)
	w.values += passedBytes * uint64(n)
	w.space += spacePassed * int64(n)
	w.native += nativeValue * int64(n)
}

// look accounts for looking for n variables.
func (w *rewriter) look(n int) { w.walked += int64(n) * int64(w.chain) }

// ends ends one of the compiler's blocks.
func (w *rewriter) ends() {
	w.kept += int64(w.known)
	w.space += spaceKept * int64(w.known)
}

// split ends a block by a branch that may go on behind it.
func (w *rewriter) split() {
	w.ends()
	w.chain++
}

// detour is a branch around a call: one of those that the rewriting adds.
func (w *rewriter) detour() {
	w.ends()
	w.ends()
	w.walked += 4 * w.variables() * int64(w.chain)
	w.chain = 0
}

// fill accounts for an instruction that the compiler makes a loop of.
func (w *rewriter) fill() {
	w.fills++
	w.joins += 2
	w.detour()
}

// way notes a way to a block's end, or back to a loop's start. Where ways meet, each
// variable may be looked for along all of them, twice.
func (w *rewriter) way(to *frame, from flow) {
	if to.kind == opLoop {
		w.walked += w.variables() * int64(from.chain)
		return
	}
	from.chain++
	to.ways++
	to.walks += int64(from.chain)
	if to.ways == 1 {
		to.end = from
		return
	}
	to.end.known = min(to.end.known, from.known)
	to.end.chain = 0 // each is found there from now on
}

// closes ends a block's code, along which control may come to its end as well.
func (w *rewriter) closes() {
	top := &w.frames[len(w.frames)-1]
	w.ends()
	if top.kind == opIf { // without an else, which would begin where it did
		w.way(top, top.begin)
	}
	if top.kind == opLoop {
		w.chain++ // its label is its start
		return
	}
	if !w.dead {
		w.pass(top.passes)
		w.way(top, w.flow)
	}
	if top.ways > 1 {
		w.walked += 2 * w.variables() * top.walks
	}
	if top.ways > 0 {
		w.flow = top.end
	}
}

// closesHalf ends an if's first half.
func (w *rewriter) closesHalf() {
	top := &w.frames[len(w.frames)-1]
	w.ends()
	if !w.dead {
		w.pass(top.passes)
		w.way(top, w.flow)
	}
	w.flow = top.begin
}
