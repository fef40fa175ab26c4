//go:build wasip1

package main

import (
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// The raw loops call the host with nothing of Go's between: the cost of a call
// and nothing else.

//go:wasmimport wasi_snapshot_preview1 fd_read
//go:noescape
func fdRead(fd int32, iovs unsafe.Pointer, n int32, got unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 fd_write
//go:noescape
func fdWrite(fd int32, iovs unsafe.Pointer, n int32, got unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 clock_time_get
//go:noescape
func clockTimeGet(id int32, precision int64, now unsafe.Pointer) uint32

// iovec is preview 1's ciovec: an address and a length.
type iovec struct{ buf, len uint32 }

func rawRead(file string, size, n int) {
	fd, err := syscall.Open(file, syscall.O_RDONLY, 0)
	check(err)
	loop(fd, size, n, func(v, got unsafe.Pointer) uint32 { return fdRead(int32(fd), v, 1, got) })
}

func rawWrite(file string, size, n int) {
	fd, err := syscall.Open(file, syscall.O_WRONLY|syscall.O_CREAT, 0o600)
	check(err)
	loop(fd, size, n, func(v, got unsafe.Pointer) uint32 { return fdWrite(int32(fd), v, 1, got) })
}

func loop(fd, size, n int, call func(v, got unsafe.Pointer) uint32) {
	b := make([]byte, size)
	v := &iovec{uint32(uintptr(unsafe.Pointer(&b[0]))), uint32(size)}
	got := new(uint32)
	for left := span; n > 0; n-- {
		if e := call(unsafe.Pointer(v), unsafe.Pointer(got)); e != 0 || *got == 0 {
			fail("errno " + strconv.Itoa(int(e)))
		}
		if left -= int(*got); left < size {
			_, err := syscall.Seek(fd, 0, 0)
			check(err)
			left = span
		}
	}
	runtime.KeepAlive(b)
}

func rawClock(n int) {
	now := new(uint64)
	for range n {
		if e := clockTimeGet(1, 1, unsafe.Pointer(now)); e != 0 {
			fail("errno " + strconv.Itoa(int(e)))
		}
	}
	keep(n == 0 || *now != 0)
}
