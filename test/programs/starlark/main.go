// Command starlark runs a script: starlark FILE. The program of the package reads
// lines from terminals, for which nothing is there on wasip1.
package main

import (
	"fmt"
	"os"

	"go.starlark.net/lib/json"
	"go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

func main() {
	names := starlark.StringDict{"json": json.Module, "math": math.Module}
	thread := &starlark.Thread{Name: "main", Print: func(_ *starlark.Thread, s string) { fmt.Println(s) }}
	if _, err := starlark.ExecFileOptions(&syntax.FileOptions{TopLevelControl: true}, thread, os.Args[1], nil, names); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
