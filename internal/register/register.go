// Package register keeps which state folders a user has, and which files beside
// them the kernel executes or believes: the executables, and the files that open
// encrypted keys. A guest of any process of that user is kept from all of them,
// whichever state folder its own process uses.
//
// They are known by inode and time of birth, so that no other name leads to them and
// an ordinary folder that got the inode of a removed one is not taken for it. A file
// system that tells no birth is asked by path instead. Devices are not compared:
// their numbers change with reboots and mounts, and what has both numbers on another
// device is a snapshot of the state folder, with the same keys in it.
//
// The register does not depend on the environment, since processes of one user have
// different ones. It holds nothing secret and nothing that allows anything: what
// stands in it can only take more from guests.
package register

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

// Thing is a state folder, a part of one that lies elsewhere, or a file.
type Thing struct {
	Path  string // without links
	ID    sys.Identity
	Parts []Part
	Above []sys.Identity // the folders that it lies in, nearest first
}

// Part is a folder in a thing.
type Part struct {
	Name string // relative to the thing
	ID   sys.Identity
}

// CodeDamaged: a register can't be read. CodeUnwritten: what must stand in it can't
// be written.
const (
	CodeDamaged   abi.Code = "F1-CFG-057"
	CodeUnwritten abi.Code = "F1-CFG-058"
)

// ErrNowhere says that there is no register and that this user can make none.
var ErrNowhere = errors.New("there is no place for a register of state folders that this user may write to")

const (
	fileName    = "things"
	lockName    = "lock"
	counterName = "counter"
	linksName   = "links"
	// maxGone is how many things are remembered that are not where they were: moved,
	// or on a disk that is not there now. Most are removed for good.
	maxGone = 64
)

// Register is a user's register. Its methods may be called by several goroutines and
// processes at once.
type Register struct {
	places []string
	write  func(path string, data []byte) error // a test's, or sys.WriteFile
}

// At returns the register in the folder place; if that is empty, this user's.
func At(place string) *Register {
	r := &Register{write: func(path string, data []byte) error { return sys.WriteFile(path, data, 0o600) }}
	if place != "" {
		r.places = []string{place}
	} else {
		r.places = places()
	}
	return r
}

// Folders lists where the register may be: guests are kept from those that are there.
func (r *Register) Folders() []string { return r.places }

