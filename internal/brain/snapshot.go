package brain

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
)

// snapshotVersion changes with the meaning of a head or of pages.
const snapshotVersion = 2

// Pages of a snapshot: first runs in order of start, then their index in order
// of id. Integers are little-endian.
const (
	// PageSize bounds a page, in bytes.
	PageSize = 4080

	runSize     = 144
	indexSize   = 12
	pageRuns    = PageSize / runSize
	pageIndexed = PageSize / indexSize
)

// head is what is read when a state is restored: all but the runs that ended.
// Every list is in an order that the log alone decides, so a log has one
// snapshot at each size.
type head struct {
	_         struct{} `cbor:",toarray"`
	Version   uint64
	Size      uint64
	Genesis   abi.Genesis
	Config    abi.Config
	Policy    abi.Policy
	Keys      list[KeyEntry]
	Ring      uint64
	Threshold uint64
	Revoked   list[RevokedKey]
	Witnesses abi.WitnessSet
	Withdrawn list[Revocation] // by digest; of one digest in order of record
	Lists     list[revocationList]
	Packages  list[Package]
	Serials   list[serial]
	Workloads list[workload]
	Runs      uint64
	Open      list[opened]
	Pending   list[abi.TrustChange]
	Last      uint64   // number of the run that ended last, plus 1
	Dropped   []uint64 // ids of the runs whose recordings were dropped last, in order
}

// revocationList is a RevocationList with what it hides.
type revocationList struct {
	_    struct{} `cbor:",toarray"`
	List RevocationList
	Head []byte
}

type serial struct {
	_      struct{} `cbor:",toarray"`
	Name   string
	Serial uint64
}

// workload is a Workload; its number is its place.
type workload struct {
	_        struct{} `cbor:",toarray"`
	Name     string
	Trust    abi.Trust
	Standing abi.Standing
	Cause    uint64
	Kept     uint64
	Held     uint64
	Oldest   uint64
	Newest   uint64
}

// opened is a run that has not ended.
type opened struct {
	_        struct{} `cbor:",toarray"`
	Number   uint64
	ID       uint64
	Start    uint64
	Started  int64
	Workload uint64
	Conduct  uint8
	Denied   list[denial]
	Stop     *abi.RunStop
	Stopped  uint64 // record of Stop
	Hold     uint64
}

// list is a list in pieces: the codec bounds how long an array may be.
type list[T any] [][]T

const piece = 1 << 12

func listOf[T any](all []T) (l list[T]) {
	for c := range slices.Chunk(all, piece) {
		l = append(l, c)
	}
	return l
}

// sorted returns the values of m in the order of their keys.
func sorted[K cmp.Ordered, V, T any](m map[K]V, f func(K, V) T) list[T] {
	all := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, f(k, m[k]))
	}
	return listOf(all)
}

// Snapshot is a state at one moment. It stays as it is while the State goes on,
// and may be used on another goroutine.
type Snapshot struct {
	head  []byte
	old   runTable // of which only the pages are used
	again map[uint64]run
	late  []run
}

// Snapshot takes a snapshot of s. It costs what is in memory: not the runs that
// ended before the snapshot that s was restored from.
func (s *State) Snapshot() (*Snapshot, error) {
	h := head{
		Version: snapshotVersion, Size: s.size, Genesis: s.genesis, Config: s.config, Policy: s.policy,
		Keys: listOf(s.Keys()), Packages: listOf(s.Packages()), Pending: listOf(s.pending), Runs: s.runs.count(),
		Serials: sorted(s.serials, func(name string, n uint64) serial { return serial{Name: name, Serial: n} }),
		Open:    s.openRuns(), Ring: s.ring, Threshold: s.threshold, Revoked: listOf(s.RevokedKeys()), Witnesses: s.witnesses,
		Withdrawn: s.allWithdrawn(), Last: uint64(s.keep.last), Dropped: s.keep.dropped,
	}
	var lists []revocationList
	for _, l := range s.RevocationLists() {
		lists = append(lists, revocationList{List: l, Head: l.head})
	}
	h.Lists = listOf(lists)
	workloads := make([]workload, len(s.numbered))
	for i, w := range s.numbered {
		workloads[i] = workload{Name: w.Name, Trust: w.Trust, Standing: w.Standing, Cause: w.Cause, Kept: w.kept, Held: w.held, Oldest: uint64(w.oldest), Newest: uint64(w.newest)}
	}
	h.Workloads = listOf(workloads)
	b, err := codec.Marshal(h)
	if err != nil {
		return nil, err
	}
	p := &Snapshot{head: b, old: runTable{pages: s.runs.pages, base: s.runs.base, fault: &failure{}}, again: map[uint64]run{}, late: slices.Clone(s.runs.late)}
	for n, u := range s.runs.reopened {
		p.again[n] = *u
	}
	return p, nil
}

func (s *State) allWithdrawn() list[Revocation] {
	var all []Revocation
	for _, d := range slices.SortedFunc(maps.Keys(s.withdrawn), func(a, b abi.Digest) int { return slices.Compare(a[:], b[:]) }) {
		all = append(all, s.withdrawn[d]...)
	}
	return listOf(all)
}

