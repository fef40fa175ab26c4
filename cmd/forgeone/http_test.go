package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"time"
)

var listening = regexp.MustCompile(`listening on http://([^/]+)/`)

// httpGet is a command of scripts: httpget FILE METHOD PATH sends a request to the
// server whose standard error goes to FILE, the path just as it is, and prints
// the answer.
func httpGet(args []string) int {
	if len(args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: httpget FILE METHOD PATH")
		return 2
	}
	addr := ""
	for range 600 {
		b, _ := os.ReadFile(args[0]) // it may not be there yet
		if m := listening.FindSubmatch(b); m != nil {
			addr = string(m[1])
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_, err = fmt.Fprintf(c, "%s %s HTTP/1.0\r\n\r\n", args[1], args[2])
	}
	if err == nil {
		_, err = io.Copy(os.Stdout, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
