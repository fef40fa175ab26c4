package rewrite

// The compiler's stack is a Go slice that it doubles and copies; it refuses to
// grow it once it has passed 50,000,000 bytes, at a depth that depends on the
// architecture and on the compiler's version. A recording must not depend on
// those, so calls are counted here, and the limit must strike first.
//
// A call is weighed by the stack it may need. Go guests need the limit high: each
// of their calls is one call here, and nothing but this limit and their own stack
// in linear memory bounds recursion in Go (a JSON document nested 10,000 levels
// deep takes more than 20,000 calls). CPython needs it high for its evaluator,
// whose frame has tens of thousands of values. So a plain function weighs one,
// and with defaultDepth of 160,000 some 300 bytes of stack stand behind each unit;
// a function with many values weighs more, but at most maxWeight, since the
// compiler keeps few of them on the stack at a time. A guest that is written to
// beat the estimate meets the compiler's own limit: it traps.
const (
	defaultDepth = 160_000
	frameUnit    = 256
	maxWeight    = 64
	// depthCeiling keeps the counter from wrapping around.
	depthCeiling = 1 << 30
)

// weight is what a frame with so many bytes of values counts for.
func weight(bytes uint64) int64 {
	return int64(min(1+bytes/frameUnit, maxWeight))
}
