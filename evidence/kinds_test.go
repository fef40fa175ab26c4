package evidence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// filled gives every field of v a value.
func filled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			filled(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			filled(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0))
		filled(v.Index(1))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int32, reflect.Int:
		v.SetInt(3)
	default:
		v.SetUint(3)
	}
}

// TestEveryKindFlipped: a record of every kind, with every field; whoever flips
// a bit of any of them, and computes the checksum anew, is found out, by the
// verifier and by who opens the log.
func TestEveryKindFlipped(t *testing.T) {
	t.Parallel()
	o := newLog(t)
	l := openLog(t, o)
	kinds := map[abi.Kind]bool{abi.KindGenesis: true}
	for k := range abi.Kind(1 << 10) {
		body := abi.NewBody(k)
		switch k {
		case abi.KindGenesis, abi.KindRecovered, abi.KindSegmentSealed, abi.KindLogKey:
			continue // the log writes them itself, see below
		}
		if body == nil {
			continue
		}
		filled(reflect.ValueOf(body).Elem())
		if w, ok := body.(*abi.WitnessSet); ok { // the log itself heeds it
			w.Witnesses = []abi.Witness{{Key: "w.example/1+8de69f4a+BHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk", URL: "http://127.0.0.1:1/"}}
			w.Quorum = 1
			add(t, l, abi.Record{Kind: k, Body: body})
			body = &abi.WitnessSet{Act: w.Act} // and nobody is asked any more
		}
		add(t, l, abi.Record{Kind: k, Body: body})
		kinds[k] = true
	}
	rotate(t, l, newKey(t))
	kinds[abi.KindLogKey] = true
	end := l.w.c.off
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := segment(o, 0)
	good := readFile(t, path)
	at, last := frames(t, good)
	if last != end || len(kinds) < 18 {
		t.Fatalf("%d kinds, %d bytes of %d", len(kinds), last, end)
	}
	step := int64(5)
	if soaking() {
		step = 1
	}
	mustVerify(t, o)
	for i, from := range at {
		to := end
		if i+1 < len(at) {
			to = at[i+1]
		}
		if good[from+8] != frameRecord {
			continue
		}
		for j := from + frameHead + int64(i)%step; j < to; j += step {
			bad := bytes.Clone(good)
			bad[j] ^= 1 << (j % 8)
			binary.LittleEndian.PutUint32(bad[from+4:], frameSum(bad[from:from+frameHead], bad[from+frameHead:to]))
			writeFile(t, path, bad)
			refused(t, o, fmt.Sprintf("byte %d of frame %d", j-from, i))
		}
		_, err := Open(o)
		wantCode(t, err, CodeTampered)
	}
}
