//go:build !linux

package sys

// Memory is how many bytes of memory this process may come to have. It can't be told.
func Memory() uint64 { return 0 }
