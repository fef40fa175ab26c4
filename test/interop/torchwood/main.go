// Command torchwood verifies an export of a ForgeOne log with filippo.io/torchwood.
//
//	torchwood VKEYFILE DIR|URL RECORDS PROOF
//
// It reads every entry through a tlog-tiles client that checks it against the
// checkpoint, and the proof file, and says so in one line.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: torchwood VKEYFILE DIR|URL RECORDS PROOF")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	vkey, _, _ := strings.Cut(string(text), "\n")
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
	var tiles torchwood.TileReader
	if strings.HasPrefix(args[1], "http://") {
		tiles, err = torchwood.NewTileFetcher(args[1])
	} else {
		tiles, err = torchwood.NewTileFS(os.DirFS(args[1]))
	}
	if err != nil {
		return err
	}
	head, err := tiles.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	c, _, err := torchwood.VerifyCheckpoint(head, policy)
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	n := int64(0)
	for i := range client.AllEntries(ctx, c.Tree, 0) {
		if i != n {
			return fmt.Errorf("entry %d comes as %d", n, i)
		}
		n++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if n != c.N || fmt.Sprint(n) != args[2] {
		return fmt.Errorf("%d entries of a tree of %d, and %s were logged", n, c.N, args[2])
	}
	proof, err := os.ReadFile(args[3])
	if err != nil {
		return err
	}
	entry, err := torchwood.ProofExtraData(proof)
	if err != nil {
		return err
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof); err != nil {
		return err
	}
	fmt.Printf("torchwood: verified %d entries and a proof of %s\n", n, c.Origin)
	return nil
}
