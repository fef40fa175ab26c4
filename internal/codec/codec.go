// Package codec turns records and manifests into bytes and back:
// deterministic CBOR (RFC 8949, section 4.2.1), read strictly. What decodes
// re-encodes to the same bytes, so a digest over bytes is a digest over meaning.
package codec

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/forgeone/forgeone/abi"
)

// MaxRecord bounds an encoded record, in bytes: what an entry bundle of C2SP
// tlog-tiles can hold, where a length has 16 bits.
const MaxRecord = 1<<16 - 1

// recordVersion stands first in every record.
const recordVersion = 1

// Errors of decoding. They come wrapped with the detail.
var (
	ErrMalformed    = errors.New("malformed encoding")
	ErrNotCanonical = errors.New("encoding is not the canonical one")
	ErrTooLarge     = errors.New("encoding is too large")
	ErrUnknownKind  = errors.New("unknown record kind")
)

// modes are the two CBOR modes, built once: the library makes them from
// options and they are immutable and safe for concurrent use.
var modes = sync.OnceValue(func() (m struct {
	enc cbor.EncMode
	dec cbor.DecMode
},
) {
	eo := cbor.CoreDetEncOptions()
	enc, err := eo.EncMode()
	if err != nil {
		panic(err) // constant options: cannot happen
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   16,
		MaxArrayElements:  1 << 16,
		MaxMapPairs:       1 << 16,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	m.enc, m.dec = enc, dec
	return m
})

// Marshal returns the deterministic encoding of v.
func Marshal(v any) ([]byte, error) { return modes().enc.Marshal(v) }

// Unmarshal reads b into v. It refuses duplicate keys, unknown fields,
// trailing bytes, indefinite lengths, tags, and any encoding but the canonical.
func Unmarshal(b []byte, v any) error {
	m := modes()
	if err := m.dec.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := m.enc.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return ErrNotCanonical
	}
	return nil
}

// envelope is a record on the wire: an array of version, kind, unix
// nanoseconds and the body's map.
type envelope struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Kind    abi.Kind
	Time    int64
	Body    cbor.RawMessage
}

// EncodeRecord returns the bytes of r as they stand in the log. Its kind is
// taken from the body.
func EncodeRecord(r abi.Record) ([]byte, error) {
	k := abi.KindOf(r.Body)
	if k == 0 || (r.Kind != 0 && r.Kind != k) {
		return nil, fmt.Errorf("%w: %v with body %T", ErrUnknownKind, r.Kind, r.Body)
	}
	m := modes()
	body, err := m.enc.Marshal(r.Body)
	if err != nil {
		return nil, err
	}
	b, err := m.enc.Marshal(envelope{Version: recordVersion, Kind: k, Time: r.Time, Body: body})
	if err != nil {
		return nil, err
	}
	if len(b) > MaxRecord {
		return nil, fmt.Errorf("%w: record %v has %d bytes, at most %d fit", ErrTooLarge, k, len(b), MaxRecord)
	}
	return b, nil
}

// DecodeRecord reads what EncodeRecord wrote, and nothing else.
func DecodeRecord(b []byte) (abi.Record, error) {
	if len(b) > MaxRecord {
		return abi.Record{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	var e envelope
	if err := modes().dec.Unmarshal(b, &e); err != nil {
		return abi.Record{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if e.Version != recordVersion {
		return abi.Record{}, fmt.Errorf("%w: record version %d", ErrMalformed, e.Version)
	}
	body := abi.NewBody(e.Kind)
	if body == nil {
		return abi.Record{}, fmt.Errorf("%w: %d", ErrUnknownKind, e.Kind)
	}
	if err := modes().dec.Unmarshal(e.Body, body); err != nil {
		return abi.Record{}, fmt.Errorf("%w: %v: %w", ErrMalformed, e.Kind, err)
	}
	r := abi.Record{Kind: e.Kind, Time: e.Time, Body: body}
	again, err := EncodeRecord(r)
	if err != nil {
		return abi.Record{}, err
	}
	if !bytes.Equal(again, b) {
		return abi.Record{}, ErrNotCanonical
	}
	return r, nil
}
