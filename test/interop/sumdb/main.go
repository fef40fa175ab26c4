// Command sumdb verifies an export of a ForgeOne log with golang.org/x/mod/sumdb.
//
//	sumdb VKEYFILE DIR PROOF OLDCHECKPOINT CONSISTENCY
//
// PROOF is a tlog-proof, CONSISTENCY a file of hashes in base64, one a line, from
// the tree of OLDCHECKPOINT to that of the checkpoint in DIR. Both checkpoints,
// both proofs, and every hash tile that leads to the record are checked.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	if len(args) != 5 {
		return errors.New("usage: sumdb VKEYFILE DIR PROOF OLDCHECKPOINT CONSISTENCY")
	}
	var text [5]string
	for i, name := range []string{args[0], filepath.Join(args[1], "checkpoint"), args[2], args[3], args[4]} {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text[i] = string(b)
	}
	vkey, _, _ := strings.Cut(text[0], "\n")
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	tree, err := open(text[1], v)
	if err != nil {
		return err
	}
	index, err := inclusion(text[2], v)
	if err != nil {
		return err
	}
	// The same from the tiles themselves.
	if _, err := tlog.ProveRecord(tree.N, index, tlog.TileHashReader(tree, folder(args[1]))); err != nil {
		return err
	}
	old, err := open(text[3], v)
	if err != nil {
		return err
	}
	hashes, err := parse(strings.Fields(text[4]))
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(hashes, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return err
	}
	fmt.Printf("sumdb: verified record %d, and that %d records continue %d\n", index, tree.N, old.N)
	return nil
}

// open checks a checkpoint's signature and reads it.
func open(text string, v note.Verifier) (t tlog.Tree, err error) {
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return t, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != v.Name() {
		return t, errors.New("the checkpoint is malformed, or of another log")
	}
	if t.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return t, err
	}
	t.Hash, err = tlog.ParseHash(lines[2])
	return t, err
}

// inclusion checks a tlog-proof and returns its index.
func inclusion(text string, v note.Verifier) (int64, error) {
	head, checkpoint, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, errors.New("the proof is malformed")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	hashes, err := parse(lines[3:])
	if err != nil {
		return 0, err
	}
	tree, err := open(checkpoint, v)
	if err != nil {
		return 0, err
	}
	return index, tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func parse(lines []string) (hs []tlog.Hash, err error) {
	for _, l := range lines {
		h, err := tlog.ParseHash(l)
		if err != nil {
			return nil, err
		}
		hs = append(hs, h)
	}
	return hs, nil
}

// folder reads the tiles of an export.
type folder string

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		// Package tlog has the height in its paths, tlog-tiles has not.
		b, err := os.ReadFile(filepath.Join(string(f), "tile", strings.TrimPrefix(t.Path(), "tile/8/")))
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}
