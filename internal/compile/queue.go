package compile

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/forgeone/forgeone/abi"
)

// Everybody who has something to compile, in any process of a state folder, has a row
// in one table. Each looks at the table again and again and does what the plan says
// of its own row: nobody tells others what to do, so nobody's death holds others up.

const (
	places    = 2    // compile at the same time
	rowSize   = 80   // bytes of a row
	rowLimit  = 4096 // rows
	ownerSize = 16
)

// state is what the compilation of a row does.
type state uint8

const (
	waiting   state = iota // it has not been started, or was taken back
	running                // it compiles
	paused                 // it was started and is stopped
	finishing              // it has ended, and what came of it is being kept
)

// row is a compilation as all processes see it.
//
//	u8 state, 7 bytes 0, i64 since, i64 seen, i64 used, 16 bytes owner, 32 bytes digest
type row struct {
	state  state
	since  time.Duration // when it came, by the machine's clock that only goes forward
	seen   time.Duration // when it last looked at the table, by the same clock
	used   time.Duration // processor time that it has taken, or for which it held a place
	owner  [ownerSize]byte
	digest abi.Digest // of what is compiled
}

func (r row) bytes() []byte {
	b := append(make([]byte, 0, rowSize), byte(r.state), 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.since))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.seen))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.used))
	return append(append(b, r.owner[:]...), r.digest[:]...)
}

// rowOf reads a row. Whatever stands in it means something: rows are written by
// whoever may write to the state folder, and can hold others up, no more.
func rowOf(b []byte) (r row) {
	r.state = min(state(b[0]), finishing)
	r.since = time.Duration(binary.LittleEndian.Uint64(b[8:]))
	r.seen = time.Duration(binary.LittleEndian.Uint64(b[16:]))
	r.used = time.Duration(binary.LittleEndian.Uint64(b[24:]))
	copy(r.digest[:], b[32+copy(r.owner[:], b[32:32+ownerSize]):])
	return r
}

// silence is how long a row is believed whose owner does not look any more: its process
// is stopped, by a terminal or a debugger. Nobody waits for it longer.
const silence = 5 * time.Second

// alive returns the rows that are believed, and where own is among them.
func alive(rows []row, own int) ([]row, int) {
	var some []row
	at := 0
	for i, r := range rows {
		if i == own {
			at = len(some)
		} else if r.seen+silence < rows[own].seen {
			continue
		}
		some = append(some, r)
	}
	return some, at
}

// level grows with what a compilation has taken: those that took less go first. So a
// short one never waits for a long one to end, and the long ones share what is left.
func (r row) level() int {
	for i, t := range [...]time.Duration{250 * time.Millisecond, time.Second, 4 * time.Second} {
		if r.used < t {
			return i
		}
	}
	return 3
}

// plan says what each row should do: run, or not. rows are all that are believed. Of
// equal digests only the first one counts. One place is for whoever came first of all,
// so everybody comes to his end. The other is for short ones: those of the lowest level,
// where each owner has one turn before any has a second.
func plan(rows []row) (run []bool, first []bool) {
	run, first = make([]bool, len(rows)), make([]bool, len(rows))
	order := make([]int, len(rows))
	for i := range rows {
		order[i] = i
	}
	// Those that were started before those that were not: it is they that compile a
	// digest.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(begun(rows[b]), begun(rows[a])), cmp.Compare(rows[a].since, rows[b].since), cmp.Compare(a, b))
	})
	digests := map[abi.Digest]bool{}
	var able []int
	for _, i := range order {
		if first[i] = !digests[rows[i].digest]; first[i] {
			digests[rows[i].digest] = true
			if rows[i].state != finishing {
				able = append(able, i)
			}
		}
	}
	slices.SortStableFunc(able, func(a, b int) int { return cmp.Compare(rows[a].since, rows[b].since) })
	turns := map[[ownerSize]byte]int{}
	turn := make([]int, len(rows)) // how many of the same owner came before
	for _, i := range able {
		turn[i] = turns[rows[i].owner]
		turns[rows[i].owner]++
	}
	if len(able) == 0 {
		return run, first
	}
	run[able[0]] = true // who came first of all
	able = able[1:]
	slices.SortStableFunc(able, func(a, b int) int {
		return cmp.Or(cmp.Compare(rows[a].level(), rows[b].level()), cmp.Compare(turn[a], turn[b]))
	})
	for _, i := range able[:min(places-1, len(able))] {
		run[i] = true
	}
	return run, first
}

func begun(r row) int {
	if r.state == waiting {
		return 0
	}
	return 1
}

// next is what the compilation of row own is to do now, and whether it is the first
// of its digest. Places are given up before others take them. At most most have been
// started and not ended: those that run, and paused ones, which hold memory.
func next(rows []row, own, most int) (state, bool) {
	run, first := plan(rows)
	me := rows[own]
	if me.state == finishing || !first[own] {
		return me.state, first[own]
	}
	active, started, wanting := 0, 0, false
	for i, r := range rows {
		if r.state == running {
			active++
		}
		if r.state == running || r.state == paused {
			started++
		}
		wanting = wanting || run[i] && r.state == waiting
	}
	switch {
	case run[own] && me.state == running:
		return running, true
	case run[own] && active < places && (me.state == paused || started < most):
		return running, true
	case run[own]:
		return me.state, true
	case wanting && started >= most && victim(rows, run) == own:
		return waiting, true // what it has done is lost; it holds memory that another needs
	case me.state == running:
		return paused, true
	}
	return me.state, true
}

// victim is the compilation that is taken back where too many were started: of those
// that are not to run the one that took most.
func victim(rows []row, run []bool) int {
	v := -1
	for i, r := range rows {
		if !run[i] && (r.state == paused || r.state == running) && (v < 0 || r.used > rows[v].used) {
			v = i
		}
	}
	return v
}

// ownerOf is how a workload stands in a row.
func ownerOf(digest abi.Digest) (o [ownerSize]byte) {
	copy(o[:], digest[:])
	return o
}
