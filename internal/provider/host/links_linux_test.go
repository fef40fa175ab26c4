package host

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
)

// linked makes a guest whose world has links.
func linked(t *testing.T, box string, links provider.Links) *guest {
	t.Helper()
	_, d := open(t, box, false)
	w, err := provider.New(provider.Config{Mounts: []provider.Mount{{Guest: "/m", Root: d, Grant: 1}}, Clock: NewClock(), Random: Random, Links: links})
	check(t, err)
	t.Cleanup(w.Close)
	return &guest{w: w}
}

// linksOut lists the links beneath box that lead above it by the plain rules.
func linksOut(t *testing.T, box string) (found []string) {
	t.Helper()
	check(t, filepath.WalkDir(box, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		to, err := os.Readlink(p)
		if rel, relErr := filepath.Rel(box, filepath.Join(filepath.Dir(p), to)); relErr == nil && strings.HasPrefix(rel, "..") {
			found = append(found, p+" -> "+to)
		}
		return err
	}))
	return found
}

// TestLinkMeetsMove: what another run does between the moment at which a call is decided
// on and its effect is seen: no link is planted that climbs.
func TestLinkMeetsMove(t *testing.T) {
	deep := func(t *testing.T) string {
		box := t.TempDir()
		check(t, os.MkdirAll(filepath.Join(box, "a", "b", "c"), 0o755))
		return box
	}
	free := func(f func()) provider.Links {
		var once sync.Once
		return func(bool, <-chan struct{}) func() { once.Do(f); return func() {} }
	}
	t.Run("the folder of a new link is moved up", func(t *testing.T) {
		box := deep(t)
		g := linked(t, box, free(func() { check(t, os.Rename(filepath.Join(box, "a", "b", "c"), filepath.Join(box, "c"))) }))
		c, e := g.open(3, "m/a/b/c", abi.OFlagDirectory, toList)
		must(t, e)
		want(t, "symlink", g.do(abi.PathSymlink, "../../x", c, "l"), abi.EAGAIN)
		want(t, "again", g.do(abi.PathSymlink, "../../x", c, "l"), abi.ENOTCAPABLE)
		want(t, "one that does not climb", g.do(abi.PathSymlink, "../x", c, "l"), abi.ESUCCESS)
		if l := linksOut(t, box); len(l) > 0 {
			t.Error(l)
		}
	})
	t.Run("a link is made in a folder that is moved up", func(t *testing.T) {
		box := deep(t)
		g := linked(t, box, free(func() { check(t, os.Symlink("../../x", filepath.Join(box, "a", "b", "c", "l"))) }))
		want(t, "rename", g.do(abi.PathRename, 3, "m/a/b/c", 3, "m/c"), abi.EXDEV)
		if l := linksOut(t, box); len(l) > 0 {
			t.Error(l)
		}
	})
	t.Run("a link's new folder is moved up", func(t *testing.T) {
		box := deep(t)
		check(t, os.MkdirAll(filepath.Join(box, "a", "b", "d"), 0o755))
		check(t, os.Symlink("../../x", filepath.Join(box, "a", "b", "c", "l")))
		g := linked(t, box, free(func() { check(t, os.Rename(filepath.Join(box, "a", "b", "d"), filepath.Join(box, "d"))) }))
		d, e := g.open(3, "m/a/b/d", abi.OFlagDirectory, toList)
		must(t, e)
		want(t, "rename", g.do(abi.PathRename, 3, "m/a/b/c/l", d, "l"), abi.EAGAIN)
		want(t, "again", g.do(abi.PathRename, 3, "m/a/b/c/l", d, "l"), abi.EXDEV)
		want(t, "link", g.do(abi.PathLink, 3, 0, "m/a/b/c/l", d, "l"), abi.EXDEV)
		if l := linksOut(t, box); len(l) > 0 {
			t.Error(l)
		}
	})
	t.Run("others don't let go", func(t *testing.T) {
		g := linked(t, deep(t), func(bool, <-chan struct{}) func() { return nil })
		want(t, "symlink", g.do(abi.PathSymlink, "x", 3, "m/l"), abi.EAGAIN)
		want(t, "rename", g.do(abi.PathRename, 3, "m/a/b/c", 3, "m/c"), abi.EAGAIN)
		want(t, "a file", second(g.open(3, "m/f", abi.OFlagCreat, abi.RightFDWrite)), abi.ESUCCESS)
		want(t, "which may be a link when it is moved", g.do(abi.PathRename, 3, "m/f", 3, "m/a/f"), abi.EAGAIN)
	})
}

