package gate_test

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/host"
)

// TestSystemFilesAreDenied: a grant of everything does not reach the kernel's own
// files, and the denial says so; what policy forbids it forbids first.
func TestSystemFilesAreDenied(t *testing.T) {
	root, err := host.OpenRoot("/", host.Keep{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	d := newDoor(t, `@id("hide") forbid (principal, action, resource in File::"/all/sys");`, provider.Mount{Guest: "/all", Root: root.Dir(), ReadOnly: true})
	read := func(p string) abi.Errno {
		return d.call(abi.PathOpen, 3, abi.LookupSymlinkFollow, p, 0, abi.RightFDRead, 0, 0)
	}
	for p, about := range map[string]string{
		"all/proc/self/environ":            "/all/proc/self/environ",
		"all/proc/self/mem":                "/all/proc/self/mem",
		"all/proc/self/root/etc/passwd":    "/all/proc/self/root/etc/passwd",
		"all/proc/1/environ":               "/all/proc/1/environ",
		"all/proc/1/cwd/../etc":            "/all/proc/1/etc",
		"all/proc":                         "/all/proc",
		"all/dev/../proc/self/fd/0":        "/all/proc/self/fd/0",
		"all/proc/../etc/hostname":         "/all/proc",
		"all/dev/pts/ptmx":                 "/all/dev/pts/ptmx",
		"all/dev/fd/../environ":            "/all/dev/fd", // a link to /proc/self/fd
		"all/proc/sys/kernel/core_pattern": "/all/proc/sys/kernel/core_pattern",
	} {
		if e := read(p); e != abi.ENOTCAPABLE || d.denied == nil || d.denied.Reason != abi.ReasonSystem && d.about != "/all/dev/fd" || d.about != about {
			t.Errorf("%s: %v, denied %+v about %q", p, e, d.denied, d.about)
			continue
		}
		if policy.Hint(d.denied, abi.Action(abi.PathOpen), &d.object, policy.Identity{Workload: "w"}) == "" || abi.CodeForReason(d.denied.Reason) == "" {
			t.Errorf("%s: a denial that does not say what to do", p)
		}
	}
	if e := read("all/sys/kernel/profiling"); e != abi.EACCES || d.denied.Reason != abi.ReasonForbid {
		t.Errorf("what is forbidden: %v %+v", e, d.denied)
	}
	if e := read("all/etc/passwd"); e != 0 {
		t.Errorf("an ordinary file: %v", e)
	}
}
