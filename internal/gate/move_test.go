package gate_test

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestMovingIsAccess: no file or folder gets to where more may be done with it,
// neither by rename nor by link, nor by way of a folder that is moved, a link that
// is followed, or another mount.
func TestMovingIsAccess(t *testing.T) {
	const (
		rename = abi.PathRename
		link   = abi.PathLink
	)
	fill := func() tree.Dir {
		d := memory()
		for _, name := range []string{"sealed", "open", "plain"} {
			d.Mkdir(name)
			sub(d, name, func(at tree.Dir) {
				put(at, "f")
				at.Mkdir("d")
				sub(at, "d", func(at tree.Dir) { put(at, "key.pem") })
			})
		}
		d.Symlink("sealed", "to-sealed")
		d.Symlink("open", "to-open")
		return d
	}
	for _, c := range []struct {
		n        abi.Num
		from, to string
		e        abi.Errno
		reason   abi.Reason // of a denial
	}{
		{rename, "w/plain/f", "w/plain/g", 0, 0},
		{rename, "w/plain/f", "w/sealed/g", 0, 0}, // less may be done with it there
		{link, "w/plain/f", "w/sealed/g", 0, 0},
		{rename, "w/sealed/f", "w/sealed/g", 0, 0},
		{rename, "w/sealed/f", "w/plain/g", abi.EACCES, abi.ReasonMove},
		{link, "w/sealed/f", "w/plain/g", abi.EACCES, abi.ReasonMove},
		{rename, "w/to-sealed/f", "w/plain/g", abi.EACCES, abi.ReasonMove},
		{link, "w/to-sealed/f", "w/to-open/g", abi.EACCES, abi.ReasonMove},
		{rename, "w/plain/../sealed/f", "w/sealed/../plain/g", abi.EACCES, abi.ReasonMove},
		{rename, "w/sealed/d", "w/plain/e", abi.EACCES, abi.ReasonMove},
		{rename, "w/sealed", "w/renamed", abi.EACCES, abi.ReasonMove},            // takes what is beneath along
		{rename, "w/plain/d", "w/open/e", abi.EACCES, abi.ReasonMove},            // a rule lies beneath the destination
		{rename, "w/plain/d/key.pem", "w/plain/key", abi.EACCES, abi.ReasonMove}, // sealed by its ending
		{link, "w/plain/d/key.pem", "w/plain/key", abi.EACCES, abi.ReasonMove},
		{rename, "w/sealed/f", "more/g", abi.EXDEV, 0},
		{link, "w/sealed/f", "more/g", abi.EXDEV, 0},
		{rename, "w/sealed/d", "more/g", abi.EXDEV, 0},
		{rename, "ro/plain/f", "w/plain/g", abi.EROFS, abi.ReasonReadOnly},
		{link, "ro/plain/f", "w/plain/g", abi.EXDEV, 0},
		{rename, "w/plain/f", "ro/plain/g", abi.EROFS, abi.ReasonReadOnly},
	} {
		d := newDoor(t, `
			forbid (principal, action == Action::"fd_read", resource in File::"/w/sealed");
			forbid (principal, action == Action::"fd_read", resource is File) when { resource.path like "*.pem" };
			permit (principal, action, resource == File::"/w/open/e/special");`,
			provider.Mount{Guest: "/w", Root: fill()}, provider.Mount{Guest: "/more", Root: fill()}, provider.Mount{Guest: "/ro", Root: fill(), ReadOnly: true})
		var e abi.Errno
		if c.n == rename {
			e = d.call(rename, 3, c.from, 3, c.to)
		} else {
			e = d.call(link, 3, abi.LookupSymlinkFollow, c.from, 3, c.to)
		}
		reason := abi.ReasonNone
		if d.denied != nil {
			reason = d.denied.Reason
		}
		// Where policy sees a move that widens access between mounts, it may say so first.
		if c.e == abi.EXDEV && e == abi.EACCES && reason == abi.ReasonMove {
			continue
		}
		if e != c.e || reason != c.reason {
			t.Errorf("%s %s %s: %v %q, want %v %q", abi.Lookup(c.n).Name, c.from, c.to, e, reason, c.e, c.reason)
		}
	}
}
