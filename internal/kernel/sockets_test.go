package kernel_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// acceptor is a guest that lets the listener fd wait, accepts one connection, and
// ends with the errno.
func acceptor(t *testing.T, fd int32) string {
	t.Helper()
	m := wasmtest.Module{
		Imports: []wasmtest.Import{
			wasmtest.ProcExit,
			{Name: "fd_fdstat_set_flags", Params: []byte{wasmtest.I32, wasmtest.I32}, Results: []byte{wasmtest.I32}},
			{Name: "sock_accept", Params: []byte{wasmtest.I32, wasmtest.I32, wasmtest.I32}, Results: []byte{wasmtest.I32}},
		},
		MinPages: 1,
		Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(
			wasmtest.Const(fd), wasmtest.Const(0), wasmtest.Call(1), wasmtest.Drop,
			wasmtest.Const(fd), wasmtest.Const(0), wasmtest.Const(64), wasmtest.Call(2), wasmtest.Call(0),
		)}},
	}
	name := filepath.Join(t.TempDir(), fmt.Sprintf("accept%d.wasm", fd))
	if err := os.WriteFile(name, m.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// identical replays a run without any network and compares.
func (n *node) identical(id abi.RunID) {
	n.t.Helper()
	res, err := n.replay(id).Go(n.t.Context(), nil, nil)
	if err != nil || !res.Identical {
		n.t.Fatalf("%+v %v", res, err)
	}
}

// connect is a Spec.Listening that connects to each listener.
func connect(t *testing.T) (func([]string), *[]net.Conn) {
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	return func(addrs []string) {
		for _, a := range addrs {
			c, err := net.Dial("tcp", a)
			if err != nil {
				t.Error(err)
				return
			}
			conns = append(conns, c)
		}
	}, &conns
}

// TestListenerIsGranted: what the run was given is in its recording, and the
// log commits to it; nobody connects to a run that has ended.
func TestListenerIsGranted(t *testing.T) {
	n := newNode(t)
	var addrs []string
	dial, conns := connect(t)
	r, _ := n.run(kernel.Spec{Target: acceptor(t, 4), Listen: []string{"127.0.0.1:0"}, Listening: func(a []string) { addrs = a; dial(a) }})
	if r.Outcome != abi.OutcomeExit || r.Exit != 0 || r.Denials != 0 || len(*conns) != 1 {
		t.Fatalf("%+v", r)
	}
	run, err := n.FindRun(string(r.Run))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := n.Recording(run)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	if got := rec.Header().Listen; len(got) != 1 || got[0] != addrs[0] {
		t.Error(got, addrs)
	}
	if c, err := net.Dial("tcp", addrs[0]); err == nil {
		c.Close()
		t.Error("the listener outlives its run")
	}
	n.identical(r.Run)
	n.verify()
}

// TestForbiddenListener: of two listeners policy forbids one, and the hint for
// another run that has none names what to grant.
func TestForbiddenListener(t *testing.T) {
	n := newNode(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	forbid := policy.Source{Name: "p.cedar", Text: fmt.Appendf(nil, `@id("not-that") forbid (principal, action in Action::"net", resource == Socket::%q);`, addr)}
	for fd, want := range map[int32]abi.Errno{4: abi.ESUCCESS, 5: abi.EACCES} {
		dial, _ := connect(t)
		r, _ := n.run(kernel.Spec{
			Target: acceptor(t, fd), Listen: []string{"127.0.0.1:0", addr}, Policies: []policy.Source{forbid}, Listening: dial,
		})
		if r.Exit != uint32(want) || (r.Denials == 1) != (want != 0) {
			t.Fatalf("%d: %+v", fd, r)
		}
		if want != 0 && (r.First[0].Name != addr || r.First[0].Rules[0].ID != "not-that") {
			t.Errorf("%+v", r.First)
		}
		n.identical(r.Run)
	}
	r, _ := n.run(kernel.Spec{Target: acceptor(t, 4)})
	if r.Exit != uint32(abi.EBADF) || len(r.First) != 1 || r.First[0].Reason != abi.ReasonNoGrant || r.First[0].Hint != "--listen 127.0.0.1:8080" {
		t.Errorf("%+v", r)
	}
	n.identical(r.Run)
	n.verify()
}

// TestListenerWaits: who waits for a connection that never comes is ended by
// the deadline, and by an order to stop.
func TestListenerWaits(t *testing.T) {
	n := newNode(t)
	r, _ := n.run(kernel.Spec{Target: acceptor(t, 4), Listen: []string{"127.0.0.1:0"}, Limits: abi.Limits{Deadline: 100e6}})
	if r.Outcome != abi.OutcomeDeadline {
		t.Errorf("%+v", r)
	}
	n.identical(r.Run)
	s := spec(acceptor(t, 4), new(bytes.Buffer))
	s.Listen = []string{"127.0.0.1:0"}
	s.Started = func(id abi.RunID, _ string, _ bool) {
		go func() {
			if err := n.Stop(t.Context(), id, "enough"); err != nil {
				t.Error(err)
			}
		}()
	}
	r, err := n.Run(t.Context(), s)
	if err != nil || r.Outcome != abi.OutcomeStopped {
		t.Errorf("%+v %v", r, err)
	}
	n.identical(r.Run)
}

// TestListenerCannotBe: nothing runs, and nothing is in the log.
func TestListenerCannotBe(t *testing.T) {
	n := newNode(t)
	before := n.verify().Records
	for _, addrs := range [][]string{{"localhost:0"}, {"192.0.2.1:0"}, {"127.0.0.1:0", "x"}} {
		s := spec(acceptor(t, 4), new(bytes.Buffer))
		s.Listen = addrs
		if _, err := n.Run(t.Context(), s); abi.CodeOf(err) != "F1-RUN-160" && abi.CodeOf(err) != "F1-RUN-161" {
			t.Error(addrs, err)
		}
	}
	if after := n.verify().Records; after != before {
		t.Error(before, after)
	}
}
