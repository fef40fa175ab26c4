package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// Names in a witness's folder.
const (
	KeyFile  = "witness.key" // private, 0600
	VkeyFile = "vkey"        // its verifier key, which fixes the witness's name
	LogsFile = "logs"        // verifier keys of the logs it knows, one a line
	// AddressFile says where the witness is served.
	AddressFile = "address"
	lockFile    = "lock"
	headsDir    = "heads" // the newest cosigned checkpoint of each log
	maxList     = 1 << 20
	idDomain    = "forgeone/witness-log/v1"
)

// store is a witness's folder. One process has it at a time.
type store struct {
	dir  string
	lock *sys.FileLock
	key  *seal.PrivateKey
	own  evidence.NoteKey
}

// openStore opens the folder, and makes it and its key when they are not there.
func openStore(dir, name string) (*store, error) {
	if err := os.MkdirAll(filepath.Join(dir, headsDir), 0o700); err != nil {
		return nil, folder(dir, err)
	}
	if i, err := os.Stat(dir); err != nil || i.Mode().Perm()&0o022 != 0 {
		if err != nil {
			return nil, folder(dir, err)
		}
		return nil, &abi.Error{Code: "F1-WIT-020", What: "others may write to the witness's folder", Where: dir, Hint: "chmod go-w " + abi.Shell(dir)}
	}
	// Its key, and what it has vouched for, are for no guest of this user's, wherever
	// the folder lies.
	things, err := register.Describe(dir, headsDir)
	if err != nil {
		return nil, folder(dir, err)
	}
	if err := register.At("").Note(things); err != nil && !errors.Is(err, register.ErrNowhere) {
		return nil, err
	}
	lock, ok, err := sys.TryLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, folder(dir, err)
	}
	if !ok {
		return nil, &abi.Error{Code: CodeInUse, What: "another process serves this witness: two of them could vouch for two histories", Where: dir}
	}
	s := &store{dir: dir, lock: lock}
	if err := os.Remove(filepath.Join(dir, AddressFile)); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return nil, errors.Join(folder(dir, err), lock.Unlock())
	}
	if err := s.identify(name); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

// identify loads the witness's key and name, or gives it one.
func (s *store) identify(name string) (err error) {
	path, vkey := filepath.Join(s.dir, KeyFile), filepath.Join(s.dir, VkeyFile)
	b, err := sys.ReadRegular(vkey, 1024)
	first := errors.Is(err, fs.ErrNotExist)
	if err != nil && !first {
		return folder(vkey, err)
	}
	if first {
		// The name comes last: a crash in between leaves a key that is used then.
		if _, err := keys.Generate(path); err != nil && abi.CodeOf(err) != abi.CodeKeyExists {
			return err
		}
	}
	if s.key, err = keys.Load(path, ""); err != nil {
		return err
	}
	if first {
		if name == "" {
			name = "forgeone.local/witness-" + s.key.Public().ID().Hex()[:16]
		}
		s.own = evidence.NoteKey{Name: name, Type: evidence.SigWitness, Key: s.key.Public()}
		if _, err := evidence.ParseNoteKey(s.own.String()); err != nil {
			return &abi.Error{Code: CodeName, What: "a witness's name is one word without +", Where: name}
		}
		if err := sys.WriteFile(vkey, []byte(s.own.String()+"\n"), 0o644); err != nil {
			return folder(vkey, err)
		}
		return nil
	}
	if s.own, err = evidence.ParseNoteKey(string(b)); err != nil {
		return err
	}
	if !bytes.Equal(s.own.Key, s.key.Public()) || s.own.Type != evidence.SigWitness {
		return &abi.Error{Code: CodeState, What: "the witness's verifier key is not of its private key", Where: vkey}
	}
	if name != "" && name != s.own.Name {
		return &abi.Error{Code: CodeName, What: fmt.Sprintf("the witness in this folder is %s, and keeps its name", s.own.Name), Where: s.dir}
	}
	return nil
}

func (s *store) head(origin string) string {
	return filepath.Join(s.dir, headsDir, seal.Sum(idDomain, []byte(origin)).Hex())
}

// load returns the newest checkpoint of origin that was cosigned, nil if there
// is none. One that is not as it was written is an error: it is never taken for
// none.
func (s *store) load(origin string) (*evidence.Checkpoint, error) {
	path := s.head(origin)
	b, err := sys.ReadRegular(path, evidence.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, folder(path, err)
	}
	c, err := evidence.ParseCheckpoint(b)
	if err == nil {
		var mine bool
		if _, mine, err = c.SignedBy(s.own); err == nil && (!mine || c.Origin != origin) {
			err = errors.New("it is not cosigned by this witness")
		}
	}
	if err != nil {
		return nil, &abi.Error{Code: CodeState, What: "the witness's memory of a log is damaged", Where: path, Err: err}
	}
	return c, nil
}

// save makes c durable as the newest checkpoint of its log.
func (s *store) save(c *evidence.Checkpoint) error {
	path := s.head(c.Origin)
	if err := sys.WriteFile(path, c.Bytes(), 0o600); err != nil {
		return folder(path, err)
	}
	return nil
}

// accuse keeps the first checkpoint that contradicts one that was cosigned: both
// are signed by the log, which proves that it has two histories.
func (s *store) accuse(c *evidence.Checkpoint) (path string, err error) {
	path = s.head(c.Origin) + ".fork"
	if _, err := os.Lstat(path); err == nil {
		return path, nil
	}
	if err := sys.WriteFile(path, c.Bytes(), 0o600); err != nil {
		return path, folder(path, err)
	}
	return path, nil
}

// ReadLogs reads a list of verifier keys of logs: one a line, besides empty
// lines and comments (#).
func ReadLogs(path string) ([]evidence.NoteKey, error) { return readLogs(path, "") }

// logs returns the verifier keys of origin in the list of known logs, which is
// read anew each time; with "" it checks and returns all.
func (s *store) logs(origin string) (found []evidence.NoteKey, err error) {
	found, err = readLogs(filepath.Join(s.dir, LogsFile), origin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return found, err
}

func readLogs(path, origin string) (found []evidence.NoteKey, err error) {
	b, err := sys.ReadRegular(path, maxList)
	if err != nil {
		return nil, folder(path, err)
	}
	n := 0
	for l := range strings.Lines(string(b)) {
		n++
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' || (origin != "" && !strings.HasPrefix(l, origin+"+")) {
			continue
		}
		k, err := parseLog(l)
		if err != nil {
			return nil, &abi.Error{Code: CodeList, What: "the list of logs has a line that is no log's verifier key", Where: fmt.Sprintf("%s:%d", path, n), Err: err}
		}
		found = append(found, k)
	}
	return found, nil
}

func parseLog(l string) (evidence.NoteKey, error) {
	k, err := evidence.ParseNoteKey(l)
	if err == nil && k.Type != evidence.SigLog {
		err = errors.New("it is the verifier key of a witness")
	}
	return k, err
}
