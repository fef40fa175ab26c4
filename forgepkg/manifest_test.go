package forgepkg

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// TestManifestAttacks are manifests that a trusted publisher signed, wrong in
// themselves: form is checked before trust.
func TestManifestAttacks(t *testing.T) {
	change := func(f func(ps *parts)) func(t *testing.T) []byte {
		return func(t *testing.T) []byte {
			ps := take(t, small())
			f(ps)
			return ps.sign(t, alice).bytes(t)
		}
	}
	canonical := mustMarshal(t, &take(t, small()).m)
	raw := func(b []byte) func(t *testing.T) []byte {
		return change(func(ps *parts) { ps.manifest = b })
	}
	for _, tc := range []struct {
		name string
		make func(t *testing.T) []byte
		code abi.Code
	}{
		{"trailing byte", raw(append(bytes.Clone(canonical), 0)), abi.CodePkgManifest},
		{"missing byte", raw(canonical[:len(canonical)-1]), abi.CodePkgManifest},
		{"long form of a number", raw(bytes.Replace(canonical, []byte{0x01, 0x01, 0x02}, []byte{0x01, 0x18, 0x01, 0x02}, 1)), abi.CodePkgManifest},
		{"indefinite length", raw(append(append([]byte{0xbf}, canonical[1:]...), 0xff)), abi.CodePkgManifest},
		{"field twice", raw(append(append([]byte{canonical[0] + 1}, canonical[1:3]...), canonical[1:]...)), abi.CodePkgManifest},
		{"unknown field", raw(append(append([]byte{canonical[0] + 1}, canonical[1:]...), 0x18, 0x63, 0x00)), abi.CodePkgManifest},
		{"not a map", raw([]byte{0x01}), abi.CodePkgManifest},
		{"length beyond the end", raw([]byte{0xa1, 0x02, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), abi.CodePkgManifest},
		{"array of 2^32", raw([]byte{0xa1, 0x08, 0x9a, 0xff, 0xff, 0xff, 0xff}), abi.CodePkgManifest},
		{"deep nesting", raw(bytes.Repeat([]byte{0x81}, 5000)), abi.CodePkgManifest},
		{"newer format", change(func(ps *parts) { ps.m.Format = 2 }), abi.CodePkgNewer},
		{"name of a path", change(func(ps *parts) { ps.m.Name = "../hello" }), abi.CodePkgManifest},
		{"imports not sorted", change(func(ps *parts) { slices.Reverse(ps.m.Imports) }), abi.CodePkgManifest},
		{"imports doubled", change(func(ps *parts) { ps.m.Imports = []string{"a.b", "a.b"} }), abi.CodePkgManifest},
		{"empty import", change(func(ps *parts) { ps.m.Imports = []string{""} }), abi.CodePkgManifest},
		{"mount of the root", change(func(ps *parts) { ps.m.Mounts = []Mount{{Guest: "/"}} }), abi.CodePkgManifest},
		{"signers not sorted", change(func(ps *parts) { ps.m.Signers = []abi.Digest{{2}, {1}} }), abi.CodePkgManifest},
		{"no blobs", change(func(ps *parts) { ps.m.Blobs, ps.blobs = []Blob{}, nil }), abi.CodePkgHeader},
		{"roles swapped", change(func(ps *parts) {
			ps.m.Blobs[0].Role, ps.m.Blobs[1].Role = ps.m.Blobs[1].Role, ps.m.Blobs[0].Role
		}), abi.CodePkgManifest},
		{"blobs and roles swapped", change(func(ps *parts) { slices.Reverse(ps.m.Blobs); slices.Reverse(ps.blobs) }), abi.CodePkgManifest},
		{"two modules", change(func(ps *parts) { ps.m.Blobs[1].Role = RoleModule }), abi.CodePkgManifest},
		{"two archives", change(func(ps *parts) {
			ps.m.Blobs = append(ps.m.Blobs, ps.m.Blobs[1])
			ps.blobs = append(ps.blobs, ps.blobs[1])
		}), abi.CodePkgManifest},
		{"policy, which is not applied", change(func(ps *parts) { ps.m.Blobs[1].Role = rolePolicy }), abi.CodePkgNewer},
		{"unknown role", change(func(ps *parts) { ps.m.Blobs[1].Role = "hook" }), abi.CodePkgNewer},
		{"lengths that overflow", change(func(ps *parts) { ps.m.Blobs[0].Length = 1<<64 - 1 }), abi.CodePkgLimit},
		{"assets of 2 GiB", change(func(ps *parts) { ps.m.Blobs[1].Length = 2 << 30 }), abi.CodePkgLimit},
		{"empty module", change(func(ps *parts) { ps.m.Blobs[0].Length = 0 }), abi.CodePkgLimit},
		{"longer than the file", change(func(ps *parts) { ps.m.Blobs[1].Length++ }), abi.CodePkgSize},
		{"shorter than the file", change(func(ps *parts) { ps.m.Blobs[1].Length-- }), abi.CodePkgSize},
		{"a byte moved from one blob to the next", change(func(ps *parts) { ps.m.Blobs[0].Length--; ps.m.Blobs[1].Length++ }), abi.CodePkgBlob},
		{"module's digest wrong", change(func(ps *parts) { ps.m.Blobs[0].Digest[0] ^= 1 }), abi.CodePkgBlob},
		{"assets' digest wrong", change(func(ps *parts) { ps.m.Blobs[1].Digest[0] ^= 1 }), abi.CodePkgBlob},
		{"digest of another role", change(func(ps *parts) { ps.m.Blobs[1].Digest = seal.Sum(domainModule, ps.blobs[1]) }), abi.CodePkgBlob},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := refused(t, errorOf(verify(t, tc.make(t), ring, VerifyOptions{Now: now})), tc.code)
			if tc.code == abi.CodePkgNewer && strings.HasPrefix(tc.name, "policy") && !strings.Contains(e.What, "does not apply") {
				t.Errorf("%v does not say that policy is the matter", e)
			}
		})
	}
}

