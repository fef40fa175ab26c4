package box

import "testing"

// TestOutOfMemory: what children say that were refused memory, and what is another fault.
func TestOutOfMemory(t *testing.T) {
	const limit = 128 << 20
	collector := "SIGSEGV: segmentation violation\nPC=0x43a55d m=0 sigcode=1 addr=0x0\n\ngoroutine 0 gp=0xe410a0 m=0 mp=0xe42540 [idle]:\nruntime.(*spanQueue).tryDrain(0x400)\n"
	code := "panic: runtime error: invalid memory address\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 7 [running]:\n"
	for _, tc := range []struct {
		text string
		used uint64
		want bool
	}{
		{"fatal error: runtime: out of memory", 0, true},
		{"runtime: cannot allocate memory", 0, true},
		{collector, 45 << 20, true},
		{collector, 8 << 20, false},
		{code, 45 << 20, false},
		{code, 100 << 20, true},
		{"panic: index out of range", 100 << 20, false},
	} {
		if got := outOfMemory(tc.text, tc.used, limit); got != tc.want {
			t.Errorf("%q with %d MiB: %v", tc.text, tc.used>>20, got)
		}
	}
}
