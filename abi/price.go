package abi

// Work is a kind of work that a call does for the guest. A call is charged for its work
// in fuel, so that fuel bounds what a guest takes of a processor whether it computes or
// calls. What a call is charged stands in the recording with it: prices may change.
type Work uint8

// Kinds of work, by what is counted.
const (
	WorkCall   Work = iota // the call itself: once
	WorkByte               // bytes that go in or out, with the paths
	WorkName               // names that are walked: components of paths and of links
	WorkEntry              // entries of folders, descriptors, blocks or holes of a file that are gone through
	WorkWait               // subscriptions of a poll
	WorkVector             // iovecs
	WorkWake               // waits that are no part of what was asked for: a denial that is answered late
	workEnd
)

var workNames = [workEnd]string{
	WorkWake: "wake", WorkCall: "call", WorkByte: "byte", WorkName: "name walked", WorkEntry: "entry", WorkWait: "subscription", WorkVector: "iovec",
}

// Works lists every kind of work.
func Works() []Work {
	return []Work{WorkCall, WorkByte, WorkName, WorkEntry, WorkWait, WorkVector, WorkWake}
}

// String returns what is counted, as listings write it: "name walked".
func (w Work) String() string {
	if w < workEnd {
		return workNames[w]
	}
	return "work(" + utoa(uint64(w)) + ")"
}

// Meter is the version by which calls of new recordings are charged. 0 stands for the
// time before calls were charged; by 1, a guest whose calls used up its fuel went on to
// its next tick; by 2 it ends at the call.
const Meter = 2

// Price is what one of each kind of work costs in a call, in fuel: about a unit for
// each nanosecond of a processor, of which a plain loop uses up some four. 0 stands for
// work that a call of the row never does.
type Price [workEnd]uint32

// Tally counts the work of a call.
type Tally [workEnd]uint32

// Add counts n more of w. Beyond what a Tally holds it stays there.
func (t *Tally) Add(w Work, n int) {
	if sum := uint64(t[w]) + uint64(max(n, 0)); sum < 1<<32 {
		t[w] = uint32(sum)
	} else {
		t[w] = 1<<32 - 1
	}
}

// Charge is what a call of r is charged that did the work t, in fuel, at most MaxCharge. Work
// whose price was forgotten costs as much as the call.
func (r *Row) Charge(t *Tally) uint64 {
	sum := uint64(r.Price[WorkCall])
	for w := WorkByte; w < workEnd; w++ {
		if n := uint64(t[w]); n > 0 {
			price := uint64(r.Price[w])
			if w == WorkWake {
				price = WakePrice
			}
			if price == 0 {
				price = uint64(r.Price[WorkCall])
			}
			sum += n * price
		}
	}
	return min(sum, MaxCharge)
}

// String writes the price for people: "2500 a call, 2 a byte".
func (p Price) String() string {
	s := ""
	for w, n := range p {
		if n == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += utoa(uint64(n)) + " " + article(workNames[w]) + " " + workNames[w]
	}
	return s
}

func article(noun string) string {
	if noun[0] == 'e' || noun[0] == 'i' {
		return "an"
	}
	return "a"
}

// WakePrice is what a wake costs in any call, in fuel: denied calls are answered late.
const WakePrice = 60_000

// MaxCharge bounds what one call is charged: a guest's counter of fuel, an i64, holds
// more calls of it than can come between two ticks.
const MaxCharge = 1<<36 - 1
