package kernel

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forgeone/forgeone/internal/box"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/sys"
)

// registered is a kernel's view of what its user has registered: the state folders
// that guests are kept from.
type registered struct {
	*register.Register
	own []string // files of this process that are kept beside the state folder
	err error    // the state folder could not be noted

	mu      sync.Mutex                  // held while the register is read
	counter atomic.Pointer[sys.Counter] // rises with each change; nil: not asked for yet, or there is none
	now     atomic.Pointer[knownAt]
}

// knownAt is what was registered when the counter stood at value.
type knownAt struct {
	value uint64
	known *host.Known
	err   error // the register can't be read: everything is kept
}

// parts names the folders of a state folder whose files a guest is kept from, by
// whatever other way it might come to them.
func (h Home) parts() []string {
	return []string{"keys", "log", "recordings", "packages", "policies", "modules", "cache", "cache/tiles"}
}

// noteHome makes sure that the state folder and the files beside it stand in the
// register: the executable, which a next process runs, and those of unlock, which open
// the keys.
func noteHome(r *register.Register, h Home, unlock ...string) error {
	things, err := register.Describe(string(h), h.parts()...)
	for _, p := range append([]string{box.Executable()}, unlock...) {
		if p == "" || err != nil {
			continue
		}
		var t []register.Thing
		t, err = register.Describe(p)
		things = append(things, t...)
	}
	if err != nil {
		return err
	}
	return r.Note(things)
}

// noteSelf notes the state folder. That it can't be is an error for what runs
// guests only: a full disk keeps nobody from verifying or pruning.
func (k *Kernel) noteSelf() {
	err := noteHome(k.registered.Register, k.home, k.registered.own...)
	k.registered.err = err
	for _, m := range k.plan {
		if m.Name == ModRegister {
			return // it will tell
		}
	}
	if err != nil && !errors.Is(err, register.ErrNowhere) {
		k.warn(err.Error())
	}
}

// startRegister insists on the state folder being registered. Where no register can
// be made at all, nobody can have made one either: then it goes on.
func startRegister(_ context.Context, k *Kernel) error {
	if errors.Is(k.registered.err, register.ErrNowhere) {
		k.warn("this state folder is not kept from guests of other processes: " + k.registered.err.Error())
		return nil
	}
	return k.registered.err
}

// keep says what the guests of this kernel are kept from, for grants that are opened
// now. While they are open it is asked what has come since; what can't be known any
// more is then all that there is.
func (k *Kernel) keep() (host.Keep, error) {
	r := &k.registered
	r.Occupy()
	paths := append(k.home.folders(), k.home.Log())
	for _, p := range append(append(r.Folders(), box.Executable()), r.own...) {
		if p != "" {
			paths = append(paths, p)
		}
	}
	r.mu.Lock()
	if r.counter.Load() == nil {
		r.counter.Store(r.Counter())
		r.now.Store(nil) // without one, what has changed since the last run is seen now or never
	}
	r.mu.Unlock()
	k.known()
	return host.Keep{Paths: paths, Known: k.known}, r.now.Load().err
}

// known is what is registered now. It costs a look at a number that the processes
// share.
func (k *Kernel) known() *host.Known {
	r := &k.registered
	var value uint64
	if c := r.counter.Load(); c != nil {
		value = c.Load()
	}
	if n := r.now.Load(); n != nil && n.value == value && value != sys.Lost {
		return n.known
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.now.Load(); n != nil && n.value == value && value != sys.Lost {
		return n.known
	}
	things, err := r.Load()
	known := new(host.Known)
	if err != nil {
		k.warn(err.Error())
		known = host.AllKept()
	}
	for i := range things {
		addThing(known, &things[i])
	}
	r.now.Store(&knownAt{value, known.Settle(), err})
	return known
}

func addThing(k *host.Known, t *register.Thing) {
	var above []host.Number
	for _, id := range t.Above {
		above = append(above, number(id))
	}
	k.Add(t.Path, number(t.ID), above)
	for _, p := range t.Parts {
		k.Add(t.Path+"/"+p.Name, number(p.ID), nil) // what leads to the thing leads to it
	}
}

func number(id sys.Identity) host.Number { return host.Number{Ino: id.Ino, Birth: id.Birth} }

// linksPatience is how long a run waits for others that make links or move folders. They
// are at it for a moment, unless their process is stopped.
const linksPatience = 5 * time.Second

// links is a provider.Links among all runs of this user.
func (r *registered) links(alone bool, done <-chan struct{}) (release func()) {
	return r.Links(alone, done, linksPatience)
}

// close gives up the view.
func (r *registered) close() error {
	c := r.counter.Load()
	if c == nil {
		return nil
	}
	return c.Close()
}
