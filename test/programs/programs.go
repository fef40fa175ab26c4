//go:build programs

// Package programs pins the real programs that tests build for wasip1 and run
// as guests.
package programs

import (
	_ "github.com/BurntSushi/toml/cmd/tomlv"
	_ "github.com/d5/tengo/v2/cmd/tengo"
	_ "github.com/dop251/goja/goja"
	_ "github.com/evanw/esbuild/cmd/esbuild"
	_ "github.com/google/go-jsonnet/cmd/jsonnet"
	_ "mvdan.cc/sh/v3/cmd/gosh"
	_ "mvdan.cc/sh/v3/cmd/shfmt"
)
