package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestSystemFilesAreNoGrant: what the kernel shows of itself can't be mounted.
func TestSystemFilesAreNoGrant(t *testing.T) {
	for _, path := range []string{"/proc", "/proc/self", "/proc/self/fd", "/sys", "/sys/kernel", "/dev/pts"} {
		r, err := OpenRoot(path, Keep{})
		if err == nil {
			r.Close()
		}
		if !errors.Is(err, &abi.Error{Code: "F1-FIL-010"}) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSystemFiles: nor does a grant reach them where they are mounted inside it.
func TestSystemFiles(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		_, d := open(t, "/", old)
		for _, rel := range []string{"proc", "proc/self", "proc/1/root", "proc/self/task", "sys", "sys/kernel", "sys/fs/cgroup", "dev/pts"} {
			_, e := d.Beneath(rel)
			want(t, rel, e, abi.ENOTCAPABLE)
		}
		for _, name := range []string{"proc", "sys"} {
			_, e := d.OpenDir(name)
			want(t, "open "+name, e, abi.ENOTCAPABLE)
			_, e = d.Lstat(name)
			want(t, "lstat "+name, e, abi.ENOTCAPABLE)
		}
		sub, e := d.Beneath("dev/shm") // memory, but files
		must(t, e)
		f, e := sub.Open("forgeone-test", tree.How{Read: true, Write: true, Create: true})
		must(t, e)
		f.Close()
		must(t, sub.Unlink("forgeone-test"))
		sub.Close()
	})
}

// mounted runs f in a mount namespace of its own.
func mounted(t *testing.T, f func(mount func(source, target, kind string, flags uintptr))) {
	t.Helper()
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and its mounts with it
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			t.Logf("needs the right to mount: %v", err)
			done <- false
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Error(err)
			return
		}
		f(func(source, target, kind string, flags uintptr) {
			if err := unix.Mount(source, target, kind, flags, ""); err != nil {
				t.Errorf("mount %s at %s: %v", source, target, err)
			}
		})
	}()
	if ran, sent := <-done; sent && !ran {
		t.Skip("mounting is not permitted to this process")
	}
}

// TestMountInAMount: other storage that is mounted inside a grant belongs to it; a
// file or folder of the kernel's does not, however it came there.
func TestMountInAMount(t *testing.T) {
	for mode, old := range map[string]bool{"new": false, "old": true} {
		t.Run(mode, func(t *testing.T) {
			box := t.TempDir()
			for _, name := range []string{"tmp", "bound", "proc", "sysfs", "dir/sub"} {
				check(t, os.MkdirAll(filepath.Join(box, name), 0o755))
			}
			for _, name := range []string{"environ", "mem", "onefile", "dir/sub/f"} {
				write(t, filepath.Join(box, name), "text")
			}
			mounted(t, func(mount func(source, target, kind string, flags uintptr)) {
				in := func(name string) string { return filepath.Join(box, name) }
				mount("none", in("tmp"), "tmpfs", 0)
				check(t, os.MkdirAll(in("tmp/inner/more"), 0o755))
				mount("none", in("tmp/inner"), "tmpfs", 0)
				check(t, os.MkdirAll(in("tmp/inner/more/yet"), 0o755))
				mount("/proc", in("proc"), "", unix.MS_BIND)
				mount("/sys/kernel", in("sysfs"), "", unix.MS_BIND)
				mount("/proc/self/environ", in("environ"), "", unix.MS_BIND)
				mount("/proc/self/mem", in("mem"), "", unix.MS_BIND)
				mount(in("dir"), in("bound"), "", unix.MS_BIND)
				mount(in("dir/sub/f"), in("onefile"), "", unix.MS_BIND)

				_, d := open(t, box, old)
				for _, rel := range []string{"proc", "proc/self", "proc/self/root", "sysfs", "sysfs/debug"} {
					_, e := d.Beneath(rel)
					want(t, rel, e, abi.ENOTCAPABLE)
				}
				for _, name := range []string{"environ", "mem"} {
					_, e := d.Lstat(name)
					want(t, "lstat "+name, e, abi.ENOTCAPABLE)
					for _, how := range []tree.How{{Read: true}, {Read: true, Write: true}, {Write: true, Create: true, Truncate: true}} {
						_, e = d.Open(name, how)
						want(t, "open "+name, e, abi.ENOTCAPABLE)
					}
					want(t, "unlink "+name, d.Unlink(name), abi.EBUSY)
				}
				fd, err := unix.Open(in("environ"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
				check(t, err)
				want(t, "what came there meanwhile", settle(fd, d.(*folder).dev, &kept{}, false), abi.ENOTCAPABLE)
				unix.Close(fd)

				for rel, name := range map[string]string{"tmp": "f", "tmp/inner/more/yet": "f", "bound/sub": "f", "bound": "g"} {
					sub, e := d.Beneath(rel)
					must(t, e)
					f, e := sub.Open(name, tree.How{Read: true, Write: true, Create: true})
					must(t, e)
					_, e = f.Pwrite([]byte("mine"), 0)
					must(t, e)
					f.Close()
					if rel != "bound" { // the same file system, and yet another mount
						want(t, "move out of "+rel, sub.Rename(name, d, "moved"), abi.EXDEV)
						want(t, "link out of "+rel, sub.Link(name, d, "linked"), abi.EXDEV)
					}
					sub.Close()
				}
				f, e := d.Open("onefile", tree.How{Read: true})
				must(t, e)
				f.Close()
				if got := read(t, in("dir/sub/f")); got != "mine" {
					t.Errorf("the bound folder holds %q", got)
				}
				for _, name := range []string{"tmp", "proc", "bound"} {
					want(t, "rmdir "+name, d.Rmdir(name), abi.EBUSY)
					want(t, "rename "+name, d.Rename(name, d, "elsewhere"), abi.EBUSY)
				}
			})
		})
	}
}
