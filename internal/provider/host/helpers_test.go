package host

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// must fails the test unless e is ESUCCESS.
func must(t testing.TB, e abi.Errno) {
	t.Helper()
	if e != abi.ESUCCESS {
		t.Fatalf("unexpected %v", e)
	}
}

// want fails the test unless got is want.
func want(t testing.TB, what string, got, want abi.Errno) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
