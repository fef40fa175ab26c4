package policy

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestVia: a place that a path led through is decided on as the name is, before it
// and before what the world refuses; the decision, its hint and its explanation
// are about the place.
func TestVia(t *testing.T) {
	const text = `@id("hide") forbid (principal, action == Action::"path_open", resource in File::"/out/secret");`
	p := compile(t, text, 70)
	open := abi.Action(abi.PathOpen)
	secret := []abi.Place{{Name: "/out/a", Grant: 2}, {Name: "/out/secret/x", Grant: 2}}
	for _, tt := range []struct {
		name    string
		o       abi.Object
		action  abi.Action
		want    abi.Reason
		errno   abi.Errno
		barring int
	}{
		{"none", abi.Object{Kind: abi.ObjFile, Name: "/out/b", Grant: 2}, open, abi.ReasonPermit, 0, 0},
		{"allowed", abi.Object{Kind: abi.ObjFile, Name: "/out/b", Grant: 2, Via: secret[:1]}, open, abi.ReasonPermit, 0, 0},
		{"denied", abi.Object{Kind: abi.ObjFile, Name: "/out/b", Grant: 2, Via: secret}, open, abi.ReasonForbid, abi.EACCES, 2},
		{"for this action only", abi.Object{Kind: abi.ObjFile, Name: "/out/b", Grant: 2, Via: secret}, abi.Action(abi.PathReadlink), abi.ReasonPermit, 0, 0},
		{"both", abi.Object{Kind: abi.ObjFile, Name: "/out/secret", Grant: 2, Via: secret}, open, abi.ReasonForbid, abi.EACCES, 2},
		{"the name alone", abi.Object{Kind: abi.ObjFile, Name: "/out/secret", Grant: 2, Via: secret[:1]}, open, abi.ReasonForbid, abi.EACCES, 0},
		{"before an escape", abi.Object{Kind: abi.ObjFile, Name: "/etc", Refused: abi.RefuseEscape, Errno: abi.ENOTCAPABLE, Via: secret}, open, abi.ReasonForbid, abi.EACCES, 2},
		{"before no grant", abi.Object{Kind: abi.ObjFile, Name: "/etc", Refused: abi.RefuseNoGrant, Errno: abi.ENOENT, Via: secret}, open, abi.ReasonForbid, abi.EACCES, 2},
		{"where nothing is left", abi.Object{Errno: abi.ENAMETOOLONG, Via: secret}, open, abi.ReasonForbid, abi.EACCES, 2},
		{"kept from another decision", abi.Object{Kind: abi.ObjFile, Name: "/out/b", Grant: 2, Via: secret[:1], Barring: 1}, open, abi.ReasonPermit, 0, 0},
		{"rules before a refusal", abi.Object{Kind: abi.ObjFile, Name: "/out/secret/y", Grant: 2, Refused: abi.RefuseReadOnly, Errno: abi.EROFS}, open, abi.ReasonForbid, abi.EACCES, 0},
		{"the refusal after", abi.Object{Kind: abi.ObjFile, Name: "/out/y", Grant: 2, Refused: abi.RefuseReadOnly, Errno: abi.EROFS}, open, abi.ReasonReadOnly, abi.EROFS, 0},
		{"another refusal of the name", abi.Object{Kind: abi.ObjFile, Name: "/out/y", Grant: 2, Refused: abi.RefuseSystem}, open, abi.ReasonSystem, abi.ENOTCAPABLE, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // remembered the second time
				o := tt.o
				d := p.Decide(call(tt.action), &o)
				if d.Reason != tt.want || d.Errno != tt.errno || o.Barring != tt.barring {
					t.Fatalf("%v %v barring %d", d.Reason, d.Errno, o.Barring)
				}
				x, err := Explain([]Source{Base(), {Name: "u.cedar", Text: []byte(text)}}, who, p.Trust(), tt.action, &o, grants...)
				if err != nil {
					t.Fatal(err)
				}
				if x.Decision.Reason != tt.want || x.Decision.Errno != tt.errno || o.Barring != tt.barring {
					t.Errorf("explained as %v %v barring %d", x.Decision.Reason, x.Decision.Errno, o.Barring)
				}
				if tt.barring > 0 && (!strings.Contains(x.Change, `"/out/secret/x"`) || o.About() != "/out/secret/x" || len(x.Matches) < 2) {
					t.Errorf("about %s: %s, %d matches", o.About(), x.Change, len(x.Matches))
				}
			}
		})
	}
}
