package host

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Limits of Linux, answered alike whichever way a name is resolved.
const (
	maxName = 255
	maxPath = 4095
)

// checkName tells whether name is one component: ESUCCESS, EINVAL, or
// ENAMETOOLONG past 255 bytes.
func checkName(name string) abi.Errno {
	if name == "" || name == "." || name == ".." {
		return abi.EINVAL
	}
	for i := range len(name) {
		if name[i] == '/' || name[i] == 0 {
			return abi.EINVAL
		}
	}
	if len(name) > maxName {
		return abi.ENAMETOOLONG
	}
	return abi.ESUCCESS
}

// checkRel tells whether rel is one or more components joined by single slashes.
func checkRel(rel string) abi.Errno {
	for rest, more := rel, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if e := checkName(name); e != abi.ESUCCESS {
			return e
		}
	}
	if len(rel) > maxPath {
		return abi.ENAMETOOLONG
	}
	return abi.ESUCCESS
}
