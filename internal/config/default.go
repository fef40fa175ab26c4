package config

import "fmt"

// Default returns the text of the default configuration, with comments. It is
// what `forgeone init` signs.
func Default() []byte {
	var c Config
	(&document{}).bind(&c)
	l, caps := c.limits, c.caps
	return fmt.Appendf(nil, `# ForgeOne: configuration of this node.
# The last line is the node key's signature over every byte before it. To change
# something, edit a copy and put it in force with: forgeone init --config FILE
format: 1

# Name of the evidence log's origin; "" stands for forgeone.local/<node key id>.
# It counts when the log is made.
origin: ""

# May a module run that no publisher signed? allow or refuse (production: refuse).
bare_modules: allow

# How many publishers of the keyring must have signed a package.
quorum: %d

# What a recording keeps: full.
recording: %s

# Limits of a run that asks for no others. Sizes in bytes, KiB, MiB or GiB.
limits:
  fuel: %d            # units of the tick; 0: none
  deadline: 0s       # wall time, as in 1m30s; 0s: none
  memory: %s     # linear memory of a guest
  table: %d     # elements of a guest's tables
  descriptors: %d
  output: %s     # bytes to stdout and stderr together
  recording: %s    # bytes on disk
  depth: %d      # nested guest calls
  scratch: %s     # bytes in /tmp, which lies in memory
  disk: %s         # bytes by which files in writable mounts may grow
  denials: %d    # denied calls; slowed from a tenth of them on

# Recordings of runs that ended. What takes more is dropped, whole, the oldest
# first, and only of workloads that keep more than a fair share. Held runs do not
# count and stay. Bytes, KiB, MiB, GiB, or unlimited.
retention:
  total: %s       # in this state folder
  workload: %s     # of each workload

# What a module may hold to be admitted, checked before it is compiled. A refusal
# names the field to raise and the value. Sizes in bytes, KiB, MiB or GiB.
admission:
  module: %s
  rewritten: %s        # code of the module as it is rewritten; a loop becomes ten times as long
  types: %d
  values: %d             # parameters or results of one type
  type_values: %d      # of all types
  imports: %d
  exports: %d
  tables: %d
  globals: %d
  functions: %d
  body: %s               # code of one function
  locals_per_function: %d
  locals: %d
  operands_per_function: %d   # values that blocks, branches and calls pass on
  operands: %d
  nesting: %d          # blocks within blocks
  br_table: %d         # labels of one br_table
  data_segments: %d
  element_segments: %d
  compile_memory: %s     # memory of the process that compiles it; at most half of the machine's or the control group's is given
  compile_deadline: %s   # wall time of compiling it, as in 1m30s; 0s: none
  canonical_nan: %t   # true: NaNs have the same bits everywhere, and recordings replay on every machine
`, c.quorum, c.recording,
		l.Fuel, FormatSize(l.Memory), l.Table, l.Descriptors, FormatSize(l.Output), FormatSize(l.Recording), l.Depth,
		FormatSize(l.Scratch), FormatSize(l.Disk), l.Denials,
		FormatSize(c.retention.Total), FormatSize(c.retention.Workload),
		FormatSize(uint64(caps.ModuleBytes)), FormatSize(uint64(caps.RewrittenBytes)), caps.Types, caps.Values, caps.TypeValues,
		caps.Imports, caps.Exports, caps.Tables, caps.Globals, caps.Functions, FormatSize(uint64(caps.BodyBytes)),
		caps.LocalsPerFunction, caps.LocalsTotal, caps.OperandsPerFunction, caps.OperandsTotal,
		caps.Nesting, caps.BrTable, caps.DataSegments, caps.ElementSegments,
		FormatSize(c.compileMemory), c.CompileDeadline(), caps.CanonicalNaN)
}
