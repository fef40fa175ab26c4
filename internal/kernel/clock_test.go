package kernel_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
)

// TestClockBack: the node's clock is set back between runs and while one runs.
// Runs go on, replay, and each record follows from those before.
func TestClockBack(t *testing.T) {
	n := newNode(t)
	n.Close(t.Context())
	var offset atomic.Int64
	k, err := kernel.Open(t.Context(), kernel.Options{
		Home: string(n.Home()), Warn: func(s string) { t.Log(s) },
		Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(t.Context())
	n.Kernel = k
	now := time.Now()
	for _, to := range []time.Time{now.Add(time.Hour), now.Add(-7 * time.Hour), time.Unix(0, 0), time.Unix(-1e9, 0), now} {
		id, ended := n.start("yield")
		offset.Store(int64(time.Until(to)))
		if err := k.Stop(t.Context(), id, "enough"); err != nil {
			t.Fatal(err)
		}
		if r := ended(); r == nil || r.Outcome != abi.OutcomeStopped {
			t.Fatalf("%v: %+v", to, r)
		}
		r, _ := n.run(kernel.Spec{Target: n.guest("hello")})
		if r.Outcome != abi.OutcomeExit {
			t.Fatalf("%v: %+v", to, r)
		}
		if res, err := n.replay(r.Run).Go(t.Context(), nil, nil); err != nil || !res.Identical {
			t.Errorf("%v: %+v, %v", to, res, err)
		}
		n.verify()
	}
}

// TestExpiredStaysExpired: a package that has expired by the log's time neither
// installs nor runs when the clock is set back, also not after a restart.
func TestExpiredStaysExpired(t *testing.T) {
	n := newNode(t)
	n.Close(t.Context())
	var offset atomic.Int64
	open := func() {
		k, err := kernel.Open(t.Context(), kernel.Options{
			Home: string(n.Home()), Warn: func(s string) { t.Log(s) },
			Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Close(t.Context()) })
		n.Kernel = k
	}
	open()
	file := n.expiring("exit", 1, time.Now().Add(time.Hour).Unix())
	if _, err := n.Install(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	n.run(kernel.Spec{Target: "app"})
	refused := func() {
		t.Helper()
		var out bytes.Buffer
		if _, err := n.Run(t.Context(), spec("app", &out)); abi.CodeOf(err) != abi.CodePkgExpired {
			t.Errorf("run: %v", err)
		}
		if _, err := n.Install(t.Context(), file); abi.CodeOf(err) != abi.CodePkgExpired {
			t.Errorf("install: %v", err)
		}
	}
	offset.Store(int64(2 * time.Hour))
	refused()
	n.run(kernel.Spec{Target: n.guest("exit")}) // a record of that time
	offset.Store(int64(-2 * time.Hour))
	refused()
	n.Close(t.Context())
	open() // from the state file
	refused()
}
