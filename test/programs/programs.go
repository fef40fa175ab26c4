//go:build programs

// Package programs pins the real programs that tests build for wasip1 and run
// as guests. Those that others would force to other versions of what they share
// have modules of their own, in the folders.
package programs

import (
	_ "filippo.io/age/cmd/age"
	_ "github.com/BurntSushi/toml/cmd/tomlv"
	_ "github.com/benhoyt/goawk"
	_ "github.com/d5/tengo/v2/cmd/tengo"
	_ "github.com/dop251/goja/goja"
	_ "github.com/evanw/esbuild/cmd/esbuild"
	_ "github.com/google/go-jsonnet/cmd/jsonnet"
	_ "github.com/google/go-jsonnet/cmd/jsonnetfmt"
	_ "github.com/google/yamlfmt/cmd/yamlfmt"
	_ "github.com/hashicorp/hcl/v2/cmd/hclfmt"
	_ "github.com/itchyny/gojq/cmd/gojq"
	_ "github.com/mikefarah/yq/v4"
	_ "github.com/pdfcpu/pdfcpu/cmd/pdfcpu"
	_ "github.com/robertkrimen/otto/otto"
	_ "github.com/santhosh-tekuri/jsonschema/cmd/jv"
	_ "github.com/tetratelabs/wazero/cmd/wazero"
	_ "github.com/traefik/yaegi/cmd/yaegi"
	_ "golang.org/x/tools/cmd/goimports"
	_ "honnef.co/go/tools/cmd/staticcheck"
	_ "mvdan.cc/gofumpt"
	_ "mvdan.cc/sh/v3/cmd/gosh"
	_ "mvdan.cc/sh/v3/cmd/shfmt"
)
