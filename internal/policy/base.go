package policy

import (
	"bytes"
	_ "embed" // for the base policy's text
	"slices"
)

//go:embed base.cedar
var baseText []byte

// baseName is the base policy's file name; only it may use ids that begin with
// basePrefix.
const (
	baseName   = "base.cedar"
	basePrefix = "base."
)

// Base returns the base policy, which the caller puts first among its sources.
func Base() Source { return Source{Name: baseName, Text: slices.Clone(baseText)} }

func (s Source) isBase() bool { return s.Name == baseName && bytes.Equal(s.Text, baseText) }
