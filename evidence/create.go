package evidence

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// Create makes the log in o.Dir, and the folder if it is not there, with its
// Genesis record. Of several processes that do so at once one succeeds and the
// others get CodeExists, as does whoever comes when there is a log already.
func Create(o Options) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	if o.Key == nil {
		return &abi.Error{Code: CodeUsage, What: "a log cannot be made without a private key", Where: o.Dir, Hint: "forgeone init"}
	}
	if o.Origin == "" {
		o.Origin = DefaultOrigin(o.Key.Public())
	}
	if !ownOrigin(o.Origin, o.Key.Public()) {
		return &abi.Error{Code: CodeUsage, What: "the origin " + o.Origin + " is the name of another key's log", Where: o.Dir}
	}
	if err := makeFolder(o); err != nil {
		return ioError("make the folder of the evidence log", o.Dir, err)
	}
	turn, err := sys.OpenTurnstile(filepath.Join(o.Dir, lockName))
	if err != nil {
		return ioError("make the lock of the evidence log", o.Dir, err)
	}
	if err := turn.Lock(); err != nil {
		return errors.Join(ioError("lock the evidence log", o.Dir, err), turn.Close())
	}
	return errors.Join(create(o), turn.Close())
}

// makeFolder makes the log's folder, for its owner only, and its name durable.
func makeFolder(o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	return o.FS.SyncDir(filepath.Dir(filepath.Clean(o.Dir)))
}

// create makes segment 0; the lock is held.
func create(o Options) error {
	path := filepath.Join(o.Dir, segmentName(0))
	list, err := o.FS.ReadDir(o.Dir)
	if err != nil {
		return ioError("read the folder of the evidence log", o.Dir, err)
	}
	for _, e := range list {
		if _, ok := parseSegmentName(e.Name()); ok {
			return &abi.Error{Code: CodeExists, What: "there is an evidence log here already", Where: filepath.Join(o.Dir, e.Name())}
		}
	}
	c := newChain()
	raw := header{Origin: o.Origin}.encode()
	if err := c.enter(0, raw); err != nil {
		return err
	}
	g := abi.Record{
		Kind: abi.KindGenesis, Time: max(o.Now().UnixNano(), 0), // no record is from before 1970
		Body: &abi.Genesis{Origin: o.Origin, LogKey: o.Key.Public()},
	}
	b, err := c.opening(g, signednote.NewSigner(o.Origin, o.Key))
	if err != nil {
		return err
	}
	f, err := newSegment(o.FS, path, append(raw, b...), o.chunk())
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return ioError("write the first segment", path, err)
	}
	if err := o.FS.Rename(path+tmpSuffix, path); err != nil {
		return ioError("name the first segment", path, err)
	}
	if err := o.FS.SyncDir(o.Dir); err != nil {
		return ioError("make the first segment durable", path, err)
	}
	return nil
}
