package witness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/sys"
)

const (
	sizesFile   = "witness.sizes" // what each witness cosigned last: "<verifier key> <size>" lines
	syncLock    = "witness.lock"
	lockTimeout = time.Minute
	lockPause   = 50 * time.Millisecond
)

// Outcome is what a Sync came to.
type Outcome struct {
	Head    *evidence.Checkpoint // with the cosignatures that were got
	Results []Result
	Count   int  // cosignatures of peers on Head
	Kept    bool // Head is now the log's cosigned checkpoint
}

// Sync has the newest checkpoint of the log in dir, which newest returns, cosigned
// by the peers, and keeps it in dir as soon as quorum of them have (one, if quorum
// is 0); until then the one before stays. One Sync at a time works on a folder;
// newest is called when it is this one's turn, and catches up with the log: a head
// older than what another Sync just showed would look like a log put back.
func Sync(ctx context.Context, c *http.Client, dir string, newest func() (*evidence.Checkpoint, error), proofs Prover, peers []Peer, quorum uint64) (o Outcome, err error) {
	unlock, err := lockSync(ctx, dir)
	if err != nil {
		return o, err
	}
	defer unlock()
	head, err := newest()
	if err != nil {
		return o, err
	}
	sizes, err := readSizes(dir)
	if err != nil {
		return o, err
	}
	last, err := evidence.ReadCosigned(dir)
	if abi.CodeOf(err) == evidence.CodeNote {
		last, err = nil, nil // damaged; it is made anew
	}
	if err != nil {
		return o, err
	}
	for i := range peers {
		peers[i].Seen = sizes[peers[i].Key.String()]
		if last != nil && last.Same(head) {
			// What was got before counts again.
			for _, s := range last.Sigs {
				if _, err := head.Add([]byte(s.Line()), peers[i].Key); err != nil {
					return o, err
				}
			}
		}
	}
	o.Head, o.Results = head, Ask(ctx, c, head, proofs, peers)
	for _, r := range o.Results {
		if r.Err == nil { // what was seen was seen, whatever a witness says now
			sizes[r.Peer.Key.String()] = max(head.Size, sizes[r.Peer.Key.String()])
		}
		if _, ok, err := head.SignedBy(r.Peer.Key); ok && err == nil && !accuses(r.Err) {
			o.Count++
		}
	}
	if err := writeSizes(dir, sizes, peers); err != nil {
		return o, err
	}
	if last != nil && last.Origin == head.Origin && last.Size > head.Size {
		return o, &abi.Error{
			Code: CodeOlder, What: fmt.Sprintf("the log has %d records, and %d of it were cosigned before: it was put back", head.Size, last.Size),
			Where: filepath.Join(dir, evidence.CosignedFile), Hint: "forgeone log verify",
		}
	}
	if o.Count > 0 && uint64(o.Count) >= quorum {
		o.Kept = true
		path := filepath.Join(dir, evidence.CosignedFile)
		if err := sys.WriteFile(path, head.Bytes(), 0o600); err != nil {
			return o, folder(path, err)
		}
	}
	return o, nil
}

// accuses tells whether err says that log and witness contradict each other.
func accuses(err error) bool {
	switch abi.CodeOf(err) {
	case CodeOlder, CodeHistory, CodeForgot:
		return true
	}
	return false
}

