package main

import (
	"context"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
)

// inject HOME PUB appends to a node's log, with the log's own key, a record that
// adds the public key in PUB as an operator's, which no operator signed.
func inject(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: inject HOME PUB")
	}
	home := ts.MkAbs(args[0])
	local, err := keys.Open(filepath.Join(home, "keys"), "")
	ts.Check(err)
	pub, err := keys.LoadPublic(ts.MkAbs(args[1]))
	ts.Check(err)
	log, err := evidence.Open(evidence.Options{Dir: filepath.Join(home, "log"), Key: local.Log})
	ts.Check(err)
	defer log.Close()
	_, err = log.Update(context.Background(), func() ([]abi.Record, error) {
		return []abi.Record{{Body: &abi.KeyAdd{Name: "mallory", Role: abi.RoleOperator, Alg: seal.Ed25519, Public: pub, ID: pub.ID()}}}, nil
	})
	ts.Check(err)
}
