package brain

import (
	"fmt"
	"sort"
	"sync"

	"github.com/forgeone/forgeone/abi"
)

// Pages reads pages of a snapshot back, as Snapshot.Write gave them, followed by
// zeros perhaps. It must be safe for concurrent use; what it returns is not
// changed.
type Pages interface {
	Page(n uint64) ([]byte, error)
}

// runTable holds every run of the log, numbered in the order of their starts.
// Those of a snapshot stay in its pages until somebody asks; in memory are those
// that were open when it was taken, those that changed, and those that came since.
type runTable struct {
	pages Pages  // nil: there is no snapshot
	base  uint64 // runs in pages

	reopened map[uint64]*run // by number: of the pages, open then or changed since
	late     []run           // from number base on
	inMemory map[uint64]uint64

	fault *failure
}

// failure is the first error of reading a page. Queries meet it, which are many
// at once.
type failure struct {
	mu  sync.Mutex
	err error
}

func newRunTable() runTable {
	return runTable{reopened: map[uint64]*run{}, inMemory: map[uint64]uint64{}, fault: &failure{}}
}

func (t *runTable) count() uint64 { return t.base + uint64(len(t.late)) }

// add takes in a run that has just started.
func (t *runTable) add(u run) {
	t.inMemory[u.id] = t.count()
	t.late = append(t.late, u)
}

// held returns the run with this id if it is in memory, as open ones always
// are; else nil. It may be changed until the next call of add.
func (t *runTable) held(id uint64) *run {
	n, ok := t.inMemory[id]
	switch {
	case !ok:
		return nil
	case n >= t.base:
		return &t.late[n-t.base]
	}
	return t.reopened[n]
}

// number finds a run by its id.
func (t *runTable) number(id uint64) (n uint64, ok bool, err error) {
	if n, ok = t.inMemory[id]; ok || t.base == 0 {
		return n, ok, nil
	}
	at, err := t.search(id)
	if err != nil || at == t.base {
		return 0, false, err
	}
	got, n, err := t.indexed(at)
	return n, err == nil && got == id, err
}

// at returns run number n of the table.
func (t *runTable) at(n uint64, workloads []*Workload) (run, error) {
	if n >= t.count() {
		return run{}, t.fail(fmt.Errorf("the snapshot names run %d of %d", n, t.count()))
	}
	if n >= t.base {
		return t.late[n-t.base], nil
	}
	if u := t.reopened[n]; u != nil {
		return *u, nil
	}
	b, err := t.page(n/pageRuns, int(n%pageRuns+1)*runSize)
	if err != nil {
		return run{}, err
	}
	u, w := decodeRun(b[n%pageRuns*runSize:])
	if uint64(w) >= uint64(len(workloads)) {
		return run{}, t.fail(fmt.Errorf("run %d of the snapshot is of no workload", n))
	}
	u.workload = workloads[w]
	return u, nil
}

// touch returns run number n of the table to be changed, until the next call of
// add.
func (t *runTable) touch(n uint64, workloads []*Workload) (*run, error) {
	if n >= t.base && n < t.count() {
		return &t.late[n-t.base], nil
	}
	if u := t.reopened[n]; u != nil {
		return u, nil
	}
	u, err := t.at(n, workloads)
	if err != nil {
		return nil, err
	}
	t.reopened[n], t.inMemory[u.id] = &u, n
	return &u, nil
}

// search returns the place in the index of the first run whose id is id or above,
// base if there is none.
func (t *runTable) search(id uint64) (uint64, error) {
	var failed error
	at := sort.Search(int(t.base), func(i int) bool {
		if failed != nil {
			return true
		}
		got, _, err := t.indexed(uint64(i))
		failed = err
		return got >= id
	})
	return uint64(at), failed
}

// indexed returns an entry of the index, which is in order of ids.
func (t *runTable) indexed(at uint64) (id, n uint64, err error) {
	b, err := t.page(runPages(t.base)+at/pageIndexed, int(at%pageIndexed+1)*indexSize)
	if err != nil {
		return 0, 0, err
	}
	if id, n = decodeIndexed(b[at%pageIndexed*indexSize:]); n >= t.base {
		return 0, 0, t.fail(fmt.Errorf("the index of the snapshot names run %d of %d", n, t.base))
	}
	return id, n, nil
}

// page returns a page of at least size bytes.
func (t *runTable) page(n uint64, size int) ([]byte, error) {
	b, err := t.pages.Page(n)
	if err == nil && len(b) < size {
		err = fmt.Errorf("page %d of the snapshot has %d bytes", n, len(b))
	}
	if err != nil {
		return nil, t.fail(err)
	}
	return b, nil
}

func (t *runTable) fail(err error) error {
	t.fault.mu.Lock()
	defer t.fault.mu.Unlock()
	if t.fault.err == nil {
		t.fault.err = &abi.Error{Code: abi.CodeBrainPages, What: "runs of the snapshot can't be read back", Err: err}
	}
	return t.fault.err
}

// Err is the first error of reading back runs that a snapshot holds, nil if there
// was none. After it, answers about runs may be incomplete, and runs don't start.
func (s *State) Err() error {
	s.runs.fault.mu.Lock()
	defer s.runs.fault.mu.Unlock()
	return s.runs.fault.err
}
