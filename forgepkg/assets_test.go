package forgepkg

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// archive writes an archive by hand.
func archive(count uint32, index, contents string) []byte {
	b := append([]byte(archiveMagic), binary.BigEndian.AppendUint32(nil, count)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(index)))
	return append(append(b, index...), contents...)
}

func entry(name string, length uint64) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(name)))
	return string(binary.BigEndian.AppendUint64(append(b, name...), length))
}

func TestArchiveAttacks(t *testing.T) {
	long := strings.Repeat("a/", 600) + "a"
	for _, tc := range []struct {
		name string
		b    []byte
		code abi.Code
	}{
		{"other magic", append([]byte("FORGEAS2"), make([]byte, 8)...), abi.CodePkgAssets},
		{"file missing in the index", archive(2, entry("a", 0)+"123456789", ""), abi.CodePkgAssets},
		{"count beyond the index", archive(2, entry("a", 0), ""), abi.CodePkgAssets},
		{"count below the index", archive(1, entry("a", 0)+entry("b", 0), ""), abi.CodePkgAssets},
		{"count over the limit", archive(MaxFiles+1, "", ""), abi.CodePkgLimit},
		{"index longer than the archive", slices.Concat([]byte(archiveMagic), []byte{0, 0, 0, 0, 0, 0, 1, 0}), abi.CodePkgAssets},
		{"index over the limit", slices.Concat([]byte(archiveMagic), []byte{0, 0, 0, 0, 0xff, 0, 0, 0}), abi.CodePkgLimit},
		{"name beyond the index", archive(1, "\xff\xff12345678", ""), abi.CodePkgAssets},
		{"lengths that overflow", archive(2, entry("a", 1<<63)+entry("b", 1<<63), ""), abi.CodePkgAssets},
		{"lengths that wrap around to the right sum", archive(2, entry("a", 1<<64-1)+entry("b", 2), "x"), abi.CodePkgAssets},
		{"contents too long", archive(1, entry("a", 1), "xy"), abi.CodePkgAssets},
		{"contents too short", archive(1, entry("a", 2), "x"), abi.CodePkgAssets},
		{"contents without files", archive(0, "", "x"), abi.CodePkgAssets},
		{"doubled name", archive(2, entry("a", 0)+entry("a", 0), ""), abi.CodePkgAssets},
		{"not sorted", archive(2, entry("b", 0)+entry("a", 0), ""), abi.CodePkgAssets},
		{"file in a file", archive(3, entry("a", 0)+entry("a-", 0)+entry("a/b/c", 0), ""), abi.CodePkgAssets},
		{"empty name", archive(1, entry("", 0), ""), abi.CodePkgAssets},
		{"..", archive(1, entry("..", 0), ""), abi.CodePkgAssets},
		{"../a", archive(1, entry("../a", 0), ""), abi.CodePkgAssets},
		{"a/../b", archive(1, entry("a/../b", 0), ""), abi.CodePkgAssets},
		{"a/./b", archive(1, entry("a/./b", 0), ""), abi.CodePkgAssets},
		{"absolute", archive(1, entry("/a", 0), ""), abi.CodePkgAssets},
		{"folder", archive(1, entry("a/", 0), ""), abi.CodePkgAssets},
		{"doubled slash", archive(1, entry("a//b", 0), ""), abi.CodePkgAssets},
		{"NUL", archive(1, entry("a\x00", 0), ""), abi.CodePkgAssets},
		{"escape sequence", archive(1, entry("a\x1b[2J", 0), ""), abi.CodePkgAssets},
		{"not UTF-8", archive(1, entry("a\xff", 0), ""), abi.CodePkgAssets},
		{"long name", archive(1, entry(long, 0), ""), abi.CodePkgAssets},
		{"long component", archive(1, entry(strings.Repeat("a", 256), 0), ""), abi.CodePkgAssets},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ps := take(t, small())
			ps.blobs[1] = tc.b
			ps.m.Blobs[1].Length, ps.m.Blobs[1].Digest = uint64(len(tc.b)), seal.Sum(domainAssets, tc.b)
			e := refused(t, errorOf(verify(t, ps.sign(t, alice).bytes(t), ring, VerifyOptions{Now: now})), tc.code)
			if !strings.HasPrefix(e.Where, "blob assets at byte ") {
				t.Errorf("place %q", e.Where)
			}
		})
	}
}
