package forgeone_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// Example runs a module that nobody vouches for, and shows what it was denied,
// that its run can be repeated, and that the log verifies. A program calls
// forgeone.Main() first in main.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "forgeone-example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// A module of a few bytes that tries to open a file, again and again.
	plugin := filepath.Join(dir, "plugin.wasm")
	if err := os.WriteFile(plugin, wasmtest.Guests()["deny"], 0o600); err != nil {
		log.Fatal(err)
	}

	node, err := forgeone.Open(ctx, forgeone.Options{Home: filepath.Join(dir, "state"), Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	res, err := node.Run(ctx, forgeone.RunSpec{Target: plugin, Stdout: os.Stdout})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %d calls, %d denied\n", res.Outcome, res.Calls, res.Denials)
	for _, d := range res.Denied {
		fmt.Printf("%s %s: %s\n", d.Action, d.Name, d.Reason)
	}

	again, err := node.Replay(ctx, res.Run, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("identical:", again.Identical)
	if _, err := node.Verify(ctx); err == nil {
		fmt.Println("the log verifies")
	}
	// Output:
	// exit, 100 calls, 100 denied
	// path_open /secret: no grant
	// identical: true
	// the log verifies
}
