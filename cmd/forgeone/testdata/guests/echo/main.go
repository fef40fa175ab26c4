// Command echo is a guest for tests: it answers each line of each connection to
// the listener that it was given, descriptor 4, in capitals. A connection is
// served by a goroutine of its own. It ends when it has served as many as its
// first argument says.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

func main() {
	l, err := net.FileListener(os.NewFile(4, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for range n {
		c, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "echo:", err)
			os.Exit(1)
		}
		wg.Go(func() {
			defer c.Close()
			for s := bufio.NewScanner(c); s.Scan(); {
				if _, err := fmt.Fprintln(c, strings.ToUpper(s.Text())); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	fmt.Println("served", n)
}
