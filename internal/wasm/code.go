package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/abi"
)

// What compiles is another process, which a hostile module may have taken over. So
// what it answers is held against the module before the engine sees it: the engine's
// own reader allocates by a number in it, and indexes by others. Whether the machine
// code is right can't be told: a module that subverts its compiler gets code of its
// choice, and is confined no longer. The box makes that as hard as we can.
//
// Code as the engine writes it (wazero v1.12.1-0.20260829084255-f4779551afb4, engine_cache.go), little-endian:
//
//	"WAZEVO", u8 n, n bytes: the engine's version
//	u32 functions, then for each the u64 offset of its machine code, ascending in steps of 16
//	u64 length, and as many bytes of machine code
//	u32 CRC-32C of these
//	u8 0: there is no map of sources
//	u32 0: there are no clauses of exceptions
const (
	codeMagic = "WAZEVO"
	codeAlign = 16 // of each function's machine code
	codeTail  = 4 + 1 + 4
)

// checkCode tells what is wrong with code as that of module, a rewritten one.
func checkCode(code, module []byte) error {
	functions, err := bodies(module)
	if err != nil {
		return err
	}
	r := bytes.NewBuffer(code)
	if string(r.Next(len(codeMagic))) != codeMagic {
		return errors.New("it does not begin as code does")
	}
	n, err := r.ReadByte()
	if err != nil || len(r.Next(int(n))) < int(n) || r.Len() < 4 {
		return errors.New("it ends within the engine's version")
	}
	if got := binary.LittleEndian.Uint32(r.Next(4)); got != functions {
		return fmt.Errorf("it has %d functions, the module %d", got, functions)
	}
	if uint64(r.Len()) < 8*uint64(functions)+8 {
		return errors.New("it ends within the offsets of functions")
	}
	offsets := r.Next(8 * int(functions))
	length := binary.LittleEndian.Uint64(r.Next(8))
	if rest := uint64(r.Len()); rest < codeTail || length != rest-codeTail {
		return fmt.Errorf("it says %d bytes of machine code, and has %d after its head", length, rest)
	}
	next := uint64(0) // the least offset that the next function may have
	for i := range functions {
		at := binary.LittleEndian.Uint64(offsets[8*i:])
		if at < next || at >= length || at%codeAlign != 0 || i == 0 && at != 0 {
			return fmt.Errorf("function %d lies at %d of %d bytes of machine code", i, at, length)
		}
		next = at + 1
	}
	if functions == 0 && length != 0 {
		return errors.New("it has machine code of no function")
	}
	r.Next(int(length) + 4)
	if tail := r.Bytes(); tail[0] != 0 || binary.LittleEndian.Uint32(tail[1:]) != 0 {
		return errors.New("it has a map of sources, or clauses of exceptions")
	}
	return nil
}

// bodies returns the number of functions that module has code for.
func bodies(module []byte) (uint32, error) {
	const header, codeSection = 8, 10
	if len(module) < header {
		return 0, errMalformed
	}
	for b := module[header:]; len(b) > 0; {
		id := b[0]
		size, n := uvarint32(b[1:])
		if n == 0 || uint64(size) > uint64(len(b)-1-n) {
			return 0, errMalformed
		}
		section := b[1+n : 1+n+int(size)]
		if id == codeSection {
			count, n := uvarint32(section)
			if n == 0 {
				return 0, errMalformed
			}
			return count, nil
		}
		b = b[1+n+int(size):]
	}
	return 0, nil
}

var errMalformed = errors.New("the module is malformed")

// uvarint32 reads an unsigned LEB128 number of 32 bits and tells how many bytes it
// has: 0 if it is none.
func uvarint32(b []byte) (uint32, int) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 5 || v > 1<<32-1 {
		return 0, 0
	}
	return uint32(v), n
}

// badCode is the end of a compilation whose answer is not code of the module.
func badCode(err error) error {
	return &abi.Error{
		Code: abi.CodeCompileFailed, What: "what compiled the module did not answer with code of it", Err: err,
		Hint: "tell ForgeOne's maintainers, with the module",
	}
}
