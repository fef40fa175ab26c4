package trace

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestBehind: a chunk that is compressed in a hurry reads as it was, and one
// that lies about its size is refused before anything is allocated for it.
func TestBehind(t *testing.T) {
	text := bytes.Repeat([]byte("a call like the one before it; "), 5000)
	k := chunker{behind: true, plain: text}
	kind, err := k.compress()
	if err != nil || kind != frameS2 || len(k.small) > len(text)/4 {
		t.Fatalf("kind %d, %d bytes of %d: %v", kind, len(k.small), len(text), err)
	}
	var r Reader
	got, err := r.expandS2(k.small, len(text))
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes came back: %v", len(got), err)
	}
	for _, size := range []int{0, 1, len(text) - 1, len(text) + 1, maxPlain} {
		if _, err := r.expandS2(k.small, size); err == nil {
			t.Errorf("expands to %d bytes as well", size)
		}
	}
	for i := range k.small {
		bad := bytes.Clone(k.small)
		bad[i] ^= 0xff
		if b, err := new(Reader).expandS2(bad, len(text)); err == nil && len(b) != len(text) {
			t.Fatalf("byte %d: %d bytes", i, len(b))
		}
	}
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	k = chunker{behind: true, plain: noise}
	if kind, err := k.compress(); err != nil || kind != frameStored {
		t.Errorf("noise is kept as kind %d: %v", kind, err)
	}
}
