package sys

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// The file of slots: rows of one size from its beginning, and byte ranges far behind
// them that stand for locks.
const (
	slotsTable = 1 << 40       // held while rows are read or written
	slotsBase  = 1<<40 + 1<<20 // byte slotsBase+i is held by the owner of row i
)

// ErrSlotsFull says that every slot is taken.
var ErrSlotsFull = errors.New("all slots are taken")

// Slot is a row of a table that processes share. It is its owner's until he leaves it
// or dies: the lock that says so falls with its process, and a row without one is
// empty, whatever stands in it. Within one process slots exclude each other too. A
// Slot is for one goroutine at a time.
type Slot struct {
	f     *os.File
	size  int // of a row
	limit int // rows
	own   int // number of the row
}

// TakeSlot takes a free row of size bytes of the file path, making the file if it is
// not there, of which there are at most limit. ErrSlotsFull: there is none. ErrSlotsHeld:
// see Update.
func TakeSlot(ctx context.Context, path string, size, limit int) (*Slot, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	s := &Slot{f: f, size: size, limit: limit}
	err = regular(f, path)
	if err == nil {
		err = s.locked(ctx, func() error {
			for s.own = range limit {
				got, err := s.try(int64(slotsBase+s.own), unix.F_WRLCK)
				if err != nil || got {
					if err == nil {
						_, err = f.WriteAt(make([]byte, size), s.at(s.own))
					}
					return err
				}
			}
			return ErrSlotsFull
		})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func (s *Slot) at(row int) int64 { return int64(row) * int64(s.size) }

// ErrSlotsHeld says that somebody holds the table for so long that he must be stopped.
var ErrSlotsHeld = errors.New("the table is held by another process, which is stopped, it seems")

// slotsPatience is how long a table is waited for: it is never held for long.
const slotsPatience = 10 * time.Second

// locked calls f while nobody else reads or writes rows. It waits no longer than ctx,
// and not for ever: the holder's process may be stopped.
func (s *Slot) locked(ctx context.Context, f func() error) error {
	begun := time.Now()
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		got, err := s.try(slotsTable, unix.F_WRLCK)
		if err != nil {
			return err
		}
		if got {
			break
		}
		if time.Since(begun) > slotsPatience {
			return ErrSlotsHeld
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	err := f()
	l := unix.Flock_t{Type: unix.F_UNLCK, Start: slotsTable, Len: 1}
	return errors.Join(err, os.NewSyscallError("fcntl unlock", unix.FcntlFlock(s.f.Fd(), unix.F_OFD_SETLK, &l)))
}

// try locks one byte, and tells whether it could.
func (s *Slot) try(at int64, kind int16) (bool, error) {
	l := unix.Flock_t{Type: kind, Start: at, Len: 1}
	switch err := unix.FcntlFlock(s.f.Fd(), unix.F_OFD_SETLK, &l); err {
	case nil:
		return true, nil
	case unix.EAGAIN, unix.EACCES:
		return false, nil
	default:
		return false, os.NewSyscallError("fcntl lock", err)
	}
}

// Update reads the rows that have an owner, in the order of their numbers, hands them
// to f with the position of the own one, and writes what f returns in its place. f
// must not block: everybody waits for it. ErrSlotsHeld: somebody else holds the table.
func (s *Slot) Update(ctx context.Context, f func(rows [][]byte, own int) []byte) error {
	return s.locked(ctx, func() error {
		st, err := s.f.Stat()
		if err != nil {
			return err
		}
		all := make([]byte, min(st.Size(), s.at(s.limit)))
		if n, err := s.f.ReadAt(all, 0); err != nil && err != io.EOF {
			return err
		} else if all = all[:n]; len(all) < int(s.at(s.own+1)) {
			return io.ErrUnexpectedEOF // somebody has cut the file
		}
		taken, err := s.taken(len(all) / s.size)
		if err != nil {
			return err
		}
		rows, own := make([][]byte, len(taken)), 0
		for i, row := range taken {
			rows[i] = all[s.at(row):s.at(row+1):s.at(row+1)]
			if row == s.own {
				own = i
			}
		}
		b := f(rows, own)
		_, err = s.f.WriteAt(b[:s.size], s.at(s.own))
		return err
	})
}

// taken lists the rows below n that have an owner. The own lock is no conflict, and so
// not among those that the operating system tells.
func (s *Slot) taken(n int) ([]int, error) {
	list, err := s.others([]int{s.own}, slotsBase, slotsBase+int64(n))
	slices.Sort(list)
	return list, err
}

// others appends the rows whose bytes from from to to others have locked. The system
// tells of one of them, not of the first.
func (s *Slot) others(list []int, from, to int64) ([]int, error) {
	for from < to {
		l := unix.Flock_t{Type: unix.F_WRLCK, Start: from, Len: to - from}
		if err := unix.FcntlFlock(s.f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
			return nil, os.NewSyscallError("fcntl getlk", err)
		}
		if l.Type == unix.F_UNLCK {
			break
		}
		list = append(list, int(l.Start-slotsBase))
		var err error
		if list, err = s.others(list, from, l.Start); err != nil {
			return nil, err
		}
		from = l.Start + 1
	}
	return list, nil
}

// Leave gives the row up.
func (s *Slot) Leave() error { return s.f.Close() }
