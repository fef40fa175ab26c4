package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

// r makes a row; equal numbers are equal digests.
func r(s state, since int, used time.Duration, owner, digest byte) row {
	return row{state: s, since: time.Duration(since), used: used, owner: [ownerSize]byte{owner}, digest: abi.Digest{digest}}
}

// TestRow: a row reads as it was written, and any bytes are a row.
func TestRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), rowSize, rowSize).Draw(t, "bytes")
		x := rowOf(b)
		if x.state > finishing || rowOf(x.bytes()) != x || len(x.bytes()) != rowSize {
			t.Fatalf("%+v", x)
		}
	})
}

// TestNext: what each row does next.
func TestNext(t *testing.T) {
	const s, m, l = 100 * time.Millisecond, 2 * time.Second, 20 * time.Second
	for _, tc := range []struct {
		name string
		rows []row
		most int
		want []state // of each row, when it looks
	}{
		{"alone", []row{r(waiting, 1, 0, 1, 1)}, 4, []state{running}},
		{"two", []row{r(running, 1, 0, 1, 1), r(waiting, 2, 0, 2, 2)}, 4, []state{running, running}},
		{"the third waits", []row{r(running, 1, s, 1, 1), r(running, 2, s, 2, 2), r(waiting, 3, 0, 3, 3)}, 4, []state{running, running, waiting}},
		{"a long one makes room", []row{r(running, 1, l, 1, 1), r(running, 2, m, 2, 2), r(waiting, 3, 0, 3, 3)}, 4, []state{running, paused, waiting}},
		{"and the short one goes", []row{r(running, 1, l, 1, 1), r(paused, 2, m, 2, 2), r(waiting, 3, 0, 3, 3)}, 4, []state{running, paused, running}},
		{"the paused one goes on", []row{r(paused, 1, l, 1, 1), r(running, 2, m, 2, 2)}, 4, []state{running, running}},
		{"one that ends holds no place", []row{r(finishing, 1, 0, 1, 1), r(running, 2, s, 2, 2), r(waiting, 3, 0, 3, 3)}, 4, []state{finishing, running, running}},
		{"equal digests wait", []row{r(running, 1, l, 1, 1), r(waiting, 2, 0, 2, 1), r(waiting, 3, 0, 3, 3)}, 4, []state{running, waiting, running}},
		{"equal digests wait for what is kept", []row{r(finishing, 1, l, 1, 1), r(waiting, 2, 0, 2, 1)}, 4, []state{finishing, waiting}},
		{"the one that was started is the first", []row{r(waiting, 1, 0, 1, 1), r(running, 2, s, 2, 1)}, 4, []state{waiting, running}},
		{"a turn for each owner", []row{r(waiting, 1, 0, 1, 1), r(waiting, 2, 0, 1, 2), r(waiting, 3, 0, 2, 3)}, 4, []state{running, waiting, running}},
		{
			"too many were started",
			[]row{r(paused, 1, l, 1, 1), r(paused, 2, 2*l, 2, 2), r(paused, 3, l, 3, 3), r(running, 4, m, 4, 4), r(waiting, 5, 0, 5, 5)},
			4,
			[]state{running, waiting, paused, paused, waiting},
		},
		{
			"few may be started",
			[]row{r(paused, 1, l, 1, 1), r(running, 2, m, 2, 2), r(running, 3, m, 3, 3), r(waiting, 4, 0, 4, 4)},
			3,
			[]state{paused, waiting, paused, waiting},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i := range tc.rows {
				if got, _ := next(tc.rows, i, tc.most); got != tc.want[i] {
					t.Errorf("row %d: %d, want %d", i, got, tc.want[i])
				}
			}
		})
	}
}

// world plays processes that look at the table in any order, some of which die.
type world struct {
	rows  []row
	need  []time.Duration // of each row
	since []int           // the step at which it came
	id    []int
	most  int
}

func (w *world) drop(i int) {
	w.rows, w.need = slices.Delete(w.rows, i, i+1), slices.Delete(w.need, i, i+1)
	w.since, w.id = slices.Delete(w.since, i, i+1), slices.Delete(w.id, i, i+1)
}

