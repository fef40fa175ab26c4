package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/internal/sys"
)

// errOther says that a file exists and says something else.
var errOther = errors.New("other bytes are there")

// maxSynced is how many new files are synced one by one; more than that are made
// durable by syncing their file system.
const maxSynced = 32

// newFiles writes the files of an export. What it wrote is durable after sync.
type newFiles struct {
	fs    sys.FS
	dir   string
	count uint64   // files written
	open  []string // not synced yet, maxSynced+1 of them at most
	last  string   // folder that is known to be there
	buf   []byte
}

// put writes data to the file name, whole, unless it is there. If something is
// there that data does not begin with, it is left as it is and errOther comes
// back; a beginning is what a power cut may leave.
func (f *newFiles) put(name string, data []byte) error {
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	switch there, err := f.has(path, data); {
	case err != nil || there:
		return err
	}
	return f.write(path, data)
}

// replace writes data to the file name, whole, whatever it held.
func (f *newFiles) replace(name string, data []byte) error {
	path := filepath.Join(f.dir, name)
	if there, err := f.has(path, data); there && err == nil {
		return nil
	}
	return f.write(path, data)
}

// has tells whether path holds data.
func (f *newFiles) has(path string, data []byte) (bool, error) {
	x, err := f.fs.Open(path)
	if isMissing(err) {
		return false, nil
	} else if err != nil {
		return false, ioError("read the export", path, err)
	}
	defer x.Close() // it is only read
	f.buf = append(f.buf[:0], make([]byte, len(data)+1)...)
	n, err := x.ReadAt(f.buf, 0)
	if err != nil && err != io.EOF {
		return false, ioError("read the export", path, err)
	}
	if !bytes.HasPrefix(data, f.buf[:n]) {
		return false, fmt.Errorf("%w: %d bytes in place of %d", errOther, n, len(data))
	}
	return n == len(data), nil
}

// write writes a file under another name and gives it its own.
func (f *newFiles) write(path string, data []byte) error {
	dir, name := filepath.Split(path)
	if dir != f.last {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return ioError("make a folder of the export", dir, err)
		}
		f.last = dir
	}
	tmp := filepath.Join(dir, "."+name+tmpSuffix)
	if err := f.fill(tmp, data); err != nil {
		return ioError("write the export", tmp, err)
	}
	if err := f.fs.Rename(tmp, path); err != nil {
		return ioError("write the export", path, err)
	}
	f.count++
	if len(f.open) <= maxSynced {
		f.open = append(f.open, path)
	}
	return nil
}

func (f *newFiles) fill(tmp string, data []byte) error {
	x, err := f.fs.Create(tmp)
	if isExist(err) { // left by a process that died: the lock is ours
		if err := f.fs.Remove(tmp); err != nil {
			return err
		}
		x, err = f.fs.Create(tmp)
	}
	if err != nil {
		return err
	}
	_, err = x.WriteAt(data, 0)
	return errors.Join(err, x.Close())
}

// sync makes what was written durable.
func (f *newFiles) sync() error {
	list := f.open
	f.open = f.open[:0]
	if len(list) > maxSynced {
		if err := sys.SyncFS(f.dir); err != nil {
			return ioError("make the export durable", f.dir, err)
		}
		return nil
	}
	dirs := map[string]bool{}
	for _, path := range list {
		if err := f.syncOne(path); err != nil {
			return ioError("make the export durable", path, err)
		}
		for d := filepath.Dir(path); !dirs[d]; d = filepath.Dir(d) {
			dirs[d] = true
			if err := f.fs.SyncDir(d); err != nil {
				return ioError("make the export durable", d, err)
			}
			if d == filepath.Clean(f.dir) {
				break
			}
		}
	}
	return nil
}

func (f *newFiles) syncOne(path string) error {
	x, err := f.fs.OpenWrite(path)
	if err != nil {
		return err
	}
	return errors.Join(x.Datasync(), x.Close())
}
