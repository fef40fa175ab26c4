//go:build programs

// Package programs pins actionlint.
package programs

import _ "github.com/rhysd/actionlint/cmd/actionlint"
