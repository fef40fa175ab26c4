package signednote

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// maxTime is the last second of the year 9999: times beyond have no common
// text form.
const maxTime = 253402300799

// Cosign returns the line by which the witness name says that at that time c was
// the largest head of its log that it had seen, and was consistent with all
// before (C2SP tlog-cosignature, cosignature/v1). The caller has made sure of it.
func Cosign(key *seal.PrivateKey, name string, at time.Time, c *Checkpoint) string {
	t := uint64(at.Unix())
	k := Key{name, SigWitness, key.Public()}
	sig := binary.BigEndian.AppendUint64(nil, t)
	sig = append(sig, key.SignRaw(cosigned(t, c.Text))...)
	return Signature{name, k.Hash(), sig}.Line()
}

// cosigned is what a witness signs.
func cosigned(at uint64, text []byte) []byte {
	b := strconv.AppendUint([]byte("cosignature/v1\ntime "), at, 10)
	return append(append(b, '\n'), text...)
}

// SignedBy tells whether k signed c, and of a witness when it last did. A signature
// that names k and is not k's is an error, CodeCosignature: the note was edited.
func (c *Checkpoint) SignedBy(k Key) (at time.Time, ok bool, err error) {
	hash := k.Hash()
	for _, s := range c.Sigs {
		if s.Name != k.Name || s.Hash != hash {
			continue
		}
		when, good := k.verify(c.Text, s.Sig)
		if !good {
			return at, false, &abi.Error{Code: CodeCosignature, What: "a signature on a checkpoint is not of the key that it names", Where: k.Name}
		}
		if !ok || when.After(at) {
			at, ok = when, true
		}
	}
	return at, ok, nil
}

func (k Key) verify(text, sig []byte) (at time.Time, ok bool) {
	if k.Type == SigLog {
		return at, k.Key.VerifyRaw(text, sig)
	}
	if len(sig) != 8+64 {
		return at, false
	}
	t := binary.BigEndian.Uint64(sig)
	if t > maxTime {
		return at, false
	}
	return time.Unix(int64(t), 0).UTC(), k.Key.VerifyRaw(cosigned(t, text), sig[8:])
}

// Add takes in signature lines, as a witness answers them, that are of one of the
// given keys and verify; the others are ignored. It returns how many were
// taken. A line of a key takes the place of an older one of the same key.
func (c *Checkpoint) Add(lines []byte, keys ...Key) (int, error) {
	if len(lines) > MaxCheckpoint {
		return 0, &abi.Error{Code: CodeNote, What: "the signature lines are too long"}
	}
	sigs, err := parseSignatures(string(lines))
	if err != nil {
		return 0, &abi.Error{Code: CodeNote, What: "these are not signature lines", Err: err}
	}
	n := 0
	for _, s := range sigs {
		for _, k := range keys {
			if s.Name != k.Name || s.Hash != k.Hash() {
				continue
			}
			if _, good := k.verify(c.Text, s.Sig); good {
				c.Put(s)
				n++
			}
		}
	}
	return n, nil
}

func (c *Checkpoint) Put(s Signature) {
	for i := range c.Sigs {
		if c.Sigs[i].Name == s.Name && c.Sigs[i].Hash == s.Hash {
			c.Sigs[i] = s
			return
		}
	}
	c.Sigs = append(c.Sigs, s)
}

// Cosigner is a witness and when it last vouched for a checkpoint.
type Cosigner struct {
	Name string
	Time time.Time
}

// Cosigners returns those of the witnesses that cosigned c. One cosignature that is
// wrong spoils all: CodeCosignature.
func (c *Checkpoint) Cosigners(keys []Key) (by []Cosigner, err error) {
	for _, k := range keys {
		at, ok, err := c.SignedBy(k)
		if err != nil {
			return nil, err
		}
		if ok {
			by = append(by, Cosigner{k.Name, at})
		}
	}
	return by, nil
}
