package kernel

import (
	"encoding/hex"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/sock"
	"github.com/forgeone/forgeone/internal/seal"
)

// What is there without a grant.
const (
	AssetsFolder  = "/assets" // a package's assets, read-only
	ScratchFolder = "/tmp"    // in memory, gone with the run; Limits.Scratch bounds it
	scratchNodes  = 10_000
)

// args are the guest's, its own name first.
func (r *run) args() []string {
	return append([]string{r.w.name}, r.spec.Args...)
}

// grants are the mounts as policy and its hints know them.
func (r *run) grants() (gs []policy.Grant) {
	for _, m := range r.spec.Mounts {
		gs = append(gs, policy.Grant{Host: m.Host, Guest: m.Guest, ReadOnly: m.ReadOnly})
	}
	return gs
}

func (w *workload) identity() policy.Identity {
	return policy.Identity{Workload: w.name, Publisher: w.publisher, Standing: w.standing, Bare: w.bare}
}

// commit binds a payload that may hold personal data to the log without
// showing it: a MAC under the recording key, with the run's id as salt.
func (k *Kernel) commit(domain string, id abi.RunID, payload []byte) abi.Digest {
	return seal.Authenticate(k.keys.Recording.Derive(string(id)), domain, payload)
}

func newRunID() abi.RunID {
	var b [8]byte
	seal.Random(b[:])
	return abi.RunID("r" + hex.EncodeToString(b[:]))
}

// world puts together what the run is given.
func (r *run) world(limits abi.Limits) (*provider.World, func(), error) {
	var roots []*host.Root
	var listeners []sock.Listener
	closeRoots := func() {
		for _, h := range roots {
			h.Close()
		}
	}
	closeAll := func() {
		closeRoots()
		for _, l := range listeners {
			l.Close()
		}
	}
	c := provider.Config{
		Args: r.args(), Env: r.spec.Env, Stdin: r.spec.Stdin, Stdout: r.spec.Stdout, Stderr: r.spec.Stderr,
		Clock: host.NewClock(), Random: host.Random, Descriptors: limits.Descriptors, Output: limits.Output, Disk: limits.Disk, Done: r.ctl.Done(), WaitSockets: host.WaitSockets, Links: r.k.registered.links,
	}
	if r.w.assets != nil {
		tree, err := pure.NewAssets(r.w.assets)
		if err != nil {
			return nil, nil, err
		}
		c.Mounts = append(c.Mounts, provider.Mount{Guest: AssetsFolder, Root: tree, ReadOnly: true, Base: true})
	}
	scratch := pure.NewScratch(func() uint64 { return uint64(r.k.now().UnixNano()) }, limits.Scratch, scratchNodes)
	c.Mounts = append(c.Mounts, provider.Mount{Guest: ScratchFolder, Root: scratch, Base: true, Full: abi.LimitScratch})
	var keep host.Keep
	if len(r.spec.Mounts) > 0 {
		var err error
		if keep, err = r.k.keep(); err != nil {
			return nil, nil, err
		}
	}
	for i, m := range r.spec.Mounts {
		root, err := host.OpenRoot(m.Host, keep)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		roots = append(roots, root)
		c.Mounts = append(c.Mounts, provider.Mount{Guest: m.Guest, Root: root.Dir(), ReadOnly: m.ReadOnly, Grant: i + 1})
	}
	for i, addr := range r.spec.Listen {
		l, err := host.Listen(addr)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		listeners = append(listeners, l)
		r.listen = append(r.listen, l.Addr())
		c.Listeners = append(c.Listeners, provider.Listener{Socket: l, Grant: len(r.spec.Mounts) + i + 1})
	}
	w, err := provider.New(c)
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return w, func() { w.Close(); closeRoots() }, nil
}
