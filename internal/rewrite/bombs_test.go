package rewrite

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// bomb is a module, and the code that refuses it; "" if it is admitted.
type bomb struct {
	module []byte
	code   abi.Code
}

// lie is a section that announces more than it holds.
func lie(id byte, content ...any) []byte { return sections(section(id, content...)) }

// bombs are modules that would cost a compiler, or a careless reader, minutes or
// gigabytes.
func bombs() map[string]bomb {
	const caps, malformed, truncated = abi.CodeModuleCap, abi.CodeModuleMalformed, abi.CodeModuleTruncated
	repeat := func(n int, parts ...any) []byte { return slices.Repeat(cat(parts...), n) }
	entries := func(n int, parts ...any) []byte { return cat(u32(uint32(n)), repeat(n, parts...)) }
	functions := func(n int, f []byte) []byte {
		return sections(section(secType, vec(functype(nil, nil))), section(secFunction, entries(n, 0)), section(secCode, entries(n, f)))
	}
	const huge = "\xff\xff\xff\xff\x0f" // 2^32-1
	all := []byte(huge)
	wide := functype(slices.Repeat([]byte{v128}, 1000), slices.Repeat([]byte{v128}, 1000))
	// thousand is a function that makes 1000 values, and goes on with instructions
	// that may call another, or make blocks, of type 0, which takes and gives them.
	thousand := func(parts ...any) []byte {
		ints := slices.Repeat([]byte{i32}, 1000)
		return sections(section(secType, vec(functype(ints, ints), functype(nil, nil))), section(secFunction, vec(u32(1), u32(0))),
			section(secTable, vec(cat(typeFuncref, 0, 1))),
			section(secCode, vec(code(nil, repeat(1000, opI32Const, 0), cat(parts...), 0x00), code(nil, 0x00))))
	}
	remembering := func(n int, f []byte) []byte {
		return sections(section(secType, vec(functype(nil, nil))), section(secFunction, entries(n, 0)), section(secMemory, vec(cat(0, 1))), section(secCode, entries(n, f)))
	}
	many := func(n int, typ []byte) []byte {
		return sections(section(secType, vec(typ)), section(secFunction, entries(n, 0)), section(secCode, entries(n, code(nil, opCall, 0, 0x00))))
	}
	names := func(content []byte) []byte {
		return append(functionsOf(1), section(secCustom, "name", section(namesFunction, content))...)
	}
	return map[string]bomb{
		// Those of notes on engines. What only costs a compiler is in wasmtest.Bombs.
		"300,000 nested blocks":           {one(nil, nil, nil, repeat(300_000, opBlock, empty), repeat(300_000, opEnd)), caps},
		"40 br_tables of 600,000":         {one(nil, nil, nil, repeat(40, opI32Const, 0, 0x0e, u32(600_000), make([]byte, 600_001))), caps},
		"2000 functions of 50,000 locals": {functions(2000, code([][]byte{cat(u32(50_000), i64)})), caps},
		"a million functions":             {functions(1_000_000, code(nil)), caps},
		"a table of 2^25":                 {lie(secTable, vec(cat(typeFuncref, 0, u32(1<<25)))), caps},
		"a hundred tables of a million":   {lie(secTable, entries(100, typeFuncref, 0, u32(1_000_000))), caps},

		"memory of 4 GiB":         {lie(secMemory, vec(cat(0, u32(65536)))), ""}, // the run's limit refuses it
		"memory of 256 TiB":       {lie(secMemory, vec(cat(0, all))), malformed},
		"a million globals":       {lie(secGlobal, entries(1_000_000, i32, 1, opI32Const, 0, opEnd)), caps},
		"a million data segments": {sections(section(secMemory, vec(cat(0, 1))), section(secData, entries(1_000_000, 1, 0))), caps},
		"a million elements":      {lie(secElement, entries(300_000, 1, 0, 0)), caps},
		"elements of elements":    {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secElement, entries(20, 1, 0, entries(100_000, 0))), section(secCode, vec(code(nil)))), caps},
		"two million types":       {lie(secType, entries(2_000_000, functype(nil, nil))), caps},
		"types of 2000 vectors":   {lie(secType, entries(50, wide)), ""},
		"10,000,000 vectors":      {lie(secType, entries(5_000, wide)), caps},
		"a type of 2^32 values":   {lie(secType, 1, typeFunc, all), caps},
		"a million exports":       {sections(section(secMemory, vec(cat(0, 1))), section(secExport, entries(1_000_000, export("x", KindMemory, 0)))), caps},
		"one export twice":        {sections(section(secMemory, vec(cat(0, 1))), section(secExport, entries(100_000, export("x", KindMemory, 0)))), malformed},
		"a name of 10 MiB":        {sections(section(secMemory, vec(cat(0, 1))), section(secExport, vec(export(strings.Repeat("x", 10<<20), KindMemory, 0)))), ""},
		"a million imports":       {sections(section(secType, vec(functype(nil, nil))), section(secImport, entries(1_000_000, "a", "b", KindFunc, 0))), caps},
		"a function of 9 MiB":     {one(nil, nil, nil, repeat(9<<20, 1)), caps},
		"64 MiB of blocks":        {one(nil, nil, nil, repeat(32<<20-512, opBlock, empty)), caps},
		"more than 64 MiB":        {make([]byte, 64<<20+1), caps},

		// What becomes many times as long.
		"six million loops":        {functions(8, code(nil, repeat(750_000, opLoop, empty, opEnd))), caps},
		"a million loops":          {functions(10, code(nil, repeat(100_000, opLoop, empty, opEnd))), ""},
		"a million fills":          {remembering(10, code(nil, repeat(100_000, opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryFill, 0))), ""},
		"three million growths":    {remembering(10, code(nil, repeat(300_000, opI32Const, 0, 0x40, 0, 0x1a))), caps},
		"two million square roots": {functions(10, code(groups(1, f64), repeat(200_000, opLocalGet, 0, 0x9f, 0x21, 0))), ""},

		// A few bytes that name a thousand operands.
		"1000 operands through 17,000 blocks":     {thousand(repeat(17_000, opBlock, 0, opI32Const, 0, opI32Const, 0, opBrIf, 0, 0x1a, opEnd)), caps},
		"1000 operands to 50,000 labels":          {thousand(opBlock, 0, opI32Const, 0, 0x0e, u32(49_000), make([]byte, 49_001), opEnd), caps},
		"1000 operands past 500,000 branches":     {thousand(opBlock, 0, repeat(500_000, opI32Const, 0, opBrIf, 0), opEnd), caps},
		"1000 operands over 16,000 calls":         {thousand(repeat(16_000, opCall, 1)), caps},
		"1000 operands over 16,000 indirect ones": {thousand(repeat(16_000, opI32Const, 0, 0x11, 0, 0)), caps},
		"1000 operands from 50,000 returns":       {thousand(repeat(50_000, opI32Const, 0, opIf, 0, 0x0f, opEnd)), caps},
		"1000 operands of 200,000 functions":      {many(200_000, wide), caps},
		"1000 operands of a dead br_table":        {thousand(opBlock, 0, 0x00, repeat(5, opI32Const, 0, 0x0e, u32(490_000), make([]byte, 490_001)), opEnd), caps},

		// Lengths that lie.
		"2^32 types":            {lie(secType, all), caps},
		"2^32 functions":        {lie(secFunction, all), caps},
		"2^32 codes":            {lie(secCode, all), caps},
		"2^32 segments":         {lie(secData, all), caps},
		"200,000 without data":  {lie(secData, u32(200_000)), malformed},
		"100,000 without types": {lie(secType, u32(100_000)), malformed},
		"a section of 4 GiB":    {append(sections(), secCode, 0xff, 0xff, 0xff, 0xff, 0x0f), truncated},
		"a body of 4 GiB":       {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secCode, 1, all, 0)), caps},
		"a body past its end":   {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secCode, 1, u32(1<<20), 0, opEnd)), malformed},
		"a name of 4 GiB":       {lie(secExport, 1, all), malformed},
		"a segment of 4 GiB":    {sections(section(secMemory, vec(cat(0, 1))), section(secData, 1, 1, all)), malformed},
		"locals that overflow":  {one(nil, nil, [][]byte{cat(all, i32), cat(all, i32), cat(u32(3), i32)}), caps},
		"br_table of 2^32":      {one(nil, nil, nil, opI32Const, 0, 0x0e, all), caps},
		"a number without end":  {lie(secType, repeat(1_000_000, 0x80)), malformed},
		"2^32 data announced":   {sections(section(secDataCount, all)), malformed},

		// Custom sections are skipped, whatever they hold.
		"2 million custom sections":  {append(sections(), repeat(2_000_000, secCustom, 1, 0)...), ""},
		"10 MiB of debug names":      {append(sections(), repeat(100, section(secCustom, strings.Repeat("y", maxName)))...), ""},
		"a custom section that lies": {append(sections(), section(secCustom, all)...), malformed},
		"2^32 names":                 {names(all), ""},
		"a million names":            {names(entries(1_000_000, 0, "")), ""},
		"a name of a function, 4 GB": {names(cat(1, 0, all)), ""},
		"names of 10 MiB":            {names(cat(1, 0, strings.Repeat("z", 10<<20))), ""},
		"subsections without end":    {append(functionsOf(1), section(secCustom, "name", repeat(1_000_000, namesFunction, 1, 0))...), ""},
	}
}

