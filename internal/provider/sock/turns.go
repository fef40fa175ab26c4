package sock

import "time"

// Turns keep a loop that waits and then asks again from becoming a busy one, whatever
// is wrong with the wait: it fails, or says that something is ready which is not.
type Turns struct{ n int }

const (
	freeTurns = 2 // that cost nothing: what woke a waiter may be taken before it asks
	mostPause = 16 * time.Millisecond
)

// Next comes after each turn that brought nothing. Beyond the first it pauses, longer
// and longer, at most until done is closed or limit has passed (negative: any time).
func (t *Turns) Next(limit time.Duration, done <-chan struct{}) {
	if t.n++; t.n <= freeTurns {
		return
	}
	pause := mostPause
	if n := t.n - freeTurns; n < 5 {
		pause = time.Millisecond << (n - 1)
	}
	if limit >= 0 {
		pause = min(pause, limit)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	}
}
