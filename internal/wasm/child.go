package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/forgeone/forgeone/abi"
)

// What a process that compiles and its parent say to each other. The task is the
// module. The answer is a byte that says what follows, to the end:
//
//	answerCode     the code, as code.go has it; nothing from the interpreter, which
//	               has none to pass on: it has tried
//	answerInvalid  text for people: why the module does not validate
//	answerFailed   text for people: why there is no code
const (
	answerCode    = 'C'
	answerInvalid = 'I'
	answerFailed  = 'F'
)

// maxText bounds the text of an answer, in bytes.
const maxText = 1 << 10

// CompileJob names the job of a process that compiles. Its one argument is the kind,
// as Kind.String spells it.
const CompileJob = "compile"

// workers compile the functions of a module side by side.
const workers = 2

// Child compiles the module that it reads from in and writes the answer to out: the
// work of a process that can do nothing else. An error means that there is no answer,
// or not all of it.
func Child(kind string, in io.Reader, out io.Writer) error {
	module, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	k := Compiler
	if kind == Interpreter.String() {
		k = Interpreter
	}
	a := &answering{out: out}
	valid, err := compileInto(a, k, module)
	switch {
	case a.begun, errors.Is(err, syscall.ENOMEM):
		return err // no answer: the parent sees how we end
	case !valid:
		return answer(out, answerInvalid, err)
	case err != nil:
		return answer(out, answerFailed, err)
	}
	return answer(out, answerCode, nil) // from the interpreter
}

func answer(out io.Writer, what byte, why error) error {
	b := []byte{what}
	if why != nil {
		b = append(b, why.Error()...)
	}
	_, err := out.Write(b[:min(len(b), maxText)])
	return err
}

// answering is an answer of code while it is written.
type answering struct {
	out   io.Writer
	begun bool
}

func (a *answering) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		if _, err := a.out.Write([]byte{answerCode}); err != nil {
			return 0, err
		}
	}
	return a.out.Write(p)
}

// compileInto compiles module and writes the code to out. It tells whether the module
// is valid.
func compileInto(out io.Writer, kind Kind, module []byte) (valid bool, err error) {
	// A panic in a goroutine of the engine's own ends the process: the parent sees that.
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			valid, err = true, fmt.Errorf("panic: %w", p)
		default:
			valid, err = true, fmt.Errorf("panic: %v", p)
		}
	}()
	ctx := context.Background()
	p := &passage{out: out}
	cc, err := p.cache()
	if err != nil {
		return true, err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, kind.config().WithCompilationCache(cc))
	defer rt.Close(ctx)
	_, err = rt.CompileModule(experimental.WithCompilationWorkers(ctx, workers), module)
	// The engine asks for code once it has decoded and validated a module.
	return err == nil || p.key != engineKey{}, err
}

// codeOf returns the code in an answer, or why there is none.
func codeOf(answer []byte) ([]byte, error) {
	if len(answer) == 0 {
		return nil, badCode(errors.New("it is empty"))
	}
	why := errors.New(string(bytes.ToValidUTF8(answer[1:min(len(answer), maxText)], []byte("?"))))
	switch answer[0] {
	case answerCode:
		return answer[1:], nil
	case answerInvalid:
		return nil, &abi.Error{
			Code: "F1-MOD-100", What: "the module does not validate", Err: why,
			Hint: "rebuild the module; `wasm-validate` or `wasm-tools validate` tell the same with more detail",
		}
	case answerFailed:
		return nil, &abi.Error{
			Code: abi.CodeCompileFailed, What: "the compiler failed on the module", Err: why,
			Hint: "tell ForgeOne's maintainers, with the module",
		}
	}
	return nil, badCode(errors.New("it is of no kind"))
}
