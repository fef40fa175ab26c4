package host

import (
	"net/netip"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Codes of what Listen answers.
const (
	CodeAddress abi.Code = "F1-RUN-160"
	CodeListen  abi.Code = "F1-RUN-161"
)

// ParseAddress reads ADDRESS:PORT: an address of the machine as a number, never
// a name, and a port, 0 to have one chosen. What has no address is refused rather
// than taken for all of them.
func ParseAddress(s string) (netip.AddrPort, error) {
	bad := func(why, hint string) (netip.AddrPort, error) {
		return netip.AddrPort{}, &abi.Error{Code: CodeAddress, What: "a run can't listen there: " + why, Where: s, Hint: "--listen " + hint}
	}
	a, err := netip.ParseAddrPort(s)
	if err == nil && a.Addr().Zone() == "" {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return bad("want ADDRESS:PORT", "127.0.0.1:8080")
	}
	host, port := s[:i], s[i+1:]
	if _, err := netip.ParseAddrPort("127.0.0.1:" + port); err != nil {
		return bad("the port is a number from 0 to 65535", "127.0.0.1:8080")
	}
	switch {
	case host == "":
		return bad("it names no address, and all of them is not what is meant by that", "127.0.0.1:"+port)
	case host == "localhost":
		return bad("names are not looked up", "127.0.0.1:"+port)
	case strings.ContainsRune(host, ':'):
		return bad("an IPv6 address stands in brackets, without a zone", "[::1]:"+port)
	}
	return bad("names are not looked up: the address is a number", "127.0.0.1:"+port)
}
