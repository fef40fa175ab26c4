//go:build wasip1

package main

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
)

// sha hashes 4 KiB n times.
func sha(n int) {
	b := make([]byte, 4096)
	for range n {
		s := sha256.Sum256(b)
		copy(b, s[:])
	}
	keep(n == 0 || b[0]|b[1]|b[2]|b[3] != 0)
}

// sorting sorts 4,096 numbers n times.
func sorting(n int) {
	v := make([]uint32, 4096)
	x := uint32(1)
	for range n {
		for i := range v {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			v[i] = x
		}
		slices.Sort(v)
	}
	keep(slices.IsSorted(v))
}

// jsons writes and reads a document of 64 entries n times.
func jsons(n int) {
	type entry struct {
		Name string            `json:"name"`
		Size int               `json:"size"`
		Tags map[string]string `json:"tags"`
	}
	var doc []entry
	for i := range 64 {
		doc = append(doc, entry{"entry", i, map[string]string{"colour": "red", "shape": "round"}})
	}
	for range n {
		b, err := json.Marshal(doc)
		check(err)
		doc = doc[:0]
		check(json.Unmarshal(b, &doc))
	}
	keep(len(doc) == 64)
}
