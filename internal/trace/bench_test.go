package trace

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
)

func benchmark(b *testing.B, s *sample) {
	w, _ := newWriter(b, 0)
	s.c.Index = 0
	b.ReportAllocs()
	b.SetBytes(int64(len(s.out) + len(s.c.In)))
	b.ResetTimer()
	for b.Loop() {
		if w.Reserve(&s.c, &s.o) != abi.OutcomeNone {
			b.Fatal("no room")
		}
		s.c.OutLen = copy(s.c.Out, s.out)
		w.Commit(&s.c, &s.o, s.d)
	}
	b.StopTimer()
	finish(b, w)
}

func BenchmarkClock(b *testing.B)   { benchmark(b, clock()) }
func BenchmarkRead64(b *testing.B)  { benchmark(b, read(3, string(make([]byte, 64)))) }
func BenchmarkRead4K(b *testing.B)  { benchmark(b, read(3, string(make([]byte, 4096)))) }
func BenchmarkWrite16(b *testing.B) { benchmark(b, write("0123456789abcdef")) }
func BenchmarkDenied(b *testing.B)  { benchmark(b, refused("/etc/passwd")) }

// BenchmarkNewDecision is the decider that makes a new decision for each call.
func BenchmarkNewDecision(b *testing.B) {
	w, _ := newWriter(b, 0)
	s := read(3, "0123456789abcdef")
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if w.Reserve(&s.c, &s.o) != abi.OutcomeNone {
			b.Fatal("no room")
		}
		s.c.OutLen = copy(s.c.Out, s.out)
		d := *allow
		w.Commit(&s.c, &s.o, &d)
	}
	b.StopTimer()
	finish(b, w)
}

// BenchmarkShortRun is a whole recording of 50 calls.
func BenchmarkShortRun(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w, _ := newWriter(b, 1<<30)
		for range 50 {
			s := clock()
			w.Reserve(&s.c, &s.o)
			w.Commit(&s.c, &s.o, s.d)
		}
		finish(b, w)
	}
}

func BenchmarkNext(b *testing.B) {
	w, path := newWriter(b, 0)
	s := read(3, string(make([]byte, 64)))
	for range 100_000 {
		s.write(b, w)
	}
	finish(b, w)
	r := open(b, path)
	var ev Event
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if err := r.Next(&ev); err != nil {
			if err := r.Rewind(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