func lockSync(ctx context.Context, dir string) (unlock func(), err error) {
	path := filepath.Join(dir, syncLock)
	for end := time.Now().Add(lockTimeout); ; {
		l, ok, err := sys.TryLock(path)
		if err != nil {
			return nil, folder(path, err)
		}
		if ok {
			return func() { _ = l.Unlock() }, nil // it falls with the process anyway
		}
		if time.Now().After(end) {
			return nil, &abi.Error{Code: CodeBusy, What: "another process has this log cosigned, and does not end", Where: path}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// readSizes reads what each witness cosigned last, by its verifier key.
func readSizes(dir string) (map[string]uint64, error) {
	sizes := map[string]uint64{}
	path := filepath.Join(dir, sizesFile)
	b, err := sys.ReadRegular(path, maxList)
	if errors.Is(err, fs.ErrNotExist) {
		return sizes, nil
	} else if err != nil {
		return nil, folder(path, err)
	}
	for l := range strings.Lines(string(b)) {
		vkey, n, _ := strings.Cut(strings.TrimSuffix(l, "\n"), " ")
		size, ok := parseSize(n, true)
		if _, err := evidence.ParseNoteKey(vkey); err != nil || !ok {
			return nil, &abi.Error{Code: CodeState, What: "the list of what witnesses have seen is damaged", Where: path, Hint: "rm " + abi.Shell(path)}
		}
		sizes[vkey] = size
	}
	return sizes, nil
}

// writeSizes keeps the sizes of the peers, and forgets those of others.
func writeSizes(dir string, sizes map[string]uint64, peers []Peer) error {
	var b strings.Builder
	for _, p := range peers {
		if n := sizes[p.Key.String()]; n > 0 {
			fmt.Fprintf(&b, "%s %d\n", p.Key, n)
		}
	}
	path := filepath.Join(dir, sizesFile)
	if err := sys.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return folder(path, err)
	}
	return nil
}

// Forget drops what is known here of what the witness of that name has seen: when
// it comes back, it begins anew.
func Forget(ctx context.Context, dir, name string) error {
	unlock, err := lockSync(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	sizes, err := readSizes(dir)
	if err != nil {
		return err
	}
	var left []Peer
	for vkey := range sizes {
		k, err := evidence.ParseNoteKey(vkey)
		if err != nil {
			return err
		}
		if k.Name != name {
			left = append(left, Peer{Key: k})
		}
	}
	return writeSizes(dir, sizes, left)
}

// Peers returns the witnesses of set, to be asked.
func Peers(set abi.WitnessSet) ([]Peer, error) {
	keys, err := evidence.WitnessKeys(set)
	if err != nil {
		return nil, err
	}
	peers := make([]Peer, len(keys))
	for i, k := range keys {
		peers[i] = Peer{Key: k, URL: set.Witnesses[i].URL}
	}
	return peers, nil
}

// View is what is known in a log's folder of its witnesses, by a look at sizes: the
// log itself is not verified.
type View struct {
	evidence.Witnessed
	Peers []Peer
}

// Look reads what the witnesses of set have seen of the log in dir, which has that
// many records. With a cosigned checkpoint that is damaged or edited
// (evidence.CodeNote, evidence.CodeCosignature) the view says that nobody vouches;
// with other errors it has no state.
func Look(dir string, records uint64, set abi.WitnessSet) (v View, err error) {
	if v.Peers, err = Peers(set); err != nil {
		return v, err
	}
	sizes, err := readSizes(dir)
	if err != nil {
		return v, err
	}
	var keys []evidence.NoteKey
	for i, p := range v.Peers {
		v.Peers[i].Seen = sizes[p.Key.String()]
		keys = append(keys, p.Key)
	}
	w := &v.Witnessed
	w.State, w.Records, w.Quorum, w.Of = evidence.QuorumMissing, records, set.Quorum, len(keys)
	c, err := evidence.ReadCosigned(dir)
	if err != nil {
		return v, err
	}
	if c != nil {
		if w.By, err = c.Cosigners(keys); err != nil {
			return v, err
		}
		w.Size = c.Size
	}
	switch n := len(w.By); {
	case uint64(n) < w.Quorum:
		w.State = evidence.QuorumMissing
	case n == 0:
		w.State, w.Size = evidence.Unwitnessed, 0
	case w.Size > records:
		w.State = evidence.Behind
	case w.Size == records:
		w.State = evidence.AllWitnessed
	default:
		w.State = evidence.PrefixWitnessed
	}
	return v, nil
}
