package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// rewritten is a guest as it is compiled.
func rewritten(t testing.TB, module []byte) Job {
	t.Helper()
	code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	return Job{Code: code, Digest: seal.Sum("test", code)}
}

// outside is an Outside made of a function.
type outside func(job Job, done func([]byte, error) error) error

func (f outside) Compile(_ context.Context, job Job, done func([]byte, error) error) error {
	return f(job, done)
}

// answerOf is what a child answers.
func answerOf(t testing.TB, job Job) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Child(job.Kind.String(), bytes.NewReader(job.Code), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAnswers: what is not code of a module of that shape, in each way in which it may
// not be, is refused before the engine sees it, leaves nothing in the cache, and takes no memory.
func TestAnswers(t *testing.T) {
	job := rewritten(t, wasmtest.Module{Funcs: make([]wasmtest.Func, 5)}.Bytes())
	good := answerOf(t, job)
	head := 1 + len(codeMagic) + 1 + int(good[1+len(codeMagic)])
	count := binary.LittleEndian.Uint32(good[head:])
	lengthAt := head + 4 + 8*int(count)
	with := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	u64 := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	for name, answer := range map[string][]byte{
		"nothing":                  {},
		"of no kind":               {'X'},
		"code of no byte":          {answerCode},
		"another magic":            with(1, 'w'),
		"another version":          with(2+len(codeMagic), 'w'),
		"a longer version":         with(1+len(codeMagic), 255),
		"more functions":           with(head, binary.LittleEndian.AppendUint32(nil, count+1)...),
		"fewer functions":          with(head, binary.LittleEndian.AppendUint32(nil, count-1)...),
		"2^32-1 functions":         with(head, 255, 255, 255, 255),
		"an offset beyond the end": with(head+4+8, u64(1<<40)...),
		"a negative offset":        with(head+4+8, u64(math.MaxUint64)...),
		"an offset at the end":     with(head+4+8, good[lengthAt:lengthAt+8]...),
		"an offset within":         with(head+4+8, u64(binary.LittleEndian.Uint64(good[head+12:])+8)...),
		"offsets that go back":     with(head+4+16, u64(0)...),
		"a first offset":           with(head+4, u64(16)...),
		"a greater length":         with(lengthAt, u64(1<<40)...),
		"a length that wraps":      with(lengthAt, u64(math.MaxUint64)...),
		"a checksum":               with(len(good)-9, good[len(good)-9]^1),
		"a map of sources":         with(len(good)-5, 1),
		"clauses of exceptions":    with(len(good)-4, 1),
		"cut":                      good[:len(good)-1],
		"longer":                   append(bytes.Clone(good), 0),
		"of a larger module":       answerOf(t, rewritten(t, wasmtest.Module{Funcs: make([]wasmtest.Func, 6)}.Bytes())),
	} {
		t.Run(name, func(t *testing.T) {
			cache := NewCache(t.TempDir(), seal.NewKey(), abi.Digest{})
			e := New(cache, outside(func(_ Job, done func([]byte, error) error) error { return done(answer, nil) }))
			if m, err := e.Compile(t.Context(), job); abi.CodeOf(err) != abi.CodeCompileFailed || m != nil {
				t.Errorf("%v", err)
			}
			if holds(cache, job.Digest) {
				t.Error("it is in the cache")
			}
		})
	}
}

// FuzzCode: code that passes the check loads, or is an error; nothing panics, and no
// memory is taken for what is not there.
func FuzzCode(f *testing.F) {
	for _, name := range []string{"exit", "hello", "traps"} {
		if m := wasmtest.Guests()[name]; m != nil {
			job := rewritten(f, m)
			f.Add(answerOf(f, job)[1:], job.Code)
		}
	}
	f.Fuzz(func(t *testing.T, code, module []byte) {
		if checkCode(code, module) == nil && len(code) == 0 {
			t.Error("nothing is code")
		}
		n, err := bodies(module)
		if err == nil && uint64(n) > 0 && len(module) < 12 {
			t.Errorf("%d functions in %d bytes", n, len(module))
		}
	})
}

// TestInvalid: a module that does not validate is told as that.
func TestInvalid(t *testing.T) {
	for _, k := range []Kind{Compiler, Interpreter} {
		e := NewOn(k, nil, here{})
		_, err := e.Compile(t.Context(), Job{Code: []byte("\x00asm\x01\x00\x00\x00\xff")})
		if abi.CodeOf(err) != "F1-MOD-100" || !strings.Contains(err.Error(), "section") {
			t.Errorf("%s: %v", k, err)
		}
	}
}

// TestChildSays: text of a child is bounded and is text.
func TestChildSays(t *testing.T) {
	e := New(nil, outside(func(_ Job, done func([]byte, error) error) error {
		return done(append([]byte{answerFailed}, bytes.Repeat([]byte("\xff"), 1<<20)...), nil)
	}))
	_, err := e.Compile(t.Context(), Job{})
	if abi.CodeOf(err) != abi.CodeCompileFailed || len(err.Error()) > 2*maxText || strings.Contains(err.Error(), "\xff") {
		t.Errorf("%d bytes: %.80q", len(err.Error()), err)
	}
}

// TestRefused: what lasts is said again at once, until the configuration changes, and
// what does not last is tried again.
func TestRefused(t *testing.T) {
	dir, key := t.TempDir(), seal.NewKey()
	job := rewritten(t, wasmtest.Guests()["exit"])
	tried := 0
	try := func(config string, end error) error {
		t.Helper()
		e := New(NewCache(dir, key, seal.Sum("test", []byte(config))), outside(func(_ Job, done func([]byte, error) error) error {
			tried++
			return done(nil, end)
		}))
		_, err := e.Compile(t.Context(), job)
		return err
	}
	passing := errors.New("a busy machine")
	for range 2 {
		if err := try("a", passing); err != passing {
			t.Fatal(err)
		}
	}
	lasting := &Lasting{Err: &abi.Error{Code: abi.CodeCompileMemory, What: "too much", Hint: "raise it"}}
	for range 3 {
		if err := try("a", lasting); abi.CodeOf(err) != abi.CodeCompileMemory || !strings.Contains(err.Error(), "too much") {
			t.Fatal(err)
		}
	}
	if tried != 3 {
		t.Errorf("tried %d times", tried)
	}
	if _ = try("b", lasting); tried != 4 {
		t.Error("refused under another configuration")
	}
	c := NewCache(dir, key, seal.Sum("test", []byte("b")))
	b, err := os.ReadFile(c.refusalPath(job.Digest))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if err := os.WriteFile(c.refusalPath(job.Digest), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.Refused(job.Digest) != nil {
			t.Fatalf("byte %d flipped: authenticates", i)
		}
	}
}

// TestElsewhere: what another process has compiled meanwhile is taken from the cache.
func TestElsewhere(t *testing.T) {
	dir, key := t.TempDir(), seal.NewKey()
	job := rewritten(t, wasmtest.Guests()["exit"])
	other := engine(t, NewCache(dir, key, abi.Digest{}))
	asked := 0
	e := New(NewCache(dir, key, abi.Digest{}), outside(func(Job, func([]byte, error) error) error {
		if asked++; asked == 2 {
			if _, err := other.Compile(t.Context(), job); err != nil {
				t.Fatal(err)
			}
		}
		return ErrElsewhere
	}))
	defer e.Close(t.Context())
	if m, err := e.Compile(t.Context(), job); err != nil || m == nil || asked != 2 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

// TestOtherProcessor: authentic code that the engine knows by another key, as that of
// another processor is, is not loaded: it is compiled anew.
func TestOtherProcessor(t *testing.T) {
	job := rewritten(t, wasmtest.Guests()["exit"])
	c := NewCache(t.TempDir(), seal.NewKey(), abi.Digest{})
	code := answerOf(t, job)[1:]
	if err := c.store(job.Digest, engineKey{1}, code); err != nil {
		t.Fatal(err)
	}
	asked := 0
	e := New(c, outside(func(job Job, done func([]byte, error) error) error {
		asked++
		return here{}.Compile(t.Context(), job, done)
	}))
	defer e.Close(t.Context())
	for range 2 {
		if _, err := e.Compile(t.Context(), job); err != nil || asked != 1 {
			t.Fatalf("%v, asked %d times", err, asked)
		}
	}
}

// TestNoOutside: without a place to compile, only what is kept can be run; nothing is
// compiled in this process.
func TestNoOutside(t *testing.T) {
	dir, key := t.TempDir(), seal.NewKey()
	job := rewritten(t, wasmtest.Guests()["exit"])
	e := New(NewCache(dir, key, abi.Digest{}), nil)
	defer e.Close(t.Context())
	if _, err := e.Compile(t.Context(), job); abi.CodeOf(err) != "F1-RUN-168" {
		t.Errorf("%v", err)
	}
	if _, err := engine(t, NewCache(dir, key, abi.Digest{})).Compile(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Compile(t.Context(), job); err != nil {
		t.Errorf("kept: %v", err)
	}
}

// TestNothingIsCompiledHere: where code is loaded the engine gets it or an error, and
// never compiles: not for a stale version, nor for code that is not there.
func TestNothingIsCompiledHere(t *testing.T) {
	job := rewritten(t, wasmtest.Guests()["exit"])
	e := New(nil, nil)
	for name, code := range map[string][]byte{"none": nil, "of another version": append([]byte("WAZEVO\x01x"), make([]byte, 64)...)} {
		if m, _, err := e.load(t.Context(), job.Code, code, engineKey{}); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
}

// TestCloseTwice: the second time there is nothing to close.
func TestCloseTwice(t *testing.T) {
	e := New(nil, here{})
	m, err := e.Compile(t.Context(), rewritten(t, wasmtest.Guests()["exit"]))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(m.Close(t.Context()), e.Close(t.Context())); err != nil {
			t.Error(err)
		}
	}
}