// one is a lock on links for the runs of a test.
func one() provider.Links {
	var mu sync.RWMutex
	return func(alone bool, _ <-chan struct{}) func() {
		if alone {
			mu.Lock()
			return mu.Unlock
		}
		mu.RLock()
		return mu.RUnlock
	}
}

// TestLinksRaceMoves: two runs that share a mount, one of which moves a folder up and
// down and the other makes links in it, plant none that climbs.
func TestLinksRaceMoves(t *testing.T) {
	box := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(box, "a", "b", "c"), 0o755))
	links := one()
	mover, maker := linked(t, box, links), linked(t, box, links)
	stop := time.Now().Add(500 * time.Millisecond)
	var both sync.WaitGroup
	moves, made := 0, 0
	both.Go(func() {
		for time.Now().Before(stop) {
			if mover.do(abi.PathRename, 3, "m/a/b/c", 3, "m/c") != abi.ESUCCESS {
				continue // there is a link in it
			}
			moves++
			entries, _ := os.ReadDir(filepath.Join(box, "c"))
			for _, l := range entries {
				t.Errorf("%s lies in the folder that was moved up", l.Name())
			}
			mover.do(abi.PathRename, 3, "m/c", 3, "m/a/b/c")
		}
	})
	both.Go(func() {
		for i := 0; time.Now().Before(stop); i++ {
			name := fmt.Sprintf("m/a/b/c/l%d", i)
			if maker.do(abi.PathSymlink, "../../x", 3, name) == abi.ESUCCESS {
				made++
				maker.do(abi.PathUnlinkFile, 3, name)
			}
		}
	})
	both.Wait()
	t.Logf("%d moves, %d links", moves, made)
	if moves == 0 || made == 0 {
		t.Error("they did not meet")
	}
}

// TestLinksSwapped: one run moves what lies deep up, or gives it another name there,
// while another puts a link that is harmless there only in its place.
func TestLinksSwapped(t *testing.T) {
	for name, way := range map[string]struct {
		up    func(g *guest) abi.Errno // to m/l
		first func(g *guest)           // makes what is replaced, m/a/b/c/l
	}{
		"a link is renamed": {
			func(g *guest) abi.Errno { return g.do(abi.PathRename, 3, "m/a/b/c/l", 3, "m/l") },
			func(g *guest) { g.do(abi.PathSymlink, "x", 3, "m/a/b/c/l") },
		},
		"a link is linked": {
			func(g *guest) abi.Errno { return g.do(abi.PathLink, 3, 0, "m/a/b/c/l", 3, "m/l") },
			func(g *guest) { g.do(abi.PathSymlink, "x", 3, "m/a/b/c/l") },
		},
		"a file is renamed": {
			func(g *guest) abi.Errno { return g.do(abi.PathRename, 3, "m/a/b/c/l", 3, "m/l") },
			func(g *guest) {
				if f, e := g.open(3, "m/a/b/c/l", abi.OFlagCreat, abi.RightFDWrite); e == 0 {
					g.do(abi.FdClose, f)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			box := t.TempDir()
			check(t, os.MkdirAll(filepath.Join(box, "a", "b", "c"), 0o755))
			links := one()
			mover, maker := linked(t, box, links), linked(t, box, links)
			done, moves := make(chan struct{}), 0
			var both sync.WaitGroup
			both.Go(func() {
				defer close(done)
				for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
					if way.up(mover) != abi.ESUCCESS {
						continue
					}
					moves++
					if to, err := os.Readlink(filepath.Join(box, "l")); err == nil && to == "../../x" {
						t.Errorf("a link that climbs, after %d moves", moves)
						return
					}
					mover.do(abi.PathUnlinkFile, 3, "m/l")
				}
			})
			both.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						way.first(maker)
						maker.do(abi.PathSymlink, "../../x", 3, "m/a/b/c/k")
						maker.do(abi.PathRename, 3, "m/a/b/c/k", 3, "m/a/b/c/l")
						maker.do(abi.PathUnlinkFile, 3, "m/a/b/c/l")
					}
				}
			})
			both.Wait()
			if moves == 0 {
				t.Error("nothing was moved")
			}
		})
	}
}
