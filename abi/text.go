package abi

// The words below show themselves by name in JSON; in the log and in
// recordings they stand as numbers and bytes.

// MarshalText returns d in hexadecimal.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.Hex()), nil }

// MarshalText returns o's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// MarshalText returns l's names.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// MarshalText returns s's name.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText returns r's words.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText returns v's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalText returns e's name.
func (e Errno) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
