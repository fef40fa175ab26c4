package trace

import (
	"encoding/binary"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// Mount is a host folder that the run was given.
type Mount struct {
	Host, Guest string
	ReadOnly    bool
}

// Header says what was run and how. It is sealed inside the recording, for it
// holds personal data; the log has its digest.
type Header struct {
	Run       abi.RunID
	Time      int64 // unix nanoseconds
	Workload  string
	Bare      bool
	Publisher string
	Standing  abi.Standing
	Package   abi.Digest
	Module    abi.Digest
	Rewritten abi.Digest
	Rewriter  int
	Engine    string
	Arch      string
	Floats    bool
	MaxPages  uint32
	Limits    abi.Limits
	Policy    abi.Digest
	Epoch     uint64
	Trust     abi.Trust
	Args, Env []string // any bytes
	Mounts    []Mount
	Mode      string     // "full"
	Table     abi.Digest // set by Create: TableDigest of all rows
	Parent    abi.RunID  // "" if there is none
	Slice     uint64     // fuel between two ticks
	Listen    []string   // the addresses that the run's sockets listen on, in the order of their descriptors
	Canonical bool       // every NaN that the module computes has the same bits
	Meter     int        // the abi.Meter by which calls were charged, 0 where they were not
}

// wireMount and wireHeader are the encoding: what comes from the host is
// bytes, since file names and arguments need not be UTF-8.
type wireMount struct {
	_           struct{} `cbor:",toarray"`
	Host, Guest []byte
	ReadOnly    bool
}

type wireHeader struct {
	Run       abi.RunID    `cbor:"1,keyasint"`
	Time      int64        `cbor:"2,keyasint"`
	Workload  string       `cbor:"3,keyasint"`
	Bare      bool         `cbor:"4,keyasint"`
	Publisher string       `cbor:"5,keyasint"`
	Standing  abi.Standing `cbor:"6,keyasint"`
	Package   abi.Digest   `cbor:"7,keyasint"`
	Module    abi.Digest   `cbor:"8,keyasint"`
	Rewritten abi.Digest   `cbor:"9,keyasint"`
	Rewriter  int          `cbor:"10,keyasint"`
	Engine    string       `cbor:"11,keyasint"`
	Arch      string       `cbor:"12,keyasint"`
	Floats    bool         `cbor:"13,keyasint"`
	MaxPages  uint32       `cbor:"14,keyasint"`
	Limits    abi.Limits   `cbor:"15,keyasint"`
	Policy    abi.Digest   `cbor:"16,keyasint"`
	Epoch     uint64       `cbor:"17,keyasint"`
	Trust     abi.Trust    `cbor:"18,keyasint"`
	Args      [][]byte     `cbor:"19,keyasint"`
	Env       [][]byte     `cbor:"20,keyasint"`
	Mounts    []wireMount  `cbor:"21,keyasint"`
	Mode      string       `cbor:"22,keyasint"`
	Table     abi.Digest   `cbor:"23,keyasint"`
	Parent    abi.RunID    `cbor:"24,keyasint"`
	Slice     uint64       `cbor:"25,keyasint"`
	Listen    []string     `cbor:"26,keyasint,omitempty"` // older recordings have none
	Canonical bool         `cbor:"27,keyasint,omitempty"` // older recordings have none
	Meter     int          `cbor:"28,keyasint,omitempty"` // likewise
}

// public is the part of the header that anyone may read.
type public struct {
	Run   abi.RunID  `cbor:"1,keyasint"`
	Key   []byte     `cbor:"2,keyasint"` // the data key, wrapped
	KeyID []byte     `cbor:"3,keyasint"` // which key wrapped it: 8 bytes
	Rows  int        `cbor:"4,keyasint"` // rows of the syscall table
	Table abi.Digest `cbor:"5,keyasint"` // TableDigest(Rows)
}

// Portable tells whether the run replays on every machine and kind of engine:
// nothing in it depends on the bits that a machine gives to NaNs.
func (h *Header) Portable() bool { return !h.Floats || h.Canonical }

func toBytes(ss []string) [][]byte {
	out := make([][]byte, len(ss))
	for i, s := range ss {
		out[i] = []byte(s)
	}
	return out
}

func toStrings(bs [][]byte) []string {
	var out []string
	for _, b := range bs {
		out = append(out, string(b))
	}
	return out
}

func (h *Header) marshal() ([]byte, error) {
	w := wireHeader{
		h.Run, h.Time, h.Workload, h.Bare, h.Publisher, h.Standing, h.Package, h.Module, h.Rewritten, h.Rewriter, h.Engine, h.Arch,
		h.Floats, h.MaxPages, h.Limits, h.Policy, h.Epoch, h.Trust, toBytes(h.Args), toBytes(h.Env),
		[]wireMount{},
		h.Mode, h.Table, h.Parent, h.Slice, h.Listen, h.Canonical, h.Meter,
	}
	for _, m := range h.Mounts {
		w.Mounts = append(w.Mounts, wireMount{Host: []byte(m.Host), Guest: []byte(m.Guest), ReadOnly: m.ReadOnly})
	}
	b, err := codec.Marshal(&w)
	if err != nil {
		return nil, err
	}
	// What can't be read back must not be written: text that is not UTF-8, say.
	if err := new(Header).unmarshal(b); err != nil {
		return nil, err
	}
	return b, nil
}

func (h *Header) unmarshal(b []byte) error {
	var w wireHeader
	if err := codec.Unmarshal(b, &w); err != nil {
		return err
	}
	*h = Header{
		w.Run, w.Time, w.Workload, w.Bare, w.Publisher, w.Standing, w.Package, w.Module, w.Rewritten, w.Rewriter, w.Engine, w.Arch,
		w.Floats, w.MaxPages, w.Limits, w.Policy, w.Epoch, w.Trust, toStrings(w.Args), toStrings(w.Env), nil, w.Mode, w.Table, w.Parent, w.Slice, w.Listen, w.Canonical, w.Meter,
	}
	for _, m := range w.Mounts {
		h.Mounts = append(h.Mounts, Mount{Host: string(m.Host), Guest: string(m.Guest), ReadOnly: m.ReadOnly})
	}
	return nil
}

// keyID tells, without showing anything of it, which key wraps.
func keyID(kek seal.Key) []byte {
	k := kek.Derive(keyIDDomain)
	d := seal.Sum(keyIDDomain, k[:])
	return d[:8]
}

// magic begins a recording; its seventh byte is the format's version.
const magic = "F1REC\x00\x01\n"

// prefixSize is the magic and the lengths of the header's two parts.
const prefixSize = len(magic) + 8

// encodeHeader returns the bytes of the header of a recording under data key k.
func encodeHeader(h *Header, kek, k seal.Key) ([]byte, error) {
	rows := len(abi.Rows())
	h.Table = TableDigest(rows)
	pub, err := codec.Marshal(&public{Run: h.Run, Key: seal.Wrap(kek, k), KeyID: keyID(kek), Rows: rows, Table: h.Table})
	if err != nil {
		return nil, err
	}
	plain, err := h.marshal()
	if err != nil {
		return nil, err
	}
	sealed := len(plain) + seal.BoxOverhead
	if len(pub) > maxPublic || sealed > maxSealed {
		return nil, fmt.Errorf("header of %d bytes, at most %d fit", sealed, maxSealed)
	}
	b := make([]byte, 0, prefixSize+len(pub)+sealed)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pub)))
	b = binary.LittleEndian.AppendUint32(b, uint32(sealed))
	b = append(b, pub...)
	return seal.NewBox(k.Derive(labelHeader)).Seal(b, 0, b, plain), nil
}
