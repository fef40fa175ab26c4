package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"
)

var descriptor = regexp.MustCompile(`descriptor (\d+) listens on (\S+)`)

// peer is a command of scripts: peer FILE N WHAT [TEXT] is the peer of the
// guest that listens on descriptor N, as its run says in FILE.
//
//	hold       connects and waits until the guest closes
//	line TEXT  sends a line and prints the one that comes back
//	ask TEXT   sends TEXT, shuts its way of sending and prints all that comes back
//	both       sends lines on two connections in turns
//	reset      connects, sends a line and resets the connection
func peer(args []string) int {
	if len(args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: peer FILE N WHAT [TEXT]")
		return 2
	}
	if err := talk(addressOf(args[0], args[1]), args[2], strings.Join(args[3:], " ")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// addressOf waits for the run to say what it listens on.
func addressOf(file, n string) string {
	for range 1200 {
		b, _ := os.ReadFile(file) // it may not be there yet
		for _, m := range descriptor.FindAllStringSubmatch(string(b), -1) {
			if m[1] == n {
				return m[2]
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return ""
}

func talk(addr, what, text string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	line := func(c net.Conn, s string) error {
		if _, err := fmt.Fprintln(c, s); err != nil {
			return err
		}
		back, err := bufio.NewReader(c).ReadString('\n')
		fmt.Print(back)
		return err
	}
	switch what {
	case "hold":
		_, err = io.Copy(io.Discard, c)
	case "line":
		err = line(c, text)
	case "ask":
		if _, err = io.WriteString(c, text); err == nil {
			err = c.(*net.TCPConn).CloseWrite()
		}
		if err == nil {
			_, err = io.Copy(os.Stdout, c)
		}
	case "both":
		d, e := net.Dial("tcp", addr)
		if e != nil {
			return e
		}
		defer d.Close()
		// The one that came first says nothing until the other was answered.
		for _, t := range []struct {
			c net.Conn
			s string
		}{{d, "second"}, {c, "first"}, {d, "second again"}} {
			if err == nil {
				err = line(t.c, t.s)
			}
		}
	case "reset":
		if err = line(c, "soon gone"); err == nil {
			err = c.(*net.TCPConn).SetLinger(0)
		}
	default:
		err = fmt.Errorf("peer: what is %q?", what)
	}
	return err
}

// freePort is a command of scripts: it prints an address that nobody listens on.
func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	l.Close()
	return 0
}
