package host

import (
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
)

// swapEnv names the folder in which a process of this test swaps names.
const swapEnv = "FORGEONE_TEST_SWAP"

// swapped are the names that are given to each other, over and over: a folder, links
// that lead out, files, what must not be opened. They are swapped at the root of the
// grant and deep in it; the folders on the way there are moved about as well.
var swapped = []string{"d", "out", "out2", "out3", "y", "fifo", "d", "out"}

// TestSwapper is not a test: it is the other process of TestRaceWithAProcess. It
// swaps until its input ends.
func TestSwapper(t *testing.T) {
	box := os.Getenv(swapEnv)
	if box == "" {
		return
	}
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	var places []int
	for _, dir := range []string{".", "n/m"} {
		fd, err := unix.Open(filepath.Join(box, dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		check(t, err)
		places = append(places, fd)
	}
	for !stop.Load() {
		for _, fd := range places {
			// The guests may have removed either: what is gone is not swapped.
			_ = unix.Renameat2(fd, "x", fd, swapped[rand.IntN(len(swapped))], unix.RENAME_EXCHANGE)
		}
		switch rand.IntN(8) {
		case 0:
			_ = unix.Renameat2(places[0], "n", places[0], "d", unix.RENAME_EXCHANGE)
		case 1:
			_ = unix.Renameat2(places[0], "n", places[0], "moved", unix.RENAME_EXCHANGE)
		case 2:
			_ = unix.Renameat2(places[0], "n", places[0], "out", unix.RENAME_EXCHANGE)
		}
	}
}

// TestRaceWithAProcess has guests make every kind of call on names that another
// process keeps giving to folders, files and links out of the grant, a million
// times. Nothing outside may be read, listed, made or changed.
func TestRaceWithAProcess(t *testing.T) {
	tries := int64(500_000) // for each way of resolving
	if testing.Short() {
		tries = 20_000
	}
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		box, outside := filepath.Join(base, "box"), filepath.Join(base, "outside")
		for _, dir := range []string{filepath.Join(outside, "d"), filepath.Join(box, "d"), filepath.Join(box, "n", "m", "d"), filepath.Join(box, "moved", "m")} {
			check(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
			text := "inside"
			if strings.HasPrefix(dir, outside) {
				text = "SECRET"
				write(t, filepath.Join(outside, "d", "only-outside"), text)
				write(t, filepath.Join(outside, "secret"), text)
			}
			write(t, filepath.Join(dir, "f"), text)
			write(t, filepath.Join(dir, "secret"), text)
			write(t, filepath.Join(dir, "sub", "f"), text)
		}
		for _, at := range []string{box, filepath.Join(box, "n", "m")} {
			up := strings.Repeat("../", strings.Count(strings.TrimPrefix(at, base), "/"))
			check(t, os.Symlink(filepath.Join(outside, "d"), filepath.Join(at, "out")))
			check(t, os.Symlink(up+"outside/d", filepath.Join(at, "out2")))
			check(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(at, "out3")))
			write(t, filepath.Join(at, "x"), "inside")
			write(t, filepath.Join(at, "y"), "inside")
			check(t, unix.Mkfifo(filepath.Join(at, "fifo"), 0o644))
		}
		before := picture(t, outside)

		r, _ := open(t, box, old)
		swapper := exec.Command(os.Args[0], "-test.run=^TestSwapper$")
		swapper.Env = append(os.Environ(), swapEnv+"="+box)
		stop, err := swapper.StdinPipe()
		check(t, err)
		swapper.Stderr = os.Stderr
		check(t, swapper.Start())
		defer func() {
			stop.Close()
			check(t, swapper.Wait())
			if after := picture(t, outside); after != before {
				t.Errorf("outside was\n%s\nand is\n%s", before, after)
			}
		}()

		var left atomic.Int64
		left.Store(tries)
		var mu sync.Mutex
		answers := map[abi.Errno]int{}
		var wg sync.WaitGroup
		for range 2 {
			g := &racer{guest: newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()}), t: t, answers: map[abi.Errno]int{}}
			wg.Go(func() {
				for left.Load() > 0 && !t.Failed() {
					left.Add(-int64(g.round()))
				}
				mu.Lock()
				defer mu.Unlock()
				for e, n := range g.answers {
					answers[e] += n
				}
			})
		}
		wg.Wait()
		t.Logf("%d tries: %v", tries-left.Load(), answers)
		for _, e := range []abi.Errno{0, abi.ENOTCAPABLE, abi.ENOENT, abi.ENOTDIR, abi.EISDIR, abi.ENOTSUP} {
			if answers[e] == 0 {
				t.Errorf("%v was never answered: the test does not reach what it is for", e)
			}
		}
	})
}

