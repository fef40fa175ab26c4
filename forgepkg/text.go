package forgepkg

import (
	"bytes"
	"cmp"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// validName: [a-z0-9][a-z0-9._-]{0,63}.
func validName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i, c := range []byte(s) {
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// validVersion: a semantic version (semver.org, 2.0.0) of at most maxVersion bytes.
func validVersion(s string) bool {
	if len(s) > maxVersion {
		return false
	}
	s, build, hasBuild := strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(s, "-")
	if hasBuild && !identifiers(build, true) || hasPre && !identifiers(pre, false) {
		return false
	}
	return validRelease(core)
}

// validRelease: MAJOR.MINOR.PATCH, each a 32-bit number without leading zeros.
func validRelease(s string) bool {
	_, ok := release(s)
	return ok
}

func release(s string) (n [3]uint64, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return n, false
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil || strconv.FormatUint(v, 10) != p {
			return n, false
		}
		n[i] = v
	}
	return n, true
}

// older tells whether release a comes before b.
func older(a, b [3]uint64) bool {
	for i := range a {
		if c := cmp.Compare(a[i], b[i]); c != 0 {
			return c < 0
		}
	}
	return false
}

func identifiers(s string, leadingZeros bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		digits := true
		for _, c := range []byte(id) {
			switch {
			case '0' <= c && c <= '9':
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-':
				digits = false
			default:
				return false
			}
		}
		if id == "" || digits && !leadingZeros && len(id) > 1 && id[0] == '0' {
			return false
		}
	}
	return true
}

// validText: printable, so that no manifest can draw on a terminal.
func validText(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// validGuest: an absolute, clean path that is not the root.
func validGuest(s string) bool {
	return len(s) > 1 && s[0] == '/' && path.Clean(s) == s && validText(s, 1024)
}

const (
	maxAssetName      = 1024
	maxAssetComponent = 255
)

// validAsset: a relative, clean, slash-separated name without control characters.
func validAsset(s string) bool {
	if s == "" || len(s) > maxAssetName || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return false
	}
	for c := range strings.SplitSeq(s, "/") {
		if c == "" || c == "." || c == ".." || len(c) > maxAssetComponent {
			return false
		}
	}
	return true
}

// clip shortens a stranger's text for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// ascending tells whether s is in strictly ascending order.
func ascending[T any](s []T, compare func(a, b T) int) bool {
	for i := 1; i < len(s); i++ {
		if compare(s[i-1], s[i]) >= 0 {
			return false
		}
	}
	return true
}

func compareDigests(a, b abi.Digest) int { return bytes.Compare(a[:], b[:]) }
