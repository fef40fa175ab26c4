//go:build programs

// Package programs pins the real programs that tests build for wasip1 and run
// as guests.
package programs

import (
	_ "github.com/dop251/goja/goja"
	_ "github.com/google/go-jsonnet/cmd/jsonnet"
)
