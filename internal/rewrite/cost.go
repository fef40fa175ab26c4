package rewrite

// region is code that is charged for at one place: a function's code outside
// loops, or a loop's outside the loops within it. It is charged the cost of its
// longest path. Branches go forward, except to the header of a loop, where the
// next round is charged; so a path is at most that long, and one reading in order
// finds it. The sum of all code would be simpler, but an interpreter's loop is one
// switch whose arms are never run together.
type region struct {
	path    int64 // the longest path to the current instruction
	longest int64 // the longest path so far
	at      int   // of a loop: where in body its cost is to be written
}

// frame is an open block.
type frame struct {
	kind   byte // opBlock, opLoop, opIf, opElse; 0 for the function
	region int
	// best is the longest path to a branch that leads to the block's end, start
	// that to an if; none if no path leads there.
	best, start int64
	passes      int // operands that a branch to its label passes on
}

const none = -1

// spend adds a cost at the current instruction.
func (f *function) spend(cost int64) {
	if g := &f.regions[f.cur]; !f.dead {
		g.path += cost
		g.longest = max(g.longest, g.path)
	}
}

// here returns the longest path to the current instruction, or none.
func (f *function) here() int64 {
	if f.dead {
		return none
	}
	return f.regions[f.cur].path
}

// resume goes on with the path p, which may be none.
func (f *function) resume(p int64) {
	if f.dead = p == none; !f.dead {
		f.regions[f.cur].path = p
	}
}

// branch notes a branch to the label. Where it leaves loops, the path goes on in
// the label's region as it was when the outermost of them began.
func (w *rewriter) branch(label uint32) {
	f := &w.function
	to := &f.frames[len(f.frames)-1-int(label)]
	w.pass(to.passes)
	if f.dead {
		return
	}
	if to.kind != opLoop {
		to.best = max(to.best, f.regions[to.region].path)
	}
}

// open begins a block whose label passes operands on. The path of a loop starts
// anew.
func (f *function) open(kind byte, passes int) {
	f.frames = append(doubled(f.frames), frame{kind: kind, region: f.cur, best: none, start: f.here(), passes: passes})
}

// falls notes that control comes to the end of the innermost block's code, where a
// loop passes nothing on: its label is its start.
func (w *rewriter) falls() {
	if top := &w.frames[len(w.frames)-1]; top.kind != opLoop && !w.dead {
		w.pass(top.passes)
	}
}

// otherwise begins the second half of an if.
func (f *function) otherwise() {
	top := &f.frames[len(f.frames)-1]
	top.kind = opElse
	top.best = max(top.best, f.here())
	f.resume(top.start)
}

// shut ends a block. The path behind a loop is that before it, if the loop's code
// can come to its end.
func (f *function) shut() {
	n := len(f.frames) - 1
	top := f.frames[n]
	f.frames = f.frames[:n]
	switch top.kind {
	case opLoop:
		f.cur = f.frames[n-1].region
	case opIf:
		f.resume(max(top.best, top.start, f.here()))
	default:
		f.resume(max(top.best, f.here()))
	}
}

// entryCost returns what to charge on entry, 0 where another charge covers it.
func (f *function) entryCost() int64 {
	cost := f.regions[0].longest
	switch {
	case f.folded > 0 && cost <= foldFree:
		// Every call comes to this loop before it could repeat anything.
		f.regions[f.folded].longest += cost
		return 0
	case len(f.regions) == 1 && f.calls == 0 && !f.bulk && cost <= leafFree:
		return 0
	}
	return cost
}
