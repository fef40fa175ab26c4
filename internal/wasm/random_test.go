package wasm

import (
	"bytes"
	"context"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestLargeRandom: a random_get of more than a call may answer is made as several
// calls and fills all of the buffer; one that fails ends it, and one that lies out
// of bounds makes none that could fill anything.
func TestLargeRandom(t *testing.T) {
	e := engine(t, nil)
	const at, size = 64, 2*abi.MaxRandom + 777
	run := func(ptr, n int32, fail int) (pieces []uint64, errno byte, memory []byte) {
		m := wasmtest.Module{Imports: []wasmtest.Import{wasmtest.Random}, MinPages: 16, Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(
			wasmtest.Const(0), wasmtest.Const(ptr), wasmtest.Const(n), wasmtest.Call(0), wasmtest.Store)}}}
		d := &door{do: func(c *abi.Call) abi.Errno {
			if pieces = append(pieces, c.Args[0]); c.Errno == 0 && len(pieces) == fail {
				c.Errno = abi.EIO
			}
			if c.Errno == 0 {
				c.OutLen = copy(c.Out, bytes.Repeat([]byte{byte(len(pieces))}, len(c.Out)))
			}
			return c.Errno
		}}
		g, ex, err := compile(t, e, m.Bytes()).Run(t.Context(), d, 16)
		if err != nil || ex.Outcome != abi.OutcomeExit {
			t.Fatal(ex, err)
		}
		defer g.Close(context.Background())
		memory = bytes.Clone(g.Memory())
		return pieces, memory[0], memory
	}
	pieces, errno, memory := run(at, size, 0)
	if len(pieces) != 3 || pieces[0]+pieces[1]+pieces[2] != size || errno != 0 {
		t.Errorf("pieces %d, errno %d", pieces, errno)
	}
	for i, b := range memory[at : at+size] {
		if b != byte(i/abi.MaxRandom)+1 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	if memory[at+size] != 0 {
		t.Error("it wrote beyond the buffer")
	}
	if pieces, errno, _ := run(at, size, 2); len(pieces) != 2 || abi.Errno(errno) != abi.EIO {
		t.Errorf("a piece that fails: %d, errno %d", pieces, errno)
	}
	if pieces, errno, memory := run(1<<20-size+1, size, 0); len(pieces) != 1 || abi.Errno(errno) != abi.EFAULT || memory[1<<20-size+1] != 0 {
		t.Errorf("out of bounds: %d, errno %d", pieces, errno)
	}
}
