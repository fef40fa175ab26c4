package rewrite

// What the rewriting adds to a module.
const (
	injectedFuncs   = 2
	injectedGlobals = 2 // in every module; one more in some: see RefusedExport
)

// appendU32 appends v as unsigned LEB128.
func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendSigned appends v as signed LEB128.
func appendSigned(b []byte, v int64) []byte {
	for v < -0x40 || v > 0x3f {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// paddedBytes is the width of a padded constant: 34 bits and a sign, enough for
// any cost up to maxCost, and no function within the default caps costs more.
const (
	paddedBytes = 5
	maxCost     = 1<<34 - 1
)

// putPadded writes v, at most maxCost, over the paddedBytes bytes at b: the
// format allows a constant to be longer than it needs to be.
func putPadded(b []byte, v int64) {
	for i := range paddedBytes - 1 {
		b[i] = byte(v)&0x7f | 0x80
		v >>= 7
	}
	b[paddedBytes-1] = byte(v) & 0x7f
}

// appendString appends a name or other vector of bytes.
func appendString(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

// appendSection appends a section with its header.
func appendSection(b []byte, id byte, content []byte) []byte {
	return append(appendU32(append(b, id), uint32(len(content))), content...)
}

// doubled is a slice with room for at least one entry more. It doubles, so that one
// that grows to many megabytes is not copied a dozen times.
func doubled[T any](s []T) []T {
	if len(s) < cap(s) {
		return s
	}
	return append(make([]T, 0, max(16, 2*len(s))), s...)
}
