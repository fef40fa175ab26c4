// Command embed runs a WebAssembly module that it does not trust. It is a module
// of its own, as a program of yours would be. The guest finds the folder given
// as /data and can read it; whatever else it asks for is denied, and said.
//
//	go run . guest.wasm ./folder
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/forgeone/forgeone"
)

func main() {
	forgeone.Main() // first: modules are compiled in children of this binary
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: embed MODULE.wasm FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "error[%s]: %v\n", forgeone.CodeOf(err), err)
		os.Exit(1)
	}
}

func run(ctx context.Context, module, folder string, out io.Writer) error {
	home, err := os.MkdirTemp("", "embed-*") // a real program keeps its state folder
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	node, err := forgeone.Open(ctx, forgeone.Options{Home: home, Create: true})
	if err != nil {
		return err
	}
	defer node.Close()

	res, err := node.Run(ctx, forgeone.RunSpec{
		Target: module,
		Mounts: []forgeone.Mount{{Host: folder, Guest: "/data"}},
		Limits: forgeone.Limits{Fuel: 5_000_000_000, Memory: 128 << 20},
		Stdout: out,
		Stderr: os.Stderr,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "run: %s, exit code %d, %d calls, %d denied\n", res.Outcome, res.Exit, res.Calls, res.Denials)
	for _, d := range res.Denied {
		fmt.Fprintf(out, "denied: %s %q: %s\nhint: %s\n", d.Action, d.Name, d.Reason, d.Hint)
	}

	again, err := node.Replay(ctx, res.Run, nil, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "replay: identical %v, end %s\n", again.Identical, again.Replayed.Short())

	log, err := node.Verify(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "log: %d records verify with %s\n", log.Records, node.PublicKey()[:20])
	return nil
}