// TestPlanHolds: whoever looks when, at most two run, at most so many are started, and
// all come to their end.
func TestPlanHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{most: rapid.IntRange(3, 4).Draw(t, "most")}
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		todo := rapid.IntRange(1, 40).Draw(t, "compilations")
		for step := 0; todo > 0 || len(w.rows) > 0; step++ {
			if step > 200_000 {
				t.Fatalf("%d never end: %+v", len(w.rows), w.rows)
			}
			if todo > 0 && rnd.IntN(4) == 0 {
				todo--
				w.rows = append(w.rows, r(waiting, step, 0, byte(rnd.IntN(5)), byte(rnd.IntN(20))))
				w.need = append(w.need, []time.Duration{100 * time.Millisecond, 2 * time.Second, 10 * time.Second, 40 * time.Second}[rnd.IntN(4)])
				w.since, w.id = append(w.since, step), append(w.id, step)
			}
			if len(w.rows) == 0 {
				continue
			}
			i := rnd.IntN(len(w.rows))
			was := w.rows[i].state
			w.rows[i].state, _ = next(w.rows, i, w.most)
			if was == paused && w.rows[i].state == waiting || was == running && w.rows[i].state == waiting {
				w.need[i] += w.rows[i].used // what it had done is lost
			}
			active, started := 0, 0
			for _, x := range w.rows {
				if x.state == running {
					active++
				}
				if x.state == running || x.state == paused {
					started++
				}
			}
			if active > places || started > w.most {
				t.Fatalf("%d run, %d are started: %+v", active, started, w.rows)
			}
			switch {
			case w.rows[i].state == finishing, rnd.IntN(500) == 0: // the second dies
				w.drop(i)
			case w.rows[i].state == running:
				if w.rows[i].used += 200 * time.Millisecond; w.rows[i].used >= w.need[i] {
					w.rows[i].state = finishing
				}
			}
		}
	})
}

// TestSilent: who does not look any more is not believed, and nobody waits for him; the
// own row always is.
func TestSilent(t *testing.T) {
	now := time.Hour
	rows := []row{r(running, 1, 0, 1, 1), r(running, 2, 0, 2, 2), r(waiting, 3, 0, 3, 3)}
	rows[0].seen, rows[1].seen, rows[2].seen = now-silence-1, now-silence/2, now
	got, own := alive(rows, 2)
	if len(got) != 2 || own != 1 || got[0].digest != rows[1].digest {
		t.Errorf("%+v, own %d", got, own)
	}
	if state, _ := next(got, own, 4); state != running {
		t.Errorf("it is %d", state)
	}
	rows[2].seen = 0 // a clock that stands still
	if got, own := alive(rows, 2); len(got) != 3 || own != 2 {
		t.Errorf("%+v", got)
	}
}

// TestNobodyStarves: a stream of short compilations keeps no long one from its end.
func TestNobodyStarves(t *testing.T) {
	rows := []row{r(waiting, 0, 0, 1, 1), r(waiting, 1, 0, 2, 2)}
	for tick := 2; tick < 20_000; tick++ {
		for len(rows) < 8 { // always six that just came
			rows = append(rows, r(waiting, tick, 0, byte(tick), byte(3+tick%200)))
		}
		for i := range rows {
			rows[i].state, _ = next(rows, i, 4)
			if rows[i].state == running {
				rows[i].used += 10 * time.Millisecond
			}
		}
		if rows[0].used >= 40*time.Second {
			return
		}
		rows = slices.DeleteFunc(rows, func(x row) bool { return x.since > 1 && x.used >= 200*time.Millisecond })
	}
	t.Errorf("the long one has had %v", rows[0].used)
}

// TestShortOnesGoFirst: beside bombs without number that come again and again, a short
// compilation waits for no more than their first moments.
func TestShortOnesGoFirst(t *testing.T) {
	rows := []row{r(waiting, 1000, 0, 200, 200)}
	for i := range 10 {
		rows = append(rows, r(waiting, i, 0, byte(i), byte(i)))
	}
	for tick := range 10_000 {
		for i := range rows {
			rows[i].state, _ = next(rows, i, 4)
			if rows[i].state == running {
				rows[i].used += 10 * time.Millisecond
			}
		}
		if rows[0].used >= 100*time.Millisecond {
			if waited := time.Duration(tick) * 10 * time.Millisecond; waited > 3*time.Second {
				t.Errorf("it waited %v", waited)
			}
			return
		}
	}
	t.Error("it never ran")
}

func BenchmarkNext(b *testing.B) {
	for _, n := range []int{1, 20, 1000} {
		rows := make([]row, n)
		for i := range rows {
			rows[i] = r(waiting, i, 0, byte(i), byte(i))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				next(rows, n-1, 4)
			}
		})
	}
}
