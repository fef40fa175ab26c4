package main

import (
	"fmt"
	"sort"
	"strings"
)

type word struct {
	text string
	n    int
}

func main() {
	sieve := make([]bool, 1000)
	var primes []int
	for i := 2; i < len(sieve); i++ {
		if sieve[i] {
			continue
		}
		primes = append(primes, i)
		for j := i * i; j < len(sieve); j += i {
			sieve[j] = true
		}
	}
	count := map[string]int{}
	for _, w := range strings.Fields("a b a c b a") {
		count[w]++
	}
	var words []word
	for w, n := range count {
		words = append(words, word{w, n})
	}
	sort.Slice(words, func(i, j int) bool { return words[i].n > words[j].n })
	fmt.Println(len(primes), primes[len(primes)-1], words)
}
