package main

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
)

// grow appends records to the log of a state folder as another process would
// that leaves no state file: the policy comes into force again and again.
func grow(ts *testscript.TestScript, _ bool, args []string) {
	home, ctx := ts.MkAbs(args[0]), context.Background()
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	k, err := kernel.Open(ctx, kernel.Options{Home: home, Modules: []string{kernel.ModEvidence}})
	ts.Check(err)
	var p abi.Policy
	k.View(func(s *brain.State) { p = s.Policy() })
	ts.Check(k.Close(ctx))
	local, err := keys.Open(filepath.Join(home, "keys"), "")
	ts.Check(err)
	l, err := evidence.Open(evidence.Options{Dir: filepath.Join(home, "log"), Key: local.Log})
	ts.Check(err)
	_, err = l.Update(ctx, func() (rs []abi.Record, err error) {
		for range n {
			p.Epoch++
			next := p
			rs = append(rs, abi.Record{Body: &next})
		}
		return rs, nil
	})
	ts.Check(err)
	ts.Check(l.Close())
}
