// Command forgeone runs WebAssembly that its operator does not trust.
package main

import (
	"os"

	"github.com/forgeone/forgeone"
	"github.com/forgeone/forgeone/internal/cli"
)

func main() {
	forgeone.Main() // children that compile end here
	os.Exit(cli.Main(os.Args[1:]))
}
