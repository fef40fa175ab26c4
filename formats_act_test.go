package forgeone_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/kernel"
)

// actVector checks what an operator signs, and the draft that travels.
func actVector(v vector) {
	kind := abi.Kind(v.number("kind"))
	body := abi.NewBody(kind)
	if err := codec.Unmarshal(v.bytes("unsigned"), body); err != nil {
		v.Fatal(err)
	}
	origin := v.at["origin"]
	m := binary.BigEndian.AppendUint16(nil, uint16(kind))
	m = append(append(append(m, byte(len(origin))), origin...), v.bytes("unsigned")...)
	v.is("message", m)
	v.is("signature", v.private().Sign("forgeone/act/v1", m))

	d := &kernel.Draft{Origin: origin, Body: body}
	if err := d.Sign(v.private()); err != nil {
		v.Fatal(err)
	}
	v.is("signature", brain.ActOf(body).Sigs[0].Sig)
	signed, err := codec.Marshal(body)
	if err != nil {
		v.Fatal(err)
	}
	v.is("body", signed)
	text, err := d.Text()
	if err != nil {
		v.Fatal(err)
	}
	blk, _ := pem.Decode(text)
	if got := base64.StdEncoding.EncodeToString(blk.Bytes); blk.Type != "FORGEONE ACT" || got != v.at["draft"] {
		v.Errorf("draft %s of type %q", got, blk.Type)
	}
}
