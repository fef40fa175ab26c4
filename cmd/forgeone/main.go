// Command forgeone runs WebAssembly that its operator does not trust.
package main

import (
	"os"

	"github.com/forgeone/forgeone/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
