// Command walker is a hostile guest: of each name that it reads from its standard
// input it tries to get hold. It says what it got, and at the end how much it tried.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	own := os.Args[1] // a folder that it may write to
	fmt.Println("ready")
	names := bufio.NewScanner(os.Stdin)
	tried := 0
	for names.Scan() {
		p := names.Text()
		open := func(flag int) func() error {
			return func() error {
				f, err := os.OpenFile(p, flag, 0o600)
				if err == nil {
					f.Close()
				}
				return err
			}
		}
		mine := own + "/mine"
		for _, a := range []struct {
			what string
			do   func() error
		}{
			{"read", open(os.O_RDONLY)},
			{"write", open(os.O_WRONLY)},
			{"append", open(os.O_WRONLY | os.O_APPEND)},
			{"create beside or within", func() error {
				f, err := os.OpenFile(p+"/walker", os.O_CREATE|os.O_WRONLY, 0o600)
				if err == nil {
					f.Close()
				}
				return err
			}},
			{"link", func() error { return os.Link(p, own+"/linked") }},
			{"rename over", func() error {
				if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
					panic(err)
				}
				return os.Rename(mine, p)
			}},
			{"symlink over", func() error { return os.Symlink("mine", p) }},
			{"rename away", func() error { return os.Rename(p, own+"/away") }},
			{"truncate", open(os.O_WRONLY | os.O_TRUNC)},
			{"remove", func() error { return os.Remove(p) }},
		} {
			tried++
			if a.do() == nil {
				fmt.Printf("got: %s %s\n", a.what, p)
			}
		}
	}
	fmt.Println("tried", tried)
}