// TestOversizedCounts: what a header, a manifest or an archive claims is
// compared with limits and with the file before memory is taken for it.
func TestOversizedCounts(t *testing.T) {
	good := build(t, small())
	for name, tc := range map[string]struct {
		at   int
		to   []byte
		code abi.Code
	}{
		"manifest":            {8, []byte{0xff, 0xff, 0xff, 0xff}, abi.CodePkgHeader},
		"manifest at limit":   {8, []byte{0, 4, 0, 0}, abi.CodePkgSize},
		"manifest over limit": {8, []byte{0, 4, 0, 1}, abi.CodePkgHeader},
		"signatures":          {12, []byte{0xff, 0xff, 0xff, 0xff}, abi.CodePkgHeader},
		"blobs":               {16, []byte{0xff, 0xff}, abi.CodePkgHeader},
		"blobs, allowed":      {16, []byte{0, 64}, abi.CodePkgManifest},
		"reserved":            {18, []byte{0, 1}, abi.CodePkgHeader},
	} {
		b := bytes.Clone(good)
		copy(b[tc.at:], tc.to)
		allocs := testing.AllocsPerRun(1, func() { refused(t, errorOf(OpenReader(bytes.NewReader(b), int64(len(b)))), tc.code) })
		if allocs > 500 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	// A short file that claims to be huge: nothing of that size is allocated.
	refused(t, errorOf(OpenReader(bytes.NewReader(good), 1<<62)), abi.CodePkgSize)
	refused(t, errorOf(OpenReader(bytes.NewReader(nil), 1<<62)), abi.CodePkgSize)
	refused(t, errorOf(OpenReader(bytes.NewReader(nil), 0)), abi.CodePkgHeader)
	refused(t, errorOf(OpenReader(bytes.NewReader(nil), -1)), abi.CodePkgHeader)
}
