//go:build wasip1

// Command calls is the guest of the benchmark: it does one thing N times.
//
//	calls MODE SIZE N FILE
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 5 {
		fail("usage: calls MODE SIZE N FILE")
	}
	mode, file := os.Args[1], os.Args[4]
	size, err := strconv.Atoi(os.Args[2])
	check(err)
	n, err := strconv.Atoi(os.Args[3])
	check(err)
	switch mode {
	case "read":
		read(file, size, n)
	case "write":
		write(file, size, n)
	case "rawread":
		rawRead(file, size, n)
	case "rawwrite":
		rawWrite(file, size, n)
	case "clock":
		var t time.Time
		for range n {
			t = time.Now()
		}
		keep(n == 0 || !t.IsZero())
	case "rawclock":
		rawClock(n)
	case "sha256":
		sha(n)
	case "sort":
		sorting(n)
	case "json":
		jsons(n)
	case "matrix":
		matrices(n)
	case "none":
	default:
		fail("no mode " + mode)
	}
}

// span is how much of a file is used before a loop starts over at its beginning.
const span = 16 << 20

func read(file string, size, n int) {
	f, err := os.Open(file)
	check(err)
	b := make([]byte, size)
	for left := span; n > 0; n-- {
		k, err := f.Read(b)
		check(err)
		if left -= k; left < size {
			_, err := f.Seek(0, 0)
			check(err)
			left = span
		}
	}
}

func write(file string, size, n int) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o600)
	check(err)
	b := make([]byte, size)
	for left := span; n > 0; n-- {
		k, err := f.Write(b)
		check(err)
		if left -= k; left < size {
			_, err := f.Seek(0, 0)
			check(err)
			left = span
		}
	}
}

// keep ends the program where what it computed is wrong, so that it must be computed.
func keep(ok bool) {
	if !ok {
		fail("a wrong result")
	}
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(msg string) {
	fmt.Fprintln(os.Stderr, msg)
	os.Exit(1)
}

// matrices multiplies two matrices of 64 by 64 floats, n times.
func matrices(n int) {
	const size = 64
	var a, b, c [size][size]float64
	for i := range size {
		for j := range size {
			a[i][j], b[i][j] = float64(i+j), float64(i-j)
		}
	}
	for range n {
		for i := range size {
			for j := range size {
				sum := 0.0
				for k := range size {
					sum += a[i][k] * b[k][j]
				}
				c[i][j] = sum
			}
		}
		a[0][0] = c[1][1]
	}
	if c[0][0] == 1 {
		fail("impossible")
	}
}
