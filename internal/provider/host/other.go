//go:build !linux

package host

import (
	"os"
	"runtime"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Root is a granted host folder. There are none on this system.
type Root struct{}

// OpenRoot answers F1-FIL-004.
func OpenRoot(path string, _ Keep) (*Root, error) {
	return nil, unsupported("a host folder", path)
}

// Dir returns nil: OpenRoot makes no Root that it could be called on.
func (*Root) Dir() tree.Dir { return nil }

// Close does nothing.
func (*Root) Close() error { return nil }

// Random answers F1-FIL-004.
func Random([]byte) error { return unsupported("randomness for guests", "") }

// NewStdin makes an input of f, as NewReader does.
func NewStdin(f *os.File) *Stream { return NewReader(f) }

// NewStdout makes an output of f, as NewWriter does.
func NewStdout(f *os.File) *Stream { return NewWriter(f) }

// Listen answers F1-FIL-004, or F1-RUN-160 for what is no address.
func Listen(addr string) (sock.Listener, error) {
	if _, err := ParseAddress(addr); err != nil {
		return nil, err
	}
	return nil, unsupported("a socket for guests", addr)
}

// WaitSockets returns at once: there are no sockets on this system.
func WaitSockets([]sock.Interest, time.Duration, <-chan struct{}) {}

func unsupported(what, where string) error {
	return &abi.Error{Code: "F1-FIL-004", What: what + " needs Linux, and this is " + runtime.GOOS, Where: where, Hint: "forgeone explain F1-FIL-004"}
}

func errnoOf(error) abi.Errno { return abi.EIO }
