// Package rewrite admits a WebAssembly module and rewrites it so that a host
// can meter it, stop it and read all of its state.
//
// Admission reads the binary format (core specification 2.0, chapter 5) once,
// in time and memory linear in the module's size, and refuses what is
// malformed, what imports anything but functions of the syscall table with
// their exact types, what names something reserved, and what would cost the
// compiler more than its size suggests. Types of operands are left to the
// compiler, which validates both modules; every index of the original is
// checked here, because after the rewrite an index that was out of range could
// name something injected.
//
// The rewritten module differs from the original in this:
//
//   - It imports "forgeone" "tick" and "forgeone" "probe", both func() -> (),
//     after its own imports.
//   - It ends its globals with a gas counter (i64) and a depth counter (i32)
//     and exports them as "forgeone:gas" and "forgeone:depth"; each mutable
//     global of its own, with index I, is exported as "forgeone:gI".
//   - Functions and loops charge the gas counter with a cost known statically,
//     bulk operations with their length, before the work is done; where the
//     counter has become negative the guest calls tick. The counter starts at
//     0, so the first charge does.
//   - memory.fill and memory.copy whose length the counter does not cover are
//     done in pieces, each charged before it is done, by functions that are
//     added behind all others (pieces.go).
//   - Functions that call count in the depth counter while they run; past
//     Caps.Depth, and now and then while frames pile up, the guest calls probe
//     (depth.go); and after each memory.grow.
//   - The start function is called by a function that is added and exported as
//     "forgeone:start", for the host to call first, and not by the instantiation.
//   - Tables have a maximum, so that table.grow cannot pass Caps.Table. Where that
//     may refuse one to a table, whether it did is kept in a global more (i32),
//     exported as "forgeone:refused".
//   - Custom sections are dropped, but for the names of functions.
//   - With Caps.CanonicalNaN every computed NaN has the same bits (nan.go).
//
// The host's tick either unwinds the guest or sets the gas counter to a
// positive slice; the counter it finds is negative by what the guest has
// overdrawn. The host's probe unwinds the guest if TooDeep says so of the depth
// counter, and otherwise may. After an unwinding the depth counter is stale: a
// host that enters the instance again sets it to what it was first.
//
// The same module and caps give the same bytes, on every machine.
package rewrite