// racer is a guest among swapped names.
type racer struct {
	*guest
	t       *testing.T
	answers map[abi.Errno]int
}

func (g *racer) note(e abi.Errno) bool {
	g.answers[e]++
	return e == 0
}

// raced are paths to folders, with and without "..", that the names lie on.
var raced = []string{"m/x", "m/x/sub", "m/x/sub/..", "m/n/m/x", "m/n/m/x/sub", "m/n/../x", "m/n/m/x/../../../x", "m/n/m/../m/x/sub/..", "m/x/../x", "m/d/sub/../../x"}

// round makes every kind of call once and returns how many it made.
func (g *racer) round() int {
	n := 0
	for _, c := range g.answers {
		n -= c
	}
	dir := raced[rand.IntN(len(raced))]
	for _, p := range []string{"m/x", dir + "/f", dir} {
		if text, e := g.read(3, p); g.note(e) && strings.Contains(text, "SECRET") {
			g.t.Errorf("%s: the secret was read", p)
		}
		g.note(g.do(abi.PathFilestatGet, 3, follow, p))
		g.note(g.do(abi.PathFilestatSetTimes, 3, follow, p, 0, 0, abi.FstAtimNow|abi.FstMtimNow))
		g.note(g.do(abi.PathReadlink, 3, p))
		for _, oflags := range []uint16{0, abi.OFlagCreat, abi.OFlagCreat | abi.OFlagTrunc} {
			fd, e := g.open(3, p, oflags, abi.RightFDRead|abi.RightFDWrite)
			if g.note(e) {
				g.note(g.do(abi.FdWrite, fd, []byte("inside")))
				g.note(g.do(abi.FdClose, fd))
			}
		}
	}
	g.note(g.do(abi.PathCreateDirectory, 3, dir+"/made"))
	g.note(g.do(abi.PathSymlink, "f", 3, dir+"/link"))
	g.note(g.do(abi.PathLink, 3, follow, dir+"/f", 3, dir+"/hard"))
	g.note(g.do(abi.PathLink, 3, 0, "m/y", 3, dir+"/hard"))
	g.note(g.do(abi.PathRename, 3, dir+"/f", 3, dir+"/g"))
	g.note(g.do(abi.PathRename, 3, dir+"/g", 3, dir+"/f"))
	g.note(g.do(abi.PathRename, 3, dir+"/made", 3, dir+"/made2"))
	for _, name := range []string{"link", "hard"} {
		g.note(g.do(abi.PathUnlinkFile, 3, dir+"/"+name))
	}
	for _, name := range []string{"made", "made2"} {
		g.note(g.do(abi.PathRemoveDirectory, 3, dir+"/"+name))
	}
	if fd, e := g.open(3, dir, abi.OFlagDirectory, toList); g.note(e) {
		g.list(fd, dir)
		// What is held stays what it was, whatever has its name by now.
		if text, e := g.read(fd, "f"); g.note(e) && strings.Contains(text, "SECRET") {
			g.t.Errorf("%s, held: the secret was read", dir)
		}
		g.note(g.do(abi.PathCreateDirectory, fd, "made"))
		g.note(g.do(abi.PathRemoveDirectory, fd, "made"))
		g.note(g.do(abi.FdClose, fd))
	}
	for _, c := range g.answers {
		n += c
	}
	return n
}

// list lists the folder fd. A name of those outside tells that it is not inside.
func (g *racer) list(fd int, dir string) {
	if g.note(g.do(abi.FdReaddir, fd, 0, uint64(0))) && strings.Contains(string(g.call.Out[:g.call.OutLen]), "only-outside") {
		g.t.Errorf("%s: outside was listed", dir)
	}
}
