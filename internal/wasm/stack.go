package wasm

import (
	"errors"
	"reflect"
)

// How much of the engine's stack the calls of a guest may take: stackBytes, and
// more, up to stackMost, if the guest leaves its memory unused. The engine doubles
// its stack and copies it, so up to two and a half times as much is resident for a
// while; it is therefore two fifths of what the memory has left. A Go guest, whose
// frames have some 56 bytes, nests 220,000 calls in stackBytes alone.
//
// It is looked at where package rewrite has the guest call probe, so it is passed
// by what grows between two looks and by one frame at most.
const (
	stackBytes = 12 << 20
	stackMost  = 32 << 20
)

// stackLimit is what the calls under way may take now.
func (g *Guest) stackLimit() uint64 {
	unused := g.limit
	if g.mem != nil {
		unused -= min(unused, uint64(g.mem.Size()))
	}
	return min(stackBytes+unused*2/5, stackMost)
}

// gauge tells how much of the engine's stack a call takes. The engine has no
// function that says so; what is read here is what its own dispatch goes by, by
// the names of its fields, and never written. A version of the engine that has it
// otherwise is found by the first run, which is refused.
type gauge struct {
	call    reflect.Value // the engine's state of the call; zero on the interpreter, which bounds its stack itself
	top, sp reflect.Value
}

var errNoGauge = errors.New("the engine does not let its stack be measured")

// gaugeOf returns the gauge of calls of f, a function of an engine of kind k.
func gaugeOf(f any, k Kind) (gauge, error) {
	if k == Interpreter {
		return gauge{}, nil
	}
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return gauge{}, errNoGauge
	}
	var sp reflect.Value
	top := v.Elem().FieldByName("stackTop")
	if exec := v.Elem().FieldByName("execCtx"); exec.Kind() == reflect.Struct {
		sp = exec.FieldByName("stackPointerBeforeGoCall")
	}
	if top.Kind() != reflect.Uintptr || sp.Kind() != reflect.Pointer {
		return gauge{}, errNoGauge
	}
	return gauge{v, top, sp}, nil
}

// used returns the bytes of stack that the call under way takes. It is called from
// a host function that the guest called, on the call's own goroutine.
func (g gauge) used() uint64 {
	if !g.call.IsValid() {
		return 0
	}
	return g.top.Uint() - uint64(g.sp.Pointer())
}
