package cli

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/seal"
)

// gist says in a few words what a record says, on one line. The log may be
// anybody's: what is in its texts must not reach a terminal as it is.
func gist(body any) string { return abi.Line(tell(body)) }

func tell(body any) string {
	switch b := body.(type) {
	case *abi.Genesis:
		return b.Origin
	case *abi.Recovered:
		return fmt.Sprintf("%d bytes moved aside from segment %d", b.Length, b.Segment)
	case *abi.SegmentSealed:
		return fmt.Sprintf("segment %d, %d records", b.Segment, b.Size)
	case *abi.LogKey:
		also := ""
		if len(b.Post) > 0 {
			also = ", and " + seal.PostPublicKey(b.Post).ID().Short() + " (post-quantum)"
		}
		return fmt.Sprintf("term %d, %v%s", b.Term, seal.PublicKey(b.Public), also)
	case *abi.KeyAdd:
		return fmt.Sprintf("%s as %s (%s)", b.Name, b.Role, b.ID.Short())
	case *abi.KeyRemove:
		return b.ID.Short()
	case *abi.KeyRevoke:
		return fmt.Sprintf("%s for good: %s", b.ID.Short(), b.Reason)
	case *abi.KeyThreshold:
		return fmt.Sprintf("%d operator(s) sign an act", b.Threshold)
	case *abi.WitnessSet:
		return fmt.Sprintf("%d of %d witness(es)", b.Quorum, len(b.Witnesses))
	case *abi.Downgrade:
		return fmt.Sprintf("%s from serial %d to %d", b.Name, b.From, b.Serial)
	case *abi.Config:
		return fmt.Sprintf("version %d (%s)", b.Version, b.Digest.Short())
	case *abi.Policy:
		return fmt.Sprintf("epoch %d (%s)", b.Epoch, b.Digest.Short())
	case *abi.PackageInstall:
		return fmt.Sprintf("%s %s (%s), %v", b.Name, b.Version, b.Package.Short(), b.Standing)
	case *abi.PackageUninstall:
		return b.Name
	case *abi.RunStart:
		return fmt.Sprintf("%s of %s, %v", b.Run, b.Workload, b.Trust)
	case *abi.RunStop:
		return fmt.Sprintf("%s is to stop: %q", b.Run, b.Reason)
	case *abi.Hold:
		return fmt.Sprintf("%s is held: %q", b.Run, b.Reason)
	case *abi.HoldEnd:
		return fmt.Sprintf("%s is held no more", b.Run)
	case *abi.RecordingDrop:
		return fmt.Sprintf("of %s, %s, to keep within the budget of %s (%s)", b.Run, config.FormatSize(b.Size), config.FormatSize(b.Budget), b.Cause)
	case *abi.RunEnd:
		return fmt.Sprintf("%s %v %d, %d calls, %d denied", b.Run, b.Outcome, b.Exit, b.Calls, b.Denials)
	case *abi.Denial:
		name := abi.Action(b.Num).String()
		return fmt.Sprintf("%s call %d: %s by %q", b.Run, b.Call, name, b.Rule)
	case *abi.TrustChange:
		return fmt.Sprintf("%s: %v → %v because of record %d", b.Workload, b.From, b.To, b.Cause)
	}
	return ""
}

// fields writes a record's body, a line a field.
func fields(w io.Writer, body any) {
	v := reflect.Indirect(reflect.ValueOf(body))
	for i := range v.NumField() {
		f := v.Field(i).Interface()
		if tag := v.Type().Field(i).Tag.Get("json"); v.Field(i).IsZero() && strings.Contains(tag, ",omit") {
			continue // the record does not have it
		}
		s := fmt.Sprint(f)
		switch x := f.(type) {
		case abi.Digest:
			s = x.Hex()
		case []byte:
			s = fmt.Sprintf("%x", x)
		case abi.Act:
			s = fmt.Sprintf("for version %d of the keyring, %d signature(s)", x.Ring, len(x.Sigs))
		case []abi.Digest:
			var ds []string
			for _, d := range x {
				ds = append(ds, d.Hex())
			}
			s = strings.Join(ds, " ")
		}
		printf(w, "%s %s\n", strings.ToLower(v.Type().Field(i).Name), s)
	}
}