func (s *State) openRuns() list[opened] {
	var all []opened
	for id, o := range s.open {
		u := s.runs.held(id)
		all = append(all, opened{
			Number: s.runs.inMemory[id], ID: id, Start: u.start, Started: u.started, Workload: uint64(u.workload.number),
			Conduct: o.conduct, Denied: listOf(o.denied), Stop: o.stop, Stopped: u.stop, Hold: u.hold,
		})
	}
	slices.SortFunc(all, func(a, b opened) int { return cmp.Compare(a.Number, b.Number) })
	return listOf(all)
}

// Head is what Restore needs, and what must be authentic.
func (p *Snapshot) Head() []byte { return p.head }

// Pages is the number of pages.
func (p *Snapshot) Pages() uint64 {
	n := p.old.base + uint64(len(p.late))
	return runPages(n) + indexPages(n)
}

// Write gives every page to put, in order, each of at most PageSize bytes. put
// must not keep it. Errors are of put, or of reading older pages.
func (p *Snapshot) Write(put func(page []byte) error) error {
	if err := p.writeRuns(put); err != nil {
		return err
	}
	return p.writeIndex(put)
}

func (p *Snapshot) writeRuns(put func([]byte) error) error {
	buf, had := make([]byte, 0, PageSize), []byte(nil)
	for n, count := uint64(0), p.old.base+uint64(len(p.late)); n < count; n++ {
		at := n % pageRuns
		if at == 0 && n < p.old.base {
			var err error
			if had, err = p.old.page(n/pageRuns, int(min(pageRuns, p.old.base-n))*runSize); err != nil {
				return err
			}
		}
		if u, ok := p.again[n]; ok {
			buf = appendRun(buf, &u)
		} else if n >= p.old.base {
			buf = appendRun(buf, &p.late[n-p.old.base])
		} else {
			buf = append(buf, had[at*runSize:(at+1)*runSize]...)
		}
		if at == pageRuns-1 || n == count-1 {
			if err := put(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

// writeIndex merges the index there is with that of the late runs.
func (p *Snapshot) writeIndex(put func([]byte) error) error {
	type entry struct{ id, n uint64 }
	added := make([]entry, len(p.late))
	for i := range p.late {
		added[i] = entry{p.late[i].id, p.old.base + uint64(i)}
	}
	slices.SortFunc(added, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	buf := make([]byte, 0, PageSize)
	add := func(e entry) error {
		if buf = appendIndexed(buf, e.id, e.n); len(buf)+indexSize <= PageSize {
			return nil
		}
		err := put(buf)
		buf = buf[:0]
		return err
	}
	for at := range p.old.base {
		id, n, err := p.old.indexed(at)
		for err == nil && len(added) > 0 && added[0].id < id {
			err = add(added[0])
			added = added[1:]
		}
		if err == nil {
			err = add(entry{id, n})
		}
		if err != nil {
			return err
		}
	}
	for _, e := range added {
		if err := add(e); err != nil {
			return err
		}
	}
	if len(buf) > 0 {
		return put(buf)
	}
	return nil
}

func runPages(runs uint64) uint64   { return (runs + pageRuns - 1) / pageRuns }
func indexPages(runs uint64) uint64 { return (runs + pageIndexed - 1) / pageIndexed }

func appendRun(b []byte, u *run) []byte {
	le := binary.LittleEndian
	for _, v := range []uint64{u.id, u.start, u.end, uint64(u.started), uint64(u.ended), u.calls, u.denials} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, u.workload.number)
	b = le.AppendUint32(b, u.exit)
	b = le.AppendUint64(b, uint64(u.outcome))
	b = append(b, u.seal[:]...)
	for _, v := range []uint64{u.size, u.stop, u.hold, u.drop} {
		b = le.AppendUint64(b, v)
	}
	return le.AppendUint32(le.AppendUint32(b, u.prev), u.next)
}

// decodeRun reads what appendRun wrote; the workload is given by its number.
func decodeRun(b []byte) (u run, workload uint32) {
	le := binary.LittleEndian
	u = run{
		id: le.Uint64(b), start: le.Uint64(b[8:]), end: le.Uint64(b[16:]), started: int64(le.Uint64(b[24:])), ended: int64(le.Uint64(b[32:])),
		calls: le.Uint64(b[40:]), denials: le.Uint64(b[48:]), exit: le.Uint32(b[60:]), outcome: abi.Outcome(b[64]),
		size: le.Uint64(b[104:]), stop: le.Uint64(b[112:]), hold: le.Uint64(b[120:]), drop: le.Uint64(b[128:]),
		prev: le.Uint32(b[136:]), next: le.Uint32(b[140:]),
	}
	copy(u.seal[:], b[72:])
	return u, le.Uint32(b[56:])
}

func appendIndexed(b []byte, id, n uint64) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(b, id), uint32(n))
}

func decodeIndexed(b []byte) (id, n uint64) {
	return binary.LittleEndian.Uint64(b), uint64(binary.LittleEndian.Uint32(b[8:]))
}
