// Package forgeone runs WebAssembly that its operator does not trust, inside
// another program, and can prove afterwards what that code did. It is the
// library behind the forgeone command:
//
//	func main() {
//		forgeone.Main() // first: see there
//		...
//	}
//
//	node, err := forgeone.Open(ctx, forgeone.Options{Home: dir, Create: true})
//	...
//	defer node.Close()
//	res, err := node.Run(ctx, forgeone.RunSpec{
//		Target: "plugin.wasm",
//		Mounts: []forgeone.Mount{{Host: "./in", Guest: "/in"}},
//		Stdout: os.Stdout,
//	})
//
// A guest can do nothing that was not granted and that policy does not allow.
// Every call is decided and recorded; a run stands in the signed evidence log
// before its first instruction, and its end before Run returns. Node.Replay runs
// it again from its recording, bit for bit and without any effect. Node.Verify
// checks the log, and VerifyLog does so offline, with a public key alone.
//
// Errors are *Error with a stable code, which `forgeone explain` knows. Packages
// are made with package forgepkg; auditors need package evidence only.
package forgeone

import (
	"context"
	"os"
	"sync"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
)

// Version is ForgeOne's version.
const Version = kernel.Version

// Main makes this program's binary one that compiles for its nodes. Call it first in
// main: nodes start children of the binary, in which Main does their one job and ends
// the process. In any other process it does nothing and returns at once.
//
// A module's code is hostile, and the compiler that reads it is large. So modules are
// compiled in a process that has nothing but what it is handed: on Linux no file, no
// network, no other program (Landlock and seccomp, where the kernel has them), bounded
// memory and processor time; elsewhere a process of its own. It ends with its parent.
// What stands before Main, initialization of packages too, runs in children as well.
func Main() { kernel.Main() }

// Options say which state folder a node works on, and how.
type Options struct {
	// Home is the state folder: keys, signed configuration, evidence log,
	// recordings. Empty means the command's: $FORGEONE_HOME, else forgeone under
	// $XDG_STATE_HOME, else ~/.local/state/forgeone.
	Home string
	// Create makes the state folder, as `forgeone init` does, where there is
	// none or it is incomplete. What is there stays. Without Create a missing
	// folder is the error F1-CFG-050.
	Create bool
	// Config is the text of the configuration, in YAML, that Create signs and
	// puts in force; nil means the one in force, the default in a new folder.
	// It is ignored without Create.
	Config []byte
	// Unlock names the file with the passphrase (its first line) or the age
	// identity that opens the private keys, where they are encrypted. Empty means
	// the command's: $FORGEONE_UNLOCK.
	Unlock string
	// Box names a binary whose children compile modules, one that calls Main first in
	// main: the forgeone command, say. Empty means this program's own. No guest reaches
	// it. Without either nothing is compiled (F1-RUN-168), and only what the state
	// folder holds in compiled form can run; all that runs no guest works.
	Box string
	// Warn gets warnings for people, a line each. It may be called from several
	// goroutines; nil drops them.
	Warn func(msg string)
}

// Node is an open state folder. Several nodes, in one process or in many, may
// have the same folder open at once. Its methods may be called from several
// goroutines.
type Node struct {
	k *kernel.Kernel

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // those under way; added to under mu while not closed
}

// Open opens a node. The caller closes it.
//
// What a crash left behind is mended and recorded: an uncommitted tail of the
// log is moved aside, runs whose process died are closed as aborted.
func Open(ctx context.Context, o Options) (*Node, error) {
	if o.Home == "" {
		o.Home = kernel.DefaultHome(os.Getenv)
	}
	if o.Unlock == "" {
		o.Unlock = os.Getenv("FORGEONE_UNLOCK")
	}
	if o.Create {
		if _, err := kernel.Init(ctx, kernel.InitOptions{Home: o.Home, File: "Options.Config", Text: o.Config, Unlock: o.Unlock}); err != nil {
			return nil, err
		}
	}
	k, err := kernel.Open(ctx, kernel.Options{Home: o.Home, Unlock: o.Unlock, Box: o.Box, Warn: o.Warn})
	if err != nil {
		return nil, err
	}
	return &Node{k: k}, nil
}

// Home returns the state folder.
func (n *Node) Home() string { return string(n.k.Home()) }

// PublicKey returns the key that signs the node's log now, as the text that
// VerifyLog and evidence.ParsePublicKey take. Keep a copy of it elsewhere, and of
// each that follows: a key that lies beside the log proves nothing.
func (n *Node) PublicKey() string { return n.k.LogKey().String() }

// Close waits for calls under way to end, lets go of the state folder and frees
// what the node holds. Cancel their contexts to make it quick. Closing again
// does nothing.
func (n *Node) Close() error {
	n.mu.Lock()
	was := n.closed
	n.closed = true
	n.mu.Unlock()
	n.calls.Wait()
	if was {
		return nil
	}
	return n.k.Close(context.Background())
}

// enter begins a call on the node. leave ends it.
func (n *Node) enter() (leave func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, &abi.Error{Code: evidence.CodeClosed, What: "the node is closed", Where: n.Home()}
	}
	n.calls.Add(1)
	return n.calls.Done, nil
}
