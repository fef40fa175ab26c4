// Command hello is a guest of the tests.
package main

import "fmt"

func main() { fmt.Println("hello from a guest") }
