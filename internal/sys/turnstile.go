package sys

import (
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The turnstile's file: byte ranges that stand for locks, and in its first
// eight bytes the number of the next ticket.
const (
	turnstileLock  = 8       // held exclusively by whoever is in, shared by readers
	turnstileIssue = 9       // held while drawing a ticket
	turnstileGate  = 10      // held on the way to the lock: shared by readers
	turnstileBase  = 1 << 10 // byte turnstileBase+t is held by the owner of ticket t
	turnstileMax   = 1 << 62 // beyond this a number in the file is damage
)

// Turnstile is a lock between processes that serves in the order of arrival.
//
// Whoever comes draws a ticket, a number, and locks the byte of that number;
// then waits until no byte below it is locked; then takes the lock itself. The
// kernel wakes the waiter, and drops the bytes of a process that dies, in line
// or inside, so nobody waits for the dead. Order rests on the tickets, safety
// on the lock alone: a damaged ticket number costs fairness, nothing else.
//
// The locks belong to the open file: two Turnstiles exclude each other within
// one process too. A Turnstile is for one goroutine at a time.
type Turnstile struct {
	f      *os.File
	ticket int64
}

// OpenTurnstile opens the turnstile of the file path, making it if needed.
func OpenTurnstile(path string) (*Turnstile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	return newTurnstile(f, path, err)
}

// OpenTurnstileRead opens a turnstile that exists, for RLock only: it needs no
// permission to write.
func OpenTurnstileRead(path string) (*Turnstile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	return newTurnstile(f, path, err)
}

func newTurnstile(f *os.File, path string, err error) (*Turnstile, error) {
	if err != nil {
		return nil, err
	}
	if err := regular(f, path); err != nil {
		_ = f.Close() // nothing was written to it
		return nil, err
	}
	return &Turnstile{f: f}, nil
}

func (t *Turnstile) set(kind int16, from, n int64) error {
	l := unix.Flock_t{Type: kind, Start: from, Len: n}
	for {
		if err := unix.FcntlFlock(t.f.Fd(), unix.F_OFD_SETLKW, &l); err != unix.EINTR {
			return os.NewSyscallError("fcntl lock", err)
		}
	}
}

func (t *Turnstile) flock(how int) error {
	for {
		if err := unix.Flock(int(t.f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

// Lock waits for its turn and takes the lock.
func (t *Turnstile) Lock() error {
	if err := t.set(unix.F_WRLCK, turnstileIssue, 1); err != nil {
		return err
	}
	if err := t.draw(); err != nil {
		_ = t.Unlock() // the first error says more
		return err
	}
	err := t.set(unix.F_UNLCK, turnstileIssue, 1)
	if err == nil && t.ticket > 0 {
		// To get all bytes below shared is to wait for all their owners.
		if err = t.set(unix.F_RDLCK, turnstileBase, t.ticket); err == nil {
			err = t.set(unix.F_UNLCK, turnstileBase, t.ticket)
		}
	}
	if err == nil {
		// Who waits here keeps new readers out: those inside leave, and there is
		// a moment without any.
		err = t.set(unix.F_WRLCK, turnstileGate, 1)
	}
	if err == nil {
		err = t.set(unix.F_WRLCK, turnstileLock, 1)
	}
	if err == nil {
		err = t.set(unix.F_UNLCK, turnstileGate, 1)
	}
	if err != nil {
		_ = t.Unlock()
	}
	return err
}

// draw takes the next ticket; the issue byte is held.
func (t *Turnstile) draw() error {
	var b [8]byte
	if _, err := t.f.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return err
	}
	n := binary.LittleEndian.Uint64(b[:])
	if n >= turnstileMax {
		n = 0
	}
	binary.LittleEndian.PutUint64(b[:], n+1)
	if _, err := t.f.WriteAt(b[:], 0); err != nil {
		return err
	}
	t.ticket = int64(n)
	return t.set(unix.F_WRLCK, turnstileBase+t.ticket, 1)
}

// RLock takes the lock together with other readers. It draws no ticket: it is
// for short looks by those who may not write. Readers and those who wait to
// write come through one gate, so that neither keeps the other out for ever.
//
// They come to the gate one by one, or it would never be free of them. That is
// by flock, which asks for no permission to write; where there is none, it
// is only a question of luck again.
func (t *Turnstile) RLock() error {
	if t.flock(unix.LOCK_EX) == nil {
		defer func() { _ = t.flock(unix.LOCK_UN) }()
	}
	err := t.set(unix.F_RDLCK, turnstileGate, 1)
	if err == nil {
		err = t.set(unix.F_RDLCK, turnstileLock, 1)
	}
	if err == nil {
		err = t.set(unix.F_UNLCK, turnstileGate, 1)
	}
	if err != nil {
		_ = t.Unlock() // the first error says more
	}
	return err
}

// Unlock lets the next one in.
func (t *Turnstile) Unlock() error { return t.set(unix.F_UNLCK, 0, 0) }

// Stat describes the open file, so that os.SameFile can tell whether a path
// still leads to it.
func (t *Turnstile) Stat() (os.FileInfo, error) { return t.f.Stat() }

// Close lets go of everything.
func (t *Turnstile) Close() error { return t.f.Close() }
