package kernel_test

import (
	"os"
	"testing"

	"github.com/forgeone/forgeone/internal/kernel"
)

func TestMain(m *testing.M) {
	kernel.Main() // modules are compiled in children of this binary
	os.Exit(m.Run())
}
