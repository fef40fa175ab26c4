package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// CosignedFile is the name in a log's folder of the newest checkpoint that had a
// quorum of cosignatures.
const CosignedFile = "cosigned"

// WitnessState says in a word what witnesses have seen of a log.
type WitnessState string

// The states. All but the first three come with an error.
const (
	Unwitnessed     WitnessState = "unwitnessed"      // nobody else vouches: an older log put back would not show
	AllWitnessed    WitnessState = "witnessed"        // every record
	PrefixWitnessed WitnessState = "witnessed-prefix" // the first Size records; those after them could be cut off unseen
	Behind          WitnessState = "behind"           // a witness saw more records than there are (CodeBehind)
	Forked          WitnessState = "forked"           // a witness saw other records (CodeForked)
	QuorumMissing   WitnessState = "quorum-missing"   // too few witnesses vouch (CodeQuorum)
)

// Witnessed is what witnesses say of a log.
type Witnessed struct {
	State   WitnessState
	Records uint64     // in the log
	Size    uint64     // records that the cosigned checkpoint covers
	Quorum  uint64     // how many witnesses are asked for
	Of      int        // how many witnesses count
	By      []Cosigner // who vouches for those records
}

// Yes tells whether the log is witnessed, at least up to Size.
func (w *Witnessed) Yes() bool { return w.State == AllWitnessed || w.State == PrefixWitnessed }

// String says it in a line.
func (w *Witnessed) String() string {
	switch {
	case w.State == Unwitnessed:
		return "unwitnessed: that an older log was put back would not show"
	case len(w.By) == 0:
		return fmt.Sprintf("%s: no witness vouches, and %d are asked for", w.State, w.Quorum)
	}
	return fmt.Sprintf("%s: %d of %d records by %s (newest %s)", w.State, w.Size, w.Records, cosigners(w.By), w.Newest().UTC().Format(time.RFC3339))
}

// Newest is the time of the newest cosignature, zero if there is none.
func (w *Witnessed) Newest() (at time.Time) {
	for _, c := range w.By {
		if c.Time.After(at) {
			at = c.Time
		}
	}
	return at
}

// Cosigner is a witness and when it last vouched for a checkpoint.
type Cosigner = signednote.Cosigner

// since counts those that vouched at that time or later.
func (w *Witnessed) since(at time.Time) (n uint64) {
	for _, c := range w.By {
		if !c.Time.Before(at) {
			n++
		}
	}
	return n
}

