package abi

import "testing"

// works are the kinds of work that a row's parameters, and what it is on, say it may do.
func works(r *Row) map[Work]bool {
	w := map[Work]bool{WorkCall: true}
	for _, p := range r.Params {
		switch p.Type {
		case Path:
			w[WorkByte], w[WorkName] = true, true
		case BytesIn, BytesOut:
			w[WorkByte], w[WorkVector] = true, true
		case BufferOut, StringsOut:
			w[WorkByte] = true
		case SubsIn, EventsOut:
			w[WorkByte], w[WorkWait] = true, true
		}
	}
	// A descriptor may be a folder's, whose place others may have changed.
	if len(r.Params) > 0 && r.Params[0].Name == "fd" && r.Class != Net && r.Num != FdClose {
		w[WorkName] = true
	}
	// And then what is remembered of each descriptor is gone through.
	w[WorkEntry] = w[WorkName]
	switch r.Num {
	case FdReaddir, PathRename, PathLink: // list folders
		w[WorkEntry] = true
	case FdAllocate, FdPwrite, FdWrite, FdClose: // look for holes
		w[WorkEntry] = true
	case PathOpen, SockAccept: // look for a free descriptor
		w[WorkEntry] = true
	}
	return w
}

// TestPrices: every row has a price for the work that it may do, and for no other.
func TestPrices(t *testing.T) {
	for _, r := range Rows() {
		want := works(r)
		for _, w := range Works() {
			if has := r.Price[w] != 0; has != want[w] {
				t.Errorf("%s: a price for each %v: %v, want %v", r.Name, w, has, want[w])
			}
		}
	}
	for w := range workEnd {
		if workNames[w] == "" || Works()[w] != w {
			t.Errorf("work %d has no name, or no place in Works", w)
		}
	}
}

func TestCharge(t *testing.T) {
	r := &Row{Price: Price{WorkCall: 100, WorkByte: 2, WorkVector: 1 << 17}}
	for _, tc := range []struct {
		tally Tally
		want  uint64
	}{
		{Tally{}, 100},
		{Tally{WorkByte: 10}, 120},
		{Tally{WorkEntry: 3}, 400}, // a price that was forgotten
		{Tally{WorkWake: 1}, 100 + WakePrice},
		{Tally{WorkVector: 1<<32 - 1}, MaxCharge},
	} {
		if got := r.Charge(&tc.tally); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.tally, got, tc.want)
		}
	}
	var full Tally
	full.Add(WorkByte, 1<<32-2)
	for range 3 {
		full.Add(WorkByte, 1)
	}
	full.Add(WorkByte, -5)
	if full[WorkByte] != 1<<32-1 {
		t.Errorf("%d", full[WorkByte])
	}
	if s := (Price{WorkCall: 800, WorkByte: 2, WorkEntry: 5}).String(); s != "800 a call, 2 a byte, 5 an entry" {
		t.Error(s)
	}
}