// Describe looks up what path is: a folder with the parts names, or a file. Parts
// that links lead out of the folder are things of their own. It answers nothing for
// what is not there.
func Describe(path string, names ...string) ([]Thing, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err == nil {
		real, err = filepath.EvalSymlinks(real) // what a relative path is relative to may be named by a link
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := Thing{Path: real}
	if t.ID, err = sys.Identify(real); err != nil {
		return nil, err
	}
	var elsewhere []Thing
	for _, n := range names {
		p := filepath.Join(real, n)
		id, err := sys.Identify(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t.Parts = append(t.Parts, Part{n, id})
		if st, err := os.Lstat(p); err != nil || st.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		more, err := Describe(p)
		if err != nil {
			return nil, err
		}
		elsewhere = append(elsewhere, more...)
	}
	for p := real; len(t.Above) < maxAbove; {
		up := filepath.Dir(p)
		if up == p {
			break
		}
		id, err := sys.Identify(up)
		if err != nil {
			return nil, err
		}
		t.Above, p = append(t.Above, id), up
	}
	return append([]Thing{t}, elsewhere...), nil
}

// Here tells whether t is still where it was when it was noted.
func (t *Thing) Here() bool {
	e := pack(t)
	return e.here()
}

func (e *entry) here() bool {
	id, err := sys.Identify(string(e.Path))
	was := unpackID(e.IDs, 0)
	if was.Birth == 0 || id.Birth == 0 {
		was.Dev = id.Dev // by path alone
	}
	return err == nil && id.Same(was)
}

// Note makes sure that things stand in the register, durably. Where they do, it
// writes nothing.
//
// Errors: F1-CFG-057 a register is there that can't be read; F1-CFG-058 it can't be
// written for want of room or by an error of the disk; ErrNowhere.
func (r *Register) Note(things []Thing) error {
	wanted := make([]entry, len(things))
	for i := range things {
		wanted[i] = pack(&things[i])
	}
	for _, dir := range r.places {
		f, err := read(dir)
		if err != nil {
			return err
		}
		if wanted = f.lacks(wanted); len(wanted) == 0 {
			return nil
		}
	}
	var why error
	for _, dir := range r.places {
		err := r.add(dir, wanted)
		if err == nil || !hopeless(err) {
			return err
		}
		if why == nil {
			why = err // of the best place
		}
	}
	return fmt.Errorf("%w: %w", ErrNowhere, why)
}

// hopeless tells whether err says that this user may not write there at all.
func hopeless(err error) bool {
	for _, e := range []error{fs.ErrPermission, syscall.EROFS, fs.ErrNotExist, errNotOurs, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lacks returns those of wanted that do not stand in f as they are.
func (f *file) lacks(wanted []entry) (missing []entry) {
next:
	for i := range wanted {
		for j := range f.Things {
			if f.Things[j].equal(&wanted[i]) {
				continue next
			}
		}
		missing = append(missing, wanted[i])
	}
	return missing
}

// add writes wanted into the register of the folder dir.
func (r *Register) add(dir string, wanted []entry) error {
	if err := makeFolder(dir); err != nil {
		return unwritten(dir, err)
	}
	if err := ours(dir); err != nil {
		return unwritten(dir, err)
	}
	lock, err := sys.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return unwritten(dir, err)
	}
	defer lock.Unlock()
	f, err := read(dir)
	if err != nil {
		return err
	}
	if wanted = f.lacks(wanted); len(wanted) == 0 {
		return nil
	}
	b, err := encode(f.with(wanted))
	if err == nil && len(b) > maxFile {
		err = sys.ErrTooLarge
	}
	if err == nil {
		_ = sys.Sweep(dir, os.Remove) // of writers that were killed; what stays is in nobody's way
		err = r.write(filepath.Join(dir, fileName), b)
	}
	if err != nil {
		return unwritten(dir, err)
	}
	c, err := sys.OpenCounter(filepath.Join(dir, counterName))
	if err != nil {
		return unwritten(dir, err)
	}
	c.Raise(c.Load() + 1) // a lost one is a change to whoever has it mapped
	if err := c.Close(); err != nil {
		return unwritten(dir, err)
	}
	return nil
}

// with returns f with wanted in it, and without all but the latest of what is no
// longer where it was.
func (f *file) with(wanted []entry) file {
	all := append([]entry(nil), wanted...)
	gone := 0
next:
	for i := len(f.Things) - 1; i >= 0; i-- { // the latest stands last
		e := &f.Things[i]
		for j := range wanted {
			if wanted[j].supersedes(e) {
				continue next
			}
		}
		if !e.here() {
			if gone++; gone > maxGone {
				continue
			}
		}
		all = append(all, *e)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return file{all}
}

// Occupy makes the folders in which a register may be, as far as that can be done:
// what is there can be kept from a guest, and is not made by one.
func (r *Register) Occupy() {
	for _, dir := range r.places {
		_ = makeFolder(dir) // where it can't be made it is not believed either
	}
}

// Load returns what stands in the register.
func (r *Register) Load() (things []Thing, err error) {
	for _, dir := range r.places {
		f, err := read(dir)
		if err != nil {
			return nil, err
		}
		for i := range f.Things {
			things = append(things, f.Things[i].thing())
		}
	}
	return things, nil
}

// Links takes the lock on links, shared or alone, of all processes of this user. It tries
// until done is closed or patience has passed, and answers nil then, and also where the
// lock can't be had for another reason. Where there is no place for a register nobody else
// has one, and it is not waited for.
func (r *Register) Links(alone bool, done <-chan struct{}, patience time.Duration) (release func()) {
	take := sys.TryShare
	if alone {
		take = sys.TryLock
	}
	until := time.Now().Add(patience)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		held := false
		for _, dir := range r.places {
			l, got, err := take(filepath.Join(dir, linksName))
			if got {
				return func() { _ = l.Unlock() }
			}
			// Where there is no such folder, or nothing can be written, others of this
			// machine have none either.
			if held = !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EROFS); held {
				break
			}
		}
		if !held {
			return func() {}
		}
		if time.Now().After(until) {
			return nil
		}
		select {
		case <-done:
			return nil
		case <-time.After(pause):
		}
	}
}

// Counter maps the number that rises with each change of the register; nil where
// this user can't have one.
func (r *Register) Counter() *sys.Counter {
	for _, dir := range r.places {
		if ours(dir) != nil {
			continue
		}
		if c, err := sys.OpenCounter(filepath.Join(dir, counterName)); err == nil {
			return c
		}
	}
	return nil
}

// read reads the register of the folder dir; none is an empty one, and so is one in
// a folder that others may have made.
func read(dir string) (f file, err error) {
	path := filepath.Join(dir, fileName)
	b, err := sys.ReadRegular(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), others(dir):
		return f, nil
	}
	if err == nil {
		err = ours(dir)
	}
	if errors.Is(err, errNotOurs) {
		hint := "chmod go= " + abi.Shell(dir)
		if st, err := os.Lstat(dir); err == nil && !st.IsDir() { // a link: what it leads to is not ours to judge
			hint = "mv " + abi.Shell(dir) + " " + abi.Shell(dir+".damaged") + doctor
		}
		return f, &abi.Error{
			Code: CodeDamaged, What: "the register of this user's state folders can't be believed: others may write to it", Where: dir, Err: err, Hint: hint,
		}
	}
	if err == nil {
		f, err = decode(b)
	}
	if err != nil {
		return f, &abi.Error{
			Code: CodeDamaged, What: "the register of this user's state folders can't be read: guests can't be kept from what is not known", Where: path, Err: err,
			Hint: "mv " + abi.Shell(path) + " " + abi.Shell(path+".damaged") + doctor,
		}
	}
	return f, nil
}

// doctor notes a state folder again: what else was in a register that was put aside.
const doctor = " && forgeone doctor # and `forgeone doctor --home FOLDER` for each other state folder"

func unwritten(dir string, err error) error {
	return &abi.Error{
		Code: CodeUnwritten, What: "the state folder can't be noted in the register of this user's state folders: guests of other processes would not be kept from it", Where: dir, Err: err,
		Hint: "df -h " + abi.Shell(dir),
	}
}