// allocated is what f allocates in all, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBombs: those that are refused are, and reading, refusing and rewriting take
// little memory, in all that is asked for: a dozen times the module's size, most of it
// for loops, which become ten times as long, whatever the module says that it has.
func TestBombs(t *testing.T) {
	all := bombs()
	for name, f := range wasmtest.Bombs() {
		all[name] = bomb{f(), ""}
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			var out []byte
			var err, again error
			caps := DefaultCaps()
			caps.CanonicalNaN = name == "canonical NaNs"
			inspected := allocated(func() { _, err = Inspect(b.module, caps) })
			rewritten := allocated(func() { out, _, again = Rewrite(b.module, caps) })
			if abi.CodeOf(err) != b.code || abi.CodeOf(again) != b.code {
				t.Errorf("%d bytes: %v, rewriting: %v", len(b.module), err, again)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			const room = 48 << 20 // for blocks that nest, a million at most
			if limit := uint64(12*len(b.module)) + room; inspected > limit {
				t.Errorf("inspecting %d bytes allocated %d", len(b.module), inspected)
			}
			if limit := uint64(20*len(b.module)+4*len(out)) + room; rewritten > limit {
				t.Errorf("rewriting %d bytes to %d allocated %d", len(b.module), len(out), rewritten)
			}
		})
	}
}

// BenchmarkBombs prints how long each takes to be refused.
func BenchmarkBombs(b *testing.B) {
	for name, m := range bombs() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(m.module)))
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = Rewrite(m.module, DefaultCaps())
			}
		})
	}
}
