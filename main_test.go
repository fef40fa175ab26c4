package forgeone_test

import (
	"os"
	"testing"

	"github.com/forgeone/forgeone"
)

func TestMain(m *testing.M) {
	forgeone.Main() // modules are compiled in children of this binary
	os.Exit(m.Run())
}
