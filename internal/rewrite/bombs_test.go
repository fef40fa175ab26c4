package rewrite

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
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
	increments := func(locals int) []byte {
		var b []byte
		for l := range locals {
			b = cat(b, opLocalGet, u32(uint32(l)), opI64Const, 1, 0x7c, 0x21, u32(uint32(l)))
		}
		return b
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
	names := func(content []byte) []byte {
		return append(functionsOf(1), section(secCustom, "name", section(namesFunction, content))...)
	}
	return map[string]bomb{
		// Those of notes on engines: measured to cost a compiler what they say.
		"300,000 nested blocks":                 {one(nil, nil, nil, repeat(300_000, opBlock, empty), repeat(300_000, opEnd)), caps},
		"40 br_tables of 200,000":               {one(nil, nil, nil, repeat(40, opI32Const, 0, 0x0e, u32(200_000), make([]byte, 200_001))), caps},
		"2000 functions of 50,000 locals":       {functions(2000, code([][]byte{cat(u32(50_000), i64)})), caps},
		"a million functions":                   {functions(1_000_000, code(nil)), caps},
		"a table of 2^25":                       {lie(secTable, vec(cat(typeFuncref, 0, u32(1<<25)))), caps},
		"a hundred tables of a million":         {lie(secTable, entries(100, typeFuncref, 0, u32(1_000_000))), caps},
		"3000 locals merged in 1000 loops":      {one(nil, nil, [][]byte{cat(u32(3000), i64)}, repeat(1000, opLoop, empty), increments(3000), repeat(1000, opI32Const, 0, opBrIf, 0, opEnd)), caps},
		"1000 locals merged in 10,000 ifs":      {one(nil, nil, [][]byte{cat(u32(1000), i64)}, increments(1000), repeat(10_000, opI32Const, 0, opIf, empty, opEnd)), caps},
		"100,000 loops":                         {one(nil, nil, nil, repeat(100_000, opLoop, empty, opEnd)), caps},
		"9,990 globals loaded after 9000 calls": {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secGlobal, entries(9_990, i32, 1, opI32Const, 0, opEnd)), section(secCode, vec(code(nil, repeat(9000, opCall, 0))))), caps},
		"100,000 functions and types":           {sections(section(secType, entries(100_000, functype(nil, nil))), section(secFunction, entries(100_000, 0)), section(secCode, entries(100_000, code(nil)))), caps},
		// Few bytes that become much machine code.
		"two million conversions": {functions(50, code(nil, repeat(40_000, opI64Const, 0, 0xba, 0x1a))), caps},

		"memory of 4 GiB":         {lie(secMemory, vec(cat(0, u32(65536)))), ""}, // the run's limit refuses it
		"memory of 256 TiB":       {lie(secMemory, vec(cat(0, all))), malformed},
		"a million globals":       {lie(secGlobal, entries(1_000_000, i32, 1, opI32Const, 0, opEnd)), caps},
		"a million data segments": {sections(section(secMemory, vec(cat(0, 1))), section(secData, entries(1_000_000, 1, 0))), caps},
		"a million elements":      {lie(secElement, entries(300_000, 1, 0, 0)), caps},
		"elements of elements":    {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secElement, entries(20, 1, 0, entries(100_000, 0))), section(secCode, vec(code(nil)))), caps},
		"two million types":       {lie(secType, entries(2_000_000, functype(nil, nil))), caps},
		"types of 2000 vectors":   {lie(secType, entries(5_000, wide)), ""},
		"a type of 2^32 values":   {lie(secType, 1, typeFunc, all), caps},
		"a million exports":       {sections(section(secMemory, vec(cat(0, 1))), section(secExport, entries(1_000_000, export("x", KindMemory, 0)))), caps},
		"one export twice":        {sections(section(secMemory, vec(cat(0, 1))), section(secExport, entries(100_000, export("x", KindMemory, 0)))), malformed},
		"a name of 10 MiB":        {sections(section(secMemory, vec(cat(0, 1))), section(secExport, vec(export(strings.Repeat("x", 10<<20), KindMemory, 0)))), caps},
		"a million imports":       {sections(section(secType, vec(functype(nil, nil))), section(secImport, entries(1_000_000, "a", "b", KindFunc, 0))), caps},
		"a function of 8 MiB":     {one(nil, nil, nil, make([]byte, 0), repeat(8<<20, 1)), caps},
		"64 MiB of blocks":        {one(nil, nil, nil, repeat(32<<20-512, opBlock, empty)), caps},
		"more than 64 MiB":        {make([]byte, 64<<20+1), caps},

		// What the rewriting makes branches of.
		"20,000 fills":     {victim(repeat(20_000, opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryFill, 0)), caps},
		"8000 table fills": {victim(repeat(8_000, opI32Const, 0, opRefNull, typeFuncref, opI32Const, 0, opMisc, miscTableFill, 0)), caps},
		"20,000 growths":   {victim(repeat(20_000, opI32Const, 0, 0x40, 0, 0x1a)), caps},

		// What the compiler carries along: operands, addresses, variables to look for.
		"1000 operands through 17,000 blocks":     {thousand(repeat(17_000, opBlock, 0, opI32Const, 0, opI32Const, 0, opBrIf, 0, 0x1a, opEnd)), caps},
		"1000 operands to 50,000 labels":          {thousand(opBlock, 0, opI32Const, 0, 0x0e, u32(49_000), make([]byte, 49_001), opEnd), caps},
		"1000 operands past 500,000 branches":     {thousand(opBlock, 0, repeat(500_000, opI32Const, 0, opBrIf, 0), opEnd), caps},
		"1000 operands over 16,000 calls":         {thousand(repeat(16_000, opCall, 1)), caps},
		"1000 operands over 16,000 indirect ones": {thousand(repeat(16_000, opI32Const, 0, 0x11, 0, 0)), caps},
		"1000 operands from 50,000 returns":       {thousand(repeat(50_000, opI32Const, 0, opIf, 0, 0x0f, opEnd)), caps},
		"500,000 branches":                        {one(nil, nil, nil, repeat(500_000, opI32Const, 0, opBrIf, 0)), caps},
		"500 locals looked for in 5000 blocks":    {one(nil, nil, groups(100, i32, 100, i32, 100, i32, 100, i32, 100, i32), opBlock, empty, repeat(5000, opLocalGet, 0, opBrIf, 0), opEnd), caps},
		"a local looked for in 15,000 blocks":     {one(nil, nil, groups(1, i32), repeat(15_000, opI32Const, 0, opBrIf, 0), repeat(300_000, opLocalGet, 0, 0x1a)), caps},
		"20,000 addresses kept 10,000 times":      {victim(repeat(20_000, opI32Const, 0, 0x2d, 0, 0, 0x1a), repeat(10_000, opI32Const, 0, opBrIf, 0)), caps},

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
		"a name of 4 GiB":       {lie(secExport, 1, all), caps},
		"a segment of 4 GiB":    {sections(section(secMemory, vec(cat(0, 1))), section(secData, 1, 1, all)), malformed},
		"locals that overflow":  {one(nil, nil, [][]byte{cat(all, i32), cat(all, i32), cat(u32(3), i32)}), caps},
		"br_table of 2^32":      {one(nil, nil, nil, opI32Const, 0, 0x0e, all), caps},
		"a number without end":  {lie(secType, repeat(1_000_000, 0x80)), malformed},
		"2^32 data announced":   {sections(section(secDataCount, all)), malformed},

		// Custom sections are skipped, whatever they hold.
		"2 million custom sections":  {append(sections(), repeat(2_000_000, secCustom, 1, 0)...), ""},
		"10 MiB of debug names":      {append(sections(), repeat(100, section(secCustom, strings.Repeat("y", maxName)))...), ""},
		"a custom section that lies": {append(sections(), section(secCustom, all)...), caps},
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

// TestBombs: they are refused before anything is compiled, and that takes little
// memory: never more than a few times the module's size, whatever the module
// says that it has.
func TestBombs(t *testing.T) {
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) {
			var err, again error
			inspected := allocated(func() { _, err = Inspect(b.module, DefaultCaps()) })
			rewritten := allocated(func() { _, _, again = Rewrite(b.module, DefaultCaps()) })
			if abi.CodeOf(err) != b.code || abi.CodeOf(again) != b.code {
				t.Errorf("%d bytes: %v, rewriting: %v", len(b.module), err, again)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			const room = 8 << 20
			if limit := uint64(len(b.module)) + room; inspected > limit && inspected > 32<<20 {
				t.Errorf("inspecting %d bytes allocated %d", len(b.module), inspected)
			}
			if limit := uint64(6*len(b.module)) + room; rewritten > limit {
				t.Errorf("rewriting %d bytes allocated %d", len(b.module), rewritten)
			}
			// The room for the functions is asked for at once, and not used.
			if room := uint64(len(b.module)) * 5 / 4; b.code != "" && rewritten > room+64<<20 {
				t.Errorf("refusing %d bytes allocated %d", len(b.module), rewritten)
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
