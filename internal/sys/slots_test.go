package sys

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rowsOf returns what the rows hold that have an owner.
func rowsOf(t *testing.T, s *Slot) (rows []string, own int) {
	t.Helper()
	if err := s.Update(context.Background(), func(r [][]byte, i int) []byte {
		for _, b := range r {
			rows = append(rows, string(b))
		}
		own = i
		return r[i]
	}); err != nil {
		t.Fatal(err)
	}
	return rows, own
}

func take(t *testing.T, path string, limit int) *Slot {
	t.Helper()
	s, err := TakeSlot(context.Background(), path, 4, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Leave() })
	return s
}

func put(t *testing.T, s *Slot, text string) {
	t.Helper()
	if err := s.Update(context.Background(), func([][]byte, int) []byte { return []byte(text) }); err != nil {
		t.Fatal(err)
	}
}

// TestSlots: rows are those that have an owner, in order; a row that is taken again is
// empty first.
func TestSlots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slots")
	a, b, c := take(t, path, 3), take(t, path, 3), take(t, path, 3)
	if _, err := TakeSlot(context.Background(), path, 4, 3); !errors.Is(err, ErrSlotsFull) {
		t.Fatalf("a fourth: %v", err)
	}
	for s, text := range map[*Slot]string{a: "aaaa", b: "bbbb", c: "cccc"} {
		put(t, s, text)
	}
	if rows, own := rowsOf(t, b); !slices.Equal(rows, []string{"aaaa", "bbbb", "cccc"}) || own != 1 {
		t.Errorf("%q, own %d", rows, own)
	}
	if err := a.Leave(); err != nil {
		t.Fatal(err)
	}
	if rows, own := rowsOf(t, b); !slices.Equal(rows, []string{"bbbb", "cccc"}) || own != 0 {
		t.Errorf("one left: %q, own %d", rows, own)
	}
	d := take(t, path, 3)
	if rows, own := rowsOf(t, d); !slices.Equal(rows, []string{"\x00\x00\x00\x00", "bbbb", "cccc"}) || own != 0 {
		t.Errorf("taken again: %q, own %d", rows, own)
	}
	// A lock that somebody keeps is waited for no longer than one wants.
	held, err := TakeSlot(context.Background(), path, 4, 8)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := held.try(slotsTable, unix.F_WRLCK); !got || err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Update(ctx, func(r [][]byte, i int) []byte { return r[i] }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("held: %v", err)
	}
	if err := held.Leave(); err != nil {
		t.Fatal(err)
	}
	// A table that somebody made huge takes no memory.
	if err := os.Truncate(path, 1<<39); err != nil {
		t.Fatal(err)
	}
	if rows, _ := rowsOf(t, d); len(rows) != 3 {
		t.Errorf("%q", rows)
	}
	if err := os.Truncate(path, 2); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(context.Background(), func(r [][]byte, i int) []byte { return r[i] }); err == nil {
		t.Error("a cut file is believed")
	}
}

// TestSlotsAtOnce: nobody has another's row, and nobody's is lost.
func TestSlotsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slots")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for range 50 {
				s, err := TakeSlot(context.Background(), path, 4, 64)
				if err != nil {
					t.Error(err)
					return
				}
				mine := fmt.Sprintf("%04d", i)
				for range 3 {
					err = errors.Join(err, s.Update(context.Background(), func([][]byte, int) []byte { return []byte(mine) }),
						s.Update(context.Background(), func(rows [][]byte, own int) []byte {
							if string(rows[own]) != mine {
								t.Errorf("%q in %s's row", rows[own], mine)
							}
							return rows[own]
						}))
				}
				if rand.N(2) == 0 {
					err = errors.Join(err, s.Update(context.Background(), func(rows [][]byte, own int) []byte { return rows[own] }))
				}
				if err := errors.Join(err, s.Leave()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

const slotHelper = "FORGEONE_TEST_SLOT"

// TestSlotDies: the row of a process that was killed is nobody's.
func TestSlotDies(t *testing.T) {
	if path := os.Getenv(slotHelper); path != "" {
		s := take(t, path, 8)
		put(t, s, "dead")
		fmt.Println("taken")
		select {}
	}
	path := filepath.Join(t.TempDir(), "slots")
	c := exec.Command(os.Args[0], "-test.run=^TestSlotDies$")
	c.Env = append(os.Environ(), slotHelper+"="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "taken\n" {
		t.Fatalf("%q %v", line, err)
	}
	s := take(t, path, 8)
	if rows, own := rowsOf(t, s); len(rows) != 2 || rows[0] != "dead" || own != 1 {
		t.Errorf("%q, own %d", rows, own)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if rows, own := rowsOf(t, s); len(rows) != 1 || own != 0 {
		t.Errorf("after its end: %q, own %d", rows, own)
	}
}
