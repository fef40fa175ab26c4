// Command guest is a guest to try the embed program with:
//
//	GOOS=wasip1 GOARCH=wasm go build -o guest.wasm ./guest
package main

import (
	"fmt"
	"os"
)

func main() {
	b, err := os.ReadFile("/data/greeting.txt")
	fmt.Printf("/data/greeting.txt: %q, %v\n", b, err)
	_, err = os.ReadFile("/etc/passwd")
	fmt.Println("/etc/passwd:", err)
	err = os.WriteFile("/data/greeting.txt", []byte("mine"), 0o644)
	fmt.Println("writing to /data:", err)
}
