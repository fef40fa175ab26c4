package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/box"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/compile"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasm"
)

// Version is ForgeOne's version.
const Version = "0.1.0"

// Options say how to open a kernel.
type Options struct {
	Home    string           // the state folder
	Unlock  string           // file with the passphrase or age identity, where the keys are encrypted
	Modules []string         // modules wanted, with what they need; nil: all
	Warn    func(msg string) // gets warnings for people; may be nil
	Now     func() time.Time // nil: time.Now
	Box     string           // binary whose children compile; "": this program's
	// Register is the folder of the register of state folders; empty: the user's own.
	// Only tests have another.
	Register string

	vault *keys.Vault // the keys, opened already; nil: they are opened with Unlock
}

// Kernel is a booted kernel. Its methods may be called from several goroutines.
// Locks nest in this order: a transaction of the log, then the ledger's lock,
// which is a leaf, as the lock of watch is.
type Kernel struct {
	home    Home
	boxPath string
	plan    []Module // what is started
	warn    func(string)
	now     func() time.Time

	vault    *keys.Vault
	keys     *keys.Local
	config   *config.Config
	ledger   *ledger
	log      *evidence.Log
	base     policy.Source
	engine   *wasm.Engine
	compiler *compile.Outside // nil where this program has no box
	cache    *wasm.Cache
	caps     rewrite.Caps

	modules    moduleSet
	watch      watch
	registered registered
}

// Open boots a kernel on an existing state folder.
func Open(ctx context.Context, o Options) (*Kernel, error) {
	return boot(ctx, Graph(), o)
}

// boot starts the wanted modules of graph in order. What was started is closed
// again when one fails.
func boot(ctx context.Context, graph []Module, o Options) (*Kernel, error) {
	plan, err := Plan(graph, o.Modules)
	if err != nil {
		return nil, err
	}
	k := &Kernel{home: Home(o.Home), boxPath: o.Box, vault: o.vault, warn: o.Warn, now: o.Now}
	if k.vault == nil {
		k.vault = keys.NewVault(k.home.Keys(), o.Unlock)
	}
	if k.warn == nil {
		k.warn = func(string) {}
	}
	if k.now == nil {
		k.now = time.Now
	}
	k.registered.Register = register.At(o.Register)
	for _, p := range []string{o.Unlock, o.Box} {
		if p != "" {
			k.registered.own = append(k.registered.own, p)
		}
	}
	k.plan = plan
	for _, m := range plan {
		if err := m.start(ctx, k); err != nil {
			k.Close(ctx)
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return k, nil
}

// Home returns the state folder.
func (k *Kernel) Home() Home { return k.home }

// Config returns the configuration in force. It is immutable.
func (k *Kernel) Config() *config.Config { return k.config }

// View calls f with the folded state, which f must not keep or change.
func (k *Kernel) View(f func(*brain.State)) { k.ledger.view(f) }

// Refresh catches up with what other processes did on the same state folder.
func (k *Kernel) Refresh(ctx context.Context) error { return k.log.Refresh(ctx) }

// Keys returns the node's own keys.
func (k *Kernel) Keys() *keys.Local { return k.keys }

// Close frees what was started, last first. No run may be under way.
func (k *Kernel) Close(ctx context.Context) error {
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	if k.engine != nil {
		keep(k.engine.Close(ctx))
	}
	if k.log != nil {
		keep(k.log.Close())
	}
	keep(k.registered.close())
	return first
}

func startHome(_ context.Context, k *Kernel) error {
	if err := checkHome(string(k.home)); err != nil {
		return err
	}
	k.noteSelf()
	return nil
}

// checkHome checks that the state folder is there and nobody else's to write to.
func checkHome(home string) error {
	if home == "" {
		return &abi.Error{Code: "F1-CFG-055", What: "no state folder is named: neither FORGEONE_HOME nor XDG_STATE_HOME nor HOME is set", Hint: "export FORGEONE_HOME=/var/lib/forgeone"}
	}
	st, err := os.Stat(home)
	switch {
	case os.IsNotExist(err):
		return &abi.Error{Code: "F1-CFG-050", What: "there is no state folder yet", Where: home, Hint: "forgeone init"}
	case err != nil:
		return &abi.Error{Code: "F1-CFG-051", What: "the state folder can't be read", Where: home, Err: err, Hint: "forgeone doctor"}
	case !st.IsDir():
		return &abi.Error{Code: "F1-CFG-051", What: "the state folder is not a folder", Where: home, Hint: "forgeone init --home ANOTHER"}
	case st.Mode().Perm()&0o022 != 0:
		return &abi.Error{Code: "F1-CFG-052", What: "others may write to the state folder", Where: home, Hint: "chmod go-w " + abi.Shell(home)}
	}
	return owned(home, st)
}

// owned checks that a file or folder belongs to the user that this process acts as.
func owned(path string, st os.FileInfo) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || int(sys.Uid) == os.Geteuid() {
		return nil
	}
	return &abi.Error{
		Code: "F1-CFG-056", What: fmt.Sprintf("it belongs to user %d, and this is user %d", sys.Uid, os.Geteuid()), Where: path,
		Hint: fmt.Sprintf("sudo -u '#%d' forgeone doctor", sys.Uid),
	}
}

func startKeys(_ context.Context, k *Kernel) (err error) {
	k.keys, err = k.vault.Open()
	return err
}

func startBrain(_ context.Context, k *Kernel) error {
	k.ledger = newLedger()
	return nil
}

// startEngine makes what compiles and runs. Whether there is a box is told by the
// first module that is to be compiled: what reads the log needs none.
func startEngine(_ context.Context, k *Kernel) error {
	b, err := box.New(k.boxPath)
	if !errors.Is(err, box.ErrNotReady) {
		c := compile.Config{Queue: k.home.Compiling(), Memory: k.config.CompileMemory(), Deadline: k.config.CompileDeadline(), Box: b}
		if err != nil {
			c.Box, c.NoBox = nil, err // whoever compiles nothing needs none
		}
		k.compiler = compile.New(c)
	}
	k.cache = wasm.NewCache(k.home.Cache(), k.keys.Cache, k.refusing())
	k.modules.m, k.modules.admitted = map[abi.Digest]*compilation{}, map[[32]byte]admission{}
	k.engine = wasm.New(k.cache, k.outside())
	return nil
}

// refusing is what a module is refused under at once that could not be compiled: this
// configuration, this version, and as much memory as there is here.
func (k *Kernel) refusing() abi.Digest {
	d, given := k.config.Digest(), uint64(0)
	if k.compiler != nil {
		given = k.compiler.Given()
	}
	return seal.Sum("forgeone/refusing/v1", fmt.Appendf(d[:], "%s %d", Version, given))
}

// outside is what compiles, nil where there is nothing.
func (k *Kernel) outside() wasm.Outside {
	if k.compiler == nil {
		return nil
	}
	return k.compiler
}

// Main makes this process a child that compiles, if it was started as one, and does
// not return then. Package main calls it first.
func Main() { box.Main(compile.Jobs()...) }