// WitnessKeys returns the verifier keys of set.
func WitnessKeys(set abi.WitnessSet) ([]NoteKey, error) {
	var keys []NoteKey
	for _, w := range set.Witnesses {
		k, err := ParseNoteKey(w.Key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, checkWitnesses(keys, set.Quorum)
}

// checkWitnesses checks that quorum of the keys can be reached, and that each is
// a witness's and counts once.
func checkWitnesses(keys []NoteKey, quorum uint64) error {
	seen := map[string]bool{}
	for _, k := range keys {
		switch {
		case k.Type != SigWitness:
			return &abi.Error{Code: CodeNoteKey, What: "this is the verifier key of a log, not of a witness", Where: k.Name}
		case seen[string(k.Key)]:
			return &abi.Error{Code: CodeNoteKey, What: "one witness is named twice: a key counts once", Where: k.Name}
		}
		seen[string(k.Key)] = true
	}
	if quorum > uint64(len(keys)) {
		return &abi.Error{Code: CodeUsage, What: fmt.Sprintf("a quorum of %d can't be reached by %d witnesses", quorum, len(keys))}
	}
	return nil
}

// ReadCosigned reads the cosigned checkpoint in a log's folder, nil if there is
// none.
func ReadCosigned(dir string) (*Checkpoint, error) {
	path := filepath.Join(dir, CosignedFile)
	b, err := sys.ReadRegular(path, MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, ioError("read the cosigned checkpoint", path, err)
	}
	c, err := signednote.Parse(b)
	if err != nil {
		return nil, &abi.Error{Code: CodeNote, What: "the cosigned checkpoint is damaged", Where: path, Hint: "forgeone log witness sync", Err: err}
	}
	return c, nil
}

// headCheck compares heads of trees with a log as it is verified.
type headCheck struct {
	heads    []*Checkpoint // that the caller vouches for
	cosigned *Checkpoint   // nil: none
	found    bool          // the log has as many records as cosigned says
	root     abi.Digest    // of the tree over them
	before   merkle.Tree   // in front of the next batch
	set      abi.WitnessSet
}

// begin reads what there is to compare with. It is called before the log's extent
// is looked at: who appends meanwhile must not make the log seem behind.
func (k *headCheck) begin(dir string, o *VerifyOptions) (err error) {
	k.heads = o.Heads
	quorum := o.Quorum
	if len(o.Witnesses) == 0 && quorum > 0 {
		return &abi.Error{Code: CodeUsage, What: "a quorum is asked for, and no witnesses are named", Where: dir}
	}
	if err := checkWitnesses(o.Witnesses, quorum); err != nil {
		return err
	}
	if k.cosigned = o.Cosigned; k.cosigned == nil && !o.Unwitnessed {
		k.cosigned, err = ReadCosigned(dir)
	}
	return err
}

// accept compares the heads that lie in the batch b, which begins with the
// record first and was verified.
func (k *headCheck) accept(b *batch, first uint64, c *chain) error {
	for i, e := range b.entries {
		if kind, _, _ := peek(e); kind == abi.KindWitnesses {
			r, err := codec.DecodeRecord(e)
			if err != nil {
				return c.damage(CodeRecord, b.offsets[i], first+uint64(i), "a record cannot be decoded", err)
			}
			k.set = *r.Body.(*abi.WitnessSet)
		}
	}
	for _, h := range k.heads {
		if root, ok := k.rootAt(h.Size, b, first, c); ok && root != h.Root {
			return c.damage(CodeForked, b.commitAt, h.Size, "the checkpoint that was given is of other records", nil)
		}
	}
	if h := k.cosigned; h != nil {
		if root, ok := k.rootAt(h.Size, b, first, c); ok {
			k.found, k.root = true, root
		}
	}
	if k.cosigned != nil || len(k.heads) > 0 { // (a copy of the tree costs)
		k.before = c.tree
	}
	return nil
}

// at compares the heads over as many records as t has. False: one differs.
func (k *headCheck) at(t *merkle.Tree, h *merkle.Hasher) bool {
	for _, x := range k.heads {
		if x.Size == t.N && x.Root != t.Root(h) {
			return false
		}
	}
	if x := k.cosigned; x != nil && x.Size == t.N {
		k.found, k.root = true, t.Root(h)
	}
	return true
}

// rootAt returns the root of the tree over the first size records, if it is
// reached in b.
func (k *headCheck) rootAt(size uint64, b *batch, first uint64, c *chain) (abi.Digest, bool) {
	switch {
	case size == c.tree.N:
		return c.root, true
	case size > c.tree.N || size < first || (size == first && size > 0):
		return abi.Digest{}, false
	}
	t := k.before
	for _, e := range b.entries[:size-first] {
		t.Push(c.h, c.h.Leaf(e))
	}
	return t.Root(c.h), true
}

// end judges, after the whole log of records was verified.
func (k *headCheck) end(dir string, o *VerifyOptions, origin string, records uint64) (w Witnessed, err error) {
	for _, h := range k.heads {
		if h.Origin != origin {
			return w, &abi.Error{Code: CodeOrigin, What: "the checkpoint that was given is of " + h.Origin + ", the log is " + origin, Where: dir}
		}
		if h.Size > records {
			return w, behind(dir, fmt.Sprintf("the checkpoint that was given counts %d records, the log has %d", h.Size, records))
		}
	}
	if o.Unwitnessed {
		return Witnessed{State: Unwitnessed, Records: records}, nil
	}
	keys := o.Witnesses
	w.Quorum = o.Quorum
	if len(keys) == 0 {
		if keys, err = WitnessKeys(k.set); err != nil {
			return w, err
		}
		w.Quorum = k.set.Quorum
	} else if w.Quorum == 0 {
		w.Quorum = uint64(len(keys))
	}
	w.Of = len(keys)
	if w.Quorum == 0 && (!o.Since.IsZero() || o.Cosigned != nil) {
		w.Quorum = 1 // who asks how fresh cosignatures are, or brings them, asks for one
	}
	return w, k.judge(dir, &w, keys, origin, records, o.Since)
}

func (k *headCheck) judge(dir string, w *Witnessed, keys []NoteKey, origin string, records uint64, since time.Time) error {
	w.State, w.Records = Unwitnessed, records
	if k.cosigned != nil {
		var err error
		if w.By, err = k.cosigned.Cosigners(keys); err != nil {
			return err
		}
	}
	if len(w.By) > 0 {
		h := k.cosigned
		w.Size = h.Size
		switch {
		case h.Origin != origin:
			return &abi.Error{Code: CodeOrigin, What: "the cosigned checkpoint is of " + h.Origin + ", the log is " + origin, Where: dir}
		case h.Size > records:
			w.State = Behind
			return behind(dir, fmt.Sprintf("%s saw %d records, the log has %d: an older log was put back, or records were cut off", cosigners(w.By), h.Size, records))
		case !k.found || k.root != h.Root:
			w.State = Forked
			return &abi.Error{Code: CodeForked, What: fmt.Sprintf("%s saw other records among the first %d", cosigners(w.By), h.Size), Where: dir, Hint: "keep both the log and the cosigned checkpoint: together they show that the log's key signed two histories"}
		}
	}
	if n := w.since(since); n < w.Quorum {
		w.State = QuorumMissing
		late := ""
		if !since.IsZero() {
			late = " since " + since.UTC().Format(time.RFC3339)
		}
		return &abi.Error{Code: CodeQuorum, What: fmt.Sprintf("%d of %d witnesses vouch for this log%s, and %d are asked for", n, w.Of, late, w.Quorum), Where: dir, Hint: "forgeone log witness sync"}
	}
	if len(w.By) > 0 {
		if w.State = AllWitnessed; w.Size < records {
			w.State = PrefixWitnessed
		}
	}
	return nil
}

func behind(dir, what string) error {
	return &abi.Error{Code: CodeBehind, What: what, Where: dir, Hint: "find the newer log, and keep this one as evidence"}
}

func cosigners(by []Cosigner) string {
	s := ""
	for i, c := range by {
		if i > 0 {
			s += ", "
		}
		s += c.Name
	}
	return s
}
