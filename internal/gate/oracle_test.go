package gate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// door is a gate with a true world and a true policy behind it.
type door struct {
	*gate.Gate
	world  *provider.World
	denied *abi.Decision // of the last call
	about  string
	object abi.Object
}

func (d *door) Reserve(c *abi.Call, _ *abi.Object) abi.Outcome {
	c.Out = make([]byte, c.OutCap)
	return abi.OutcomeNone
}

func (d *door) Commit(_ *abi.Call, o *abi.Object, _ *abi.Decision) { d.object = *o }

func (d *door) Denied(_ *abi.Call, o *abi.Object, by *abi.Decision) {
	d.denied, d.about = by, o.About()
}

type still struct{}

func (still) Now(uint32) (uint64, abi.Errno)        { return 1, 0 }
func (still) Resolution(uint32) (uint64, abi.Errno) { return 1, 0 }

// newDoor joins mounts under a policy's text. Grants are counted from 1.
func newDoor(t testing.TB, text string, mounts ...provider.Mount) *door {
	t.Helper()
	var grants []policy.Grant
	for i := range mounts {
		if !mounts[i].Base {
			grants = append(grants, policy.Grant{Host: "." + mounts[i].Guest, Guest: mounts[i].Guest, ReadOnly: mounts[i].ReadOnly})
			mounts[i].Grant = len(grants)
		}
	}
	p, err := policy.Compile([]policy.Source{policy.Base(), {Name: "u.cedar", Text: []byte(text)}}, policy.Identity{Workload: "w"}, 1,
		abi.Trust{P: 70, A: 100, C: 60, N: 100, R: 100}, grants)
	if err != nil {
		t.Fatal(err)
	}
	w, err := provider.New(provider.Config{Mounts: mounts, Clock: still{}, Random: func([]byte) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	d := &door{world: w}
	d.Gate = gate.New(w, p, d, d, gate.NewControl(), gate.Meter{})
	return d
}

// call makes a call: numbers go to the arguments, texts to the paths.
func (d *door) call(n abi.Num, args ...any) abi.Errno {
	var c abi.Call
	c.Reset(abi.Lookup(n), 0)
	paths := 0
	for i, a := range args {
		switch a := a.(type) {
		case string:
			c.Path[paths], c.Args[i] = a, uint64(len(a))
			paths++
		case int:
			c.Args[i] = uint64(a)
		case uint16:
			c.Args[i] = uint64(a)
		case uint32:
			c.Args[i] = uint64(a)
		case abi.Rights:
			c.Args[i] = uint64(a)
		}
	}
	if n == abi.PathReadlink {
		c.OutCap = 64
	}
	d.denied, d.about = nil, ""
	return d.Do(&c)
}

func memory() tree.Dir {
	return pure.NewScratch(func() uint64 { return uint64(time.Second) }, 1<<20, 1000)
}

// variants are what may be at x in a folder.
var variants = map[string]func(at tree.Dir){
	"missing":         func(tree.Dir) {},
	"file":            func(at tree.Dir) { put(at, "x") },
	"folder":          func(at tree.Dir) { at.Mkdir("x") },
	"full folder":     func(at tree.Dir) { at.Mkdir("x"); sub(at, "x", func(x tree.Dir) { put(x, "y"); x.Mkdir("d") }) },
	"folder in it":    func(at tree.Dir) { at.Mkdir("x"); sub(at, "x", func(x tree.Dir) { x.Mkdir("y") }) },
	"link to folder":  func(at tree.Dir) { at.Symlink("../pub", "x") },
	"link to file":    func(at tree.Dir) { at.Symlink("../pub/f", "x") },
	"link to nothing": func(at tree.Dir) { at.Symlink("../none/none", "x") },
	"absolute link":   func(at tree.Dir) { at.Symlink("/etc", "x") },
	"climbing link":   func(at tree.Dir) { at.Symlink("../../../..", "x") },
	"loop":            func(at tree.Dir) { at.Symlink("x", "x") },
	"link in it":      func(at tree.Dir) { at.Mkdir("x"); sub(at, "x", func(x tree.Dir) { x.Symlink("../../pub", "y") }) },
}

func put(at tree.Dir, name string) {
	f, _ := at.Open(name, tree.How{Write: true, Create: true})
	f.Close()
}

func sub(at tree.Dir, name string, f func(tree.Dir)) {
	d, _ := at.OpenDir(name)
	f(d)
	d.Close()
}

// guesses are the paths by which a guest may try to learn what x is, all by way
// of the folder secret.
var guesses = []string{
	"in/secret/x", "in/secret/x/", "in/secret/x/.", "in/secret/./x", "in/secret/x/..", "in/secret/x/../x", "in/secret/x/../../pub",
	"in/secret/x/../../pub/f", "in/secret/x/../../pub/none", "in/secret/x/../../../in/pub/f", "in/secret/x/../../../w/f", "in/secret/x/../../../w",
	"in/secret/x/../../../w/new", "in/secret/x/../../../none", "in/secret/x/../../../deep", "in/secret/x/../../../..", "in/secret/x/../../../../etc/passwd",
	"in/secret/x/y", "in/secret/x/y/..", "in/secret/x/y/../../../pub/f", "in/secret/x/y/../..", "in/secret/x/y/../../../../w/new", "in/secret/x/f",
	"in/pub/../secret/x/../../pub/f", "in/pub/by-x", "in/pub/by-x/", "in/pub/by-x/f", "in/pub/by-x/../f", "in/pub/over-x", "in/pub/over-x/f", "w/../in/secret/x/../../pub/f",
	"in/secret/x/../x/../x/../../pub/f", "in/secret/x/" + strings.Repeat("y/../", 100) + "../../pub/f", "in/secret/x/" + strings.Repeat("n", 256),
}

// calls are every function that takes a path, in forms that answer differently.
func calls(d *door, p string) map[string]func() abi.Errno {
	const follow = abi.LookupSymlinkFollow
	m := map[string]func() abi.Errno{
		"mkdir":    func() abi.Errno { return d.call(abi.PathCreateDirectory, 3, p) },
		"readlink": func() abi.Errno { return d.call(abi.PathReadlink, 3, p) },
		"rmdir":    func() abi.Errno { return d.call(abi.PathRemoveDirectory, 3, p) },
		"unlink":   func() abi.Errno { return d.call(abi.PathUnlinkFile, 3, p) },
	}
	for _, text := range []string{"f", "../../../../x", "/x"} {
		m["symlink "+text] = func() abi.Errno { return d.call(abi.PathSymlink, text, 3, p) }
	}
	for _, other := range []string{"w/f", "w/new", "in/pub/f", "none/x", "w", "w/d", "../x", "in/secret/z"} {
		m["rename to "+other] = func() abi.Errno { return d.call(abi.PathRename, 3, p, 3, other) }
		m["rename from "+other] = func() abi.Errno { return d.call(abi.PathRename, 3, other, 3, p) }
		m["link to "+other] = func() abi.Errno { return d.call(abi.PathLink, 3, 0, p, 3, other) }
		m["link from "+other] = func() abi.Errno { return d.call(abi.PathLink, 3, follow, other, 3, p) }
	}
	for _, flags := range []uint32{0, follow, 8} {
		tag := fmt.Sprint(" flags ", flags)
		m["stat"+tag] = func() abi.Errno { return d.call(abi.PathFilestatGet, 3, flags, p) }
		m["times"+tag] = func() abi.Errno { return d.call(abi.PathFilestatSetTimes, 3, flags, p, 0, 0, abi.FstMtimNow) }
		for _, oflags := range []uint16{0, abi.OFlagCreat, abi.OFlagCreat | abi.OFlagExcl, abi.OFlagTrunc, abi.OFlagDirectory, 1 << 12} {
			for _, rights := range []abi.Rights{abi.RightFDRead, abi.RightFDRead | abi.RightFDWrite} {
				m[fmt.Sprint("open", tag, " oflags ", oflags, " rights ", rights)] = func() abi.Errno {
					return d.call(abi.PathOpen, 3, flags, p, oflags, rights, rights, 0)
				}
			}
		}
	}
	return m
}

// TestNoOracle: whatever lies under a forbidden name, each call by way of it is
// answered alike, for the same reason.
func TestNoOracle(t *testing.T) {
	for name, text := range map[string]string{
		"in a folder": `@id("hide") forbid (principal, action, resource in File::"/in/secret");`,
		"like":        `@id("hide") forbid (principal, action, resource is File) when { resource.path like "/in/secret/*" };`,
	} {
		// The two links that lead there from outside have to stay.
		text += `forbid (principal, action in Action::"fs_write", resource is File) when { resource.path like "/in/pub/*-x" };`
		for _, ro := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " read-only ", ro), func(t *testing.T) {
				answers := map[string]map[string]string{} // by call and variant
				for variant, plant := range variants {
					in, w := memory(), memory()
					in.Mkdir("secret")
					in.Mkdir("pub")
					sub(in, "pub", func(pub tree.Dir) {
						put(pub, "f")
						pub.Symlink("../secret/x", "by-x")
						pub.Symlink("../secret/x/../../pub/f", "over-x")
					})
					sub(in, "secret", plant)
					put(w, "f")
					w.Mkdir("d")
					d := newDoor(t, text, provider.Mount{Guest: "/in", Root: in, ReadOnly: ro}, provider.Mount{Guest: "/w", Root: w},
						provider.Mount{Guest: "/deep/er", Root: memory(), Base: true})
					for _, p := range guesses {
						if name == "like" && (p == "in/secret/x/.." || p == "in/secret/x/y/../..") {
							// The folder itself is not forbidden here, and x is still on the way.
							continue
						}
						for what, do := range calls(d, p) {
							key := what + " " + p
							if answers[key] == nil {
								answers[key] = map[string]string{}
							}
							e := do()
							said := e.String()
							if d.denied != nil {
								said += " " + d.denied.Reason.String()
								if !strings.HasPrefix(d.about, "/in/secret") && len(d.denied.Rules) > 0 && d.denied.Rules[0].ID == "hide" && !strings.HasPrefix(d.object.Name2, "/in/secret") {
									t.Fatalf("%s: the denial is about %q", key, d.about)
								}
								if h := policy.Hint(d.denied, abi.Action(abi.PathOpen), &d.object, policy.Identity{Workload: "w"}); h == "" {
									t.Fatalf("%s: a denial without a hint", key)
								}
							}
							answers[key][variant] = said
						}
					}
				}
				wrong := 0
				for key, by := range answers {
					for variant, said := range by {
						if said != by["missing"] && wrong < 20 {
							t.Errorf("%s: %s: %s, missing: %s", key, variant, said, by["missing"])
							wrong++
						}
					}
				}
				if len(answers) < 1000 {
					t.Errorf("only %d calls", len(answers))
				}
			})
		}
	}
}
