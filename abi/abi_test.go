package abi

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestFingerprint: numbers, names and parameter types stand in recordings. A
// change of this file makes older recordings unreadable; rows may be added.
func TestFingerprint(t *testing.T) {
	path := filepath.Join("testdata", "table.txt")
	if *update {
		if err := os.WriteFile(path, []byte(Fingerprint()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(Fingerprint(), string(want)) {
		t.Errorf("the table has changed:\n%s", Fingerprint())
	}
}

func TestTable(t *testing.T) {
	slots := map[int]Action{}
	for i, r := range Rows() {
		if int(r.Num) != i+1 || Lookup(r.Num) != r || ByName(r.Iface, r.Name) != r {
			t.Errorf("row %d is number %d, %s", i, r.Num, r.Name)
		}
		if r.Class == 0 || r.Doc == "" || len(r.Params) > len(Call{}.Args) || r.RetSize() > len(Call{}.Ret) || r.Paths() > 2 {
			t.Errorf("%s: class %v, %d parameters, %d bytes of results", r.Name, r.Class, len(r.Params), r.RetSize())
		}
		if r.Needs != 0 && (r.Params[0].Type != Handle || r.Needs&^AllRights != 0) {
			t.Errorf("%s needs rights on what is no handle", r.Name)
		}
	}
	for _, a := range Actions() {
		if old, ok := slots[a.Slot()]; ok || a.Slot() <= 0 || a.Slot() >= ActionSlots {
			t.Errorf("%v and %v share slot %d", a, old, a.Slot())
		}
		slots[a.Slot()] = a
		if a.Class() == 0 || strings.Contains(a.String(), "(") {
			t.Errorf("action %d is %v of %v", a, a, a.Class())
		}
	}
	if Lookup(0) != nil || Lookup(9999) != nil || Action(9999).Slot() != 0 || Action(9999).Class() != 0 {
		t.Error("there is something where nothing should be")
	}
}

// TestPathOpenAction: an open that could change something is decided as a write.
func TestPathOpenAction(t *testing.T) {
	for _, tt := range []struct {
		oflags uint16
		rights Rights
		want   Action
	}{
		{0, RightFDRead, Action(PathOpen)},
		{OFlagDirectory, RightFDReaddir, Action(PathOpen)},
		{0, RightFDRead | RightFDWrite, PathOpenWrite},
		{OFlagCreat, RightFDRead, PathOpenWrite},
		{OFlagTrunc, 0, PathOpenWrite},
		{OFlagExcl, RightFDRead, Action(PathOpen)},
	} {
		c := Call{Row: Lookup(PathOpen)}
		c.Args[3], c.Args[4] = uint64(tt.oflags), uint64(tt.rights)
		if got := c.Action(); got != tt.want {
			t.Errorf("oflags %d rights %x: %v, want %v", tt.oflags, tt.rights, got, tt.want)
		}
	}
}

// TestLayouts holds guest layouts against the offsets of preview 1's witx.
func TestLayouts(t *testing.T) {
	b := bytes.Repeat([]byte{0xee}, 64)
	hexOf := func(n int) string { return hex.EncodeToString(b[:n]) }
	Fdstat{Type: FiletypeRegularFile, Flags: 0x0102, Base: 3, Inheriting: 4}.Put(b)
	if got, want := hexOf(FdstatSize), "04000201"+"00000000"+"0300000000000000"+"0400000000000000"; got != want {
		t.Errorf("fdstat %s, want %s", got, want)
	}
	Filestat{Dev: 1, Ino: 2, Type: FiletypeDirectory, Nlink: 4, Size: 5, Atim: 6, Mtim: 7, Ctim: 8}.Put(b)
	if got, want := hexOf(FilestatSize), "0100000000000000"+"0200000000000000"+"0300000000000000"+"0400000000000000"+"0500000000000000"+"0600000000000000"+"0700000000000000"+"0800000000000000"; got != want {
		t.Errorf("filestat %s, want %s", got, want)
	}
	Event{Userdata: 1, Errno: EBADF, Type: EventFDRead, NBytes: 9, Flags: EventFDHangup}.Put(b)
	if got, want := hexOf(EventSize), "0100000000000000"+"0800"+"01"+"0000000000"+"0900000000000000"+"0100000000000000"; got != want {
		t.Errorf("event %s, want %s", got, want)
	}
	sub := make([]byte, SubscriptionSize)
	sub[0], sub[16], sub[24], sub[32], sub[40] = 1, 1, 2, 3, 1
	if got, want := ParseSubscription(sub), (Subscription{Userdata: 1, Clock: 1, Timeout: 2, Precision: 3, Flags: SubclockAbstime}); got != want {
		t.Errorf("clock subscription %+v, want %+v", got, want)
	}
	sub[8] = EventFDWrite
	if got, want := ParseSubscription(sub), (Subscription{Userdata: 1, Type: EventFDWrite, FD: 1}); got != want {
		t.Errorf("fd subscription %+v, want %+v", got, want)
	}
}

func TestNames(t *testing.T) {
	if ENOTCAPABLE != 76 || ENOTCAPABLE.String() != "ENOTCAPABLE" || ENOENT != 44 || EBADF.String() != "EBADF" || Errno(77).Valid() || Errno(77).String() != "errno(77)" {
		t.Error("errnos are not those of preview 1")
	}
	if RightSockAccept != 1<<29 || len(rightNames) != 30 || RightsNames(RightFDRead | RightSockAccept)[1] != "sock_accept" {
		t.Error("rights are not those of preview 1")
	}
	for o := OutcomeExit; o < outcomeEnd; o++ {
		if o.String() == "" || (o != OutcomeExit && o.Code() == "") {
			t.Errorf("outcome %d has no name or code", o)
		}
		if info, ok := LookupCode(o.Code()); o != OutcomeExit && (!ok || info.Exit != o.ExitStatus(0)) {
			t.Errorf("%v exits %d, its code %d", o, o.ExitStatus(0), info.Exit)
		}
	}
	if OutcomeExit.ExitStatus(119) != 119 || OutcomeExit.ExitStatus(1<<31) != MaxGuestExit {
		t.Error("guest exit codes are not cut to 119")
	}
	if got := (Trust{P: 50, A: 100, C: 7, N: 100, R: 100}).String(); got != "T 7 (P 50 A 100 C 7 N 100 R 100)" {
		t.Error(got)
	}
}

// TestKinds: every kind of record has a body, a name, and finds back to itself.
func TestKinds(t *testing.T) {
	for k := range Kind(100) {
		if b := NewBody(k); b != nil && (KindOf(b) != k || strings.Contains(k.String(), "(")) {
			t.Errorf("kind %d: %T, %v", k, b, k)
		}
	}
	if KindOf(nil) != 0 || NewBody(0) != nil {
		t.Error("nothing has a kind")
	}
}
