package codec

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forgeone/forgeone/abi"
)

// samples has one record of every kind with every field set.
func samples() []abi.Record {
	d := abi.Digest{1, 2, 3, 31: 9}
	t := abi.Trust{P: 50, A: 100, C: 60, N: 100, R: 100}
	bodies := []any{
		&abi.Genesis{Origin: "forgeone.local/0123", LogKey: make([]byte, 32)},
		&abi.Recovered{Segment: 1, Offset: 4096, Length: 77, SHA3: d},
		&abi.SegmentSealed{Segment: 1, Size: 12, Seal: d},
		&abi.KeyAdd{Name: "acme", Role: abi.RolePublisher, Alg: "ed25519", Public: make([]byte, 32), ID: d, Local: true},
		&abi.KeyRemove{ID: d},
		&abi.Config{Digest: d, Version: 3},
		&abi.Policy{Epoch: 2, Digest: d},
		&abi.PackageInstall{Name: "a", Version: "1.2.3", Package: d, Module: d, Signers: []abi.Digest{d}, Standing: abi.StandingSigned, Trust: t, Serial: 4},
		&abi.PackageUninstall{Name: "a"},
		&abi.RunStart{Run: "r0", Workload: "a", Package: d, Module: d, Rewritten: d, Policy: d, Epoch: 1, Standing: 1, Trust: t, Grants: d, Limits: abi.Limits{Fuel: 5, Memory: 1 << 28}, Mode: "full", Recording: d},
		&abi.RunEnd{Run: "r0", Outcome: abi.OutcomeExit, Exit: 3, Calls: 9, Denials: 2, Denied: []abi.DenialCount{{Rule: "no grant", Num: 32, Count: 2}}, Fuel: 7, Ticks: 1, Seal: d, End: d, Points: 5, Windows: 1, Size: 99, Reached: abi.LimitScratch},
		&abi.Denial{Run: "r0", Rule: "x", Num: 32, Reason: abi.ReasonForbid, Severity: 3, Call: 7, Object: d},
		&abi.TrustChange{Workload: "a", From: t, To: t, Cause: 12},
		&abi.LogKey{Term: 1, Public: make([]byte, 32), Post: []byte{1}, Root: d, Sig: make([]byte, 64), Own: make([]byte, 64)},
	}
	var rs []abi.Record
	for i, b := range bodies {
		rs = append(rs, abi.Record{Kind: abi.KindOf(b), Time: int64(i) * 1e9, Body: b})
	}
	return rs
}

func TestRecordRoundTrip(t *testing.T) {
	for _, r := range samples() {
		b, err := EncodeRecord(r)
		if err != nil {
			t.Fatalf("%v: %v", r.Kind, err)
		}
		got, err := DecodeRecord(b)
		if err != nil {
			t.Fatalf("%v: %v", r.Kind, err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("%v: %s", r.Kind, diff)
		}
	}
}

func TestStrict(t *testing.T) {
	good, err := EncodeRecord(samples()[8])
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":         {},
		"trailing":      append(bytes.Clone(good), 0),
		"cut":           good[:len(good)-1],
		"version":       append([]byte{good[0], 2}, good[2:]...),
		"long integer":  append([]byte{good[0], 0x18, 1}, good[2:]...),
		"indefinite":    {0x9f, 1, 0x15, 0, 0xa0, 0xff},
		"duplicate key": {0x84, 1, 0x15, 0, 0xa2, 1, 0x61, 'a', 1, 0x61, 'a'},
		"unknown field": {0x84, 1, 0x15, 0, 0xa2, 1, 0x61, 'a', 9, 0x61, 'a'},
		"huge length":   {0x84, 1, 0x15, 0, 0xa1, 1, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"unknown kind":  {0x84, 1, 0x18, 99, 0, 0xa0},
	} {
		if _, err := DecodeRecord(b); err == nil {
			t.Errorf("%s: accepted % x", name, b)
		}
	}
	if _, err := EncodeRecord(abi.Record{Body: &abi.PackageUninstall{Name: string(make([]byte, MaxRecord))}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("oversized record: %v", err)
	}
}

// FuzzDecodeRecord: whatever decodes encodes to the same bytes, and nothing panics.
func FuzzDecodeRecord(f *testing.F) {
	for _, r := range samples() {
		b, err := EncodeRecord(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		again, err := EncodeRecord(r)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("% x decoded to %+v, which encodes to % x (%v)", b, r, again, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := samples()[9]
	b.ReportAllocs()
	for b.Loop() {
		e, err := EncodeRecord(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := DecodeRecord(e); err != nil {
			b.Fatal(err)
		}
	}
}
