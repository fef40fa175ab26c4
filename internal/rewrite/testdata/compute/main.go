// Command compute is a guest of the tests: it computes what its first argument
// names, as often as its second says, and prints a checksum.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
)

func main() {
	work := map[string]func() uint64{"sha256": hash, "sort": sorting, "json": document, "fib": func() uint64 { return fib(27) }, "float": float}[os.Args[1]]
	n, err := strconv.Atoi(os.Args[2])
	if work == nil || err != nil {
		os.Exit(2)
	}
	var sum uint64
	for range n {
		sum = sum*31 + work()
	}
	fmt.Println(os.Args[1], sum)
}

func hash() uint64 {
	b := make([]byte, 1<<20)
	for range 2 {
		s := sha256.Sum256(b)
		copy(b, s[:])
	}
	return uint64(b[0])
}

func sorting() uint64 {
	s := make([]int, 100_000)
	x := uint32(1)
	for i := range s {
		x = x*1664525 + 1013904223
		s[i] = int(x >> 8)
	}
	sort.Ints(s)
	return uint64(s[len(s)/2])
}

type item struct {
	Name  string
	Value float64
	Tags  []string
	Next  *item
}

func document() uint64 {
	var head *item
	for i := range 500 {
		head = &item{Name: "item " + strconv.Itoa(i), Value: float64(i) / 3, Tags: []string{"a", "b", "c"}, Next: head}
	}
	b, _ := json.Marshal(head)
	var back item
	if json.Unmarshal(b, &back) != nil {
		return 0
	}
	return uint64(len(b)) + uint64(len(back.Name))
}

func fib(n int) uint64 {
	if n < 2 {
		return 1
	}
	return fib(n-1) + fib(n-2)
}

func float() uint64 {
	const n = 96
	var a, b, c [n][n]float64
	for i := range n {
		for j := range n {
			a[i][j], b[i][j] = float64(i+j), float64(i-j)
		}
	}
	for range 2 {
		for i := range n {
			for j := range n {
				for k := range n {
					c[i][j] += a[i][k] * b[k][j]
				}
			}
		}
	}
	return uint64(int64(c[n-1][n-1]))
}
