package wasm

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero"
)

// passage is how machine code passes between the engine and us: in memory, and
// never by a file's name. The engine takes it for its cache of files. It is for one
// compilation, or for one loading, of one module.
type passage struct {
	code []byte    // what is loaded; nil where the engine is to compile
	key  engineKey // what the engine knows the code by, once it has asked
	want engineKey // what it must know it by; zero: anything
	out  io.Writer // takes what was compiled
}

// engineKey is a digest of the module, the engine's kind and what the processor can
// do: code that was made for another processor has another.
type engineKey = [32]byte

// errOtherKey says that the code is not for this engine on this processor.
var errOtherKey = errors.New("the code is for another engine or processor")

// Get hands out the code. Where there is code to load, the engine gets that or an
// error: it never compiles instead.
func (p *passage) Get(key engineKey) (io.ReadCloser, bool, error) {
	p.key = key
	switch {
	case p.out != nil:
		return nil, false, nil
	case p.want != engineKey{} && p.want != key:
		return nil, false, errOtherKey
	}
	return io.NopCloser(bytes.NewReader(p.code)), true, nil
}

// Add takes what was compiled.
func (p *passage) Add(_ engineKey, content io.Reader) error {
	if p.out == nil {
		return errOtherKey // nothing is compiled where code is loaded
	}
	_, err := io.Copy(p.out, content)
	return err
}

// Delete is what the engine calls for code of another version of itself. It would
// compile next.
func (p *passage) Delete(engineKey) error { return errOtherKey }

// errNoPassage says that the engine is another one than this was written for.
var errNoPassage = errors.New("the engine does not take its code from memory")

// cache returns a compilation cache that passes code through p. The engine has no
// function that takes one which is not a folder, so it is put where the engine keeps
// its own. Another version of the engine, which has it otherwise, is found by the
// first module, which is refused.
func (p *passage) cache() (wazero.CompilationCache, error) {
	cc := wazero.NewCompilationCache()
	v := reflect.ValueOf(cc)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, errNoPassage
	}
	f := v.Elem().FieldByName("fileCache")
	if f.Kind() != reflect.Interface || !reflect.TypeOf(p).Implements(f.Type()) {
		return nil, errNoPassage
	}
	// The field is not exported, so it can be set by its address only. cc keeps it
	// alive, and its type was checked.
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(p))
	return cc, nil
}
