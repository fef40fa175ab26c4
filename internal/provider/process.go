package provider

import (
	"runtime"

	"github.com/forgeone/forgeone/abi"
)

// stringList is what args_get and environ_get answer.
type stringList struct {
	count int
	text  []byte // each string with a NUL after it
}

func newStringList(list []string) stringList {
	l := stringList{count: len(list)}
	for _, s := range list {
		l.text = append(append(l.text, s...), 0)
	}
	return l
}

// StringsSize is the number of strings, and of bytes with their NULs, that
// args_get or environ_get (n) will answer.
func (w *World) StringsSize(n abi.Num) (count, bytes int) {
	switch n {
	case abi.ArgsGet, abi.ArgsSizesGet:
		return w.args.count, len(w.args.text)
	case abi.EnvironGet, abi.EnvironSizesGet:
		return w.env.count, len(w.env.text)
	}
	return 0, 0
}

var clockNames = [...]string{
	abi.ClockRealtime: "realtime", abi.ClockMonotonic: "monotonic",
	abi.ClockProcessCPU: "process_cputime", abi.ClockThreadCPU: "thread_cputime",
}

// Memos of the objects that are there once in a world: decisions on them are
// kept as those on descriptors are.
const (
	memoArgs = iota
	memoEnv
	memoRandom
	memoSelf
	memoClocks // and one more for each further clock
	memoEnd    = memoClocks + len(clockNames)
)

// resolveSelf resolves the calls that are on neither a descriptor nor a path.
func (w *World) resolveSelf(c *abi.Call, o *abi.Object) {
	switch c.Row.Num {
	case abi.ArgsGet, abi.ArgsSizesGet:
		o.Kind, o.Name, o.Memo = abi.ObjArgs, "args", &w.memos[memoArgs]
	case abi.EnvironGet, abi.EnvironSizesGet:
		o.Kind, o.Name, o.Memo = abi.ObjEnv, "environ", &w.memos[memoEnv]
	case abi.ClockResGet, abi.ClockTimeGet:
		if c.Args[0] >= uint64(len(clockNames)) {
			o.Errno = abi.EINVAL
			return
		}
		o.Kind, o.Name, o.Memo = abi.ObjClock, clockNames[c.Args[0]], &w.memos[memoClocks+int(c.Args[0])]
	case abi.RandomGet:
		o.Kind, o.Name, o.Memo = abi.ObjRandom, "random", &w.memos[memoRandom]
	default:
		o.Kind, o.Name, o.Memo = abi.ObjProcess, "self", &w.memos[memoSelf]
		switch {
		case !c.Row.Provided:
			o.Errno = abi.ENOSYS
		case c.Row.Num == abi.ProcRaise:
			o.Errno = signalErrno(uint8(c.Args[0]))
		case c.Row.Num == abi.PollOneoff && (c.Args[2] == 0 || c.Args[2] > abi.MaxSubscriptions):
			o.Errno = abi.EINVAL
		}
	}
}

func (w *World) performSelf(c *abi.Call) abi.Errno {
	switch c.Row.Num {
	case abi.ArgsGet:
		return w.args.get(c)
	case abi.EnvironGet:
		return w.env.get(c)
	case abi.ArgsSizesGet, abi.EnvironSizesGet:
		n, bytes := w.StringsSize(c.Row.Num)
		c.SetU32(0, uint32(n))
		c.SetU32(4, uint32(bytes))
		return 0
	case abi.ClockTimeGet:
		t, e := w.clock.Now(uint32(c.Args[0]))
		c.SetU64(0, t)
		return e
	case abi.ClockResGet:
		t, e := w.clock.Resolution(uint32(c.Args[0]))
		c.SetU64(0, t)
		return e
	case abi.RandomGet:
		if err := w.random(c.Out); err != nil {
			return abi.EIO
		}
		c.OutLen = len(c.Out)
		return 0
	case abi.SchedYield:
		runtime.Gosched()
		return 0
	case abi.ProcExit:
		c.Stop = abi.OutcomeExit
		return 0
	case abi.ProcRaise:
		if terminates(uint8(c.Args[0])) {
			c.Stop = abi.OutcomeExit
		}
		return 0
	case abi.PollOneoff:
		return w.poll(c)
	}
	return abi.ENOSYS
}

func (l stringList) get(c *abi.Call) abi.Errno {
	if len(c.Out) < len(l.text) {
		return abi.EOVERFLOW
	}
	c.OutLen = copy(c.Out, l.text)
	return 0
}
