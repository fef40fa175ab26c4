// Command hello is the guest that `forgeone quickstart` runs: a small program
// that uses what it may and asks for one thing that it may not. Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -o hello.wasm ./examples/hello
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	fmt.Println("Hello from a guest that nobody trusts.")
	fmt.Println("I know my arguments:", os.Args[1:])
	if time.Now().Year() >= 2020 {
		fmt.Println("I may read the clock.")
	}
	if err := os.WriteFile("/tmp/note.txt", []byte("scratch"), 0o644); err != nil {
		fmt.Println("I have no scratch folder:", err)
	} else {
		fmt.Println("I may write to my scratch folder, which is gone when I am.")
	}
	if _, err := os.ReadFile("/data/secret.txt"); err != nil {
		fmt.Println("I was not given /data:", err)
	} else {
		fmt.Println("I have read /data/secret.txt.")
	}
}
