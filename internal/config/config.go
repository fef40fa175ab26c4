// Package config loads, checks, signs and freezes a node's configuration: YAML
// text that people edit, in one file whose last line is the node key's
// signature over every byte before it. Nothing is read from a file before its
// signature is found good, nothing unknown is accepted, and a loaded Config
// can't change. Sections and fields that are left out have their defaults.
package config

import (
	"bytes"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
)

// FileName is the configuration's name in the state folder.
const FileName = "config"

// MaxSize bounds the text, in bytes.
const MaxSize = 64 << 10

// domain is that of the digest and, through it, of the signature.
const domain = "forgeone/config/v1"

// Config is a configuration, immutable and safe for concurrent use.
type Config struct {
	text      []byte
	digest    abi.Digest
	origin    string
	bare      bool
	quorum    int
	recording string
	limits    abi.Limits
	caps      rewrite.Caps
	compile   int64 // nanoseconds
	// compileMemory is in bytes.
	compileMemory uint64
	retention     Retention
}

// Retention bounds the recordings that are kept of runs that ended, in bytes.
// The largest uint64 stands for no bound.
type Retention struct {
	Total    uint64 // in the state folder
	Workload uint64 // of each workload
}

// Origin is the name of the log's origin, "" for the default one, which is made
// of the node key's id. It takes effect when the log is made.
func (c *Config) Origin() string { return c.origin }

// BareModules tells whether modules that no publisher signed may run.
func (c *Config) BareModules() bool { return c.bare }

// Quorum is how many publishers of the keyring must have signed a package; at least 1.
func (c *Config) Quorum() int { return c.quorum }

// Recording is the mode of recordings: "full".
func (c *Config) Recording() string { return c.recording }

// Limits are those of a run that asks for no others. Zero Fuel and Deadline
// mean none.
func (c *Config) Limits() abi.Limits { return c.limits }

// Caps bound the modules that are admitted. Depth and Table are those of Limits.
func (c *Config) Caps() rewrite.Caps { return c.caps }

// CompileMemory bounds the memory, in bytes, of the process that compiles one
// module. At most half of what the machine or its control group has is given.
func (c *Config) CompileMemory() uint64 { return c.compileMemory }

// CompileDeadline bounds the compilation of one module, in wall time; 0: nothing does.
func (c *Config) CompileDeadline() time.Duration { return time.Duration(c.compile) }

// Retention is how much is kept of recordings.
func (c *Config) Retention() Retention { return c.retention }

// Deadline is that of Limits as a duration.
func (c *Config) Deadline() time.Duration { return time.Duration(c.limits.Deadline) }

// Digest is SHA3-256 in the domain forgeone/config/v1 over the text: what the
// signature signs and what the log records as in force. Only the comparison
// with the log tells an old configuration, rightly signed, from the one in force.
func (c *Config) Digest() abi.Digest { return c.digest }

// Text returns a copy of the text, without the signature.
func (c *Config) Text() []byte { return bytes.Clone(c.text) }

// Digest returns the digest that a configuration of that text has.
func Digest(text []byte) abi.Digest { return seal.Sum(domain, canonical(text)) }

// canonical is text as it is signed: without a signature line that it may have
// been copied with, and ending in a newline.
func canonical(text []byte) []byte {
	text, _ = split(text)
	if n := len(text); n > 0 && text[n-1] != '\n' {
		text = append(bytes.Clone(text), '\n')
	}
	return text
}
