package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// Hint says in one line what to add so that the call decided as d, action on o,
// would be allowed: a --mount or --listen for the command line, a rule of Cedar, or, where
// neither would do, what else. It is "" for a call that was allowed. What comes
// from the guest is quoted and holds nothing unprintable. The grants are the
// run's, if known.
func Hint(d *abi.Decision, action abi.Action, o *abi.Object, id Identity, grants ...Grant) string {
	if d.Verdict == abi.Allow {
		return ""
	}
	if o.Barring > 0 {
		v := o.Via[o.Barring-1]
		o = &abi.Object{Kind: abi.ObjFile, Name: v.Name, Grant: v.Grant}
	}
	switch d.Reason {
	case abi.ReasonNoGrant:
		if o.Kind == abi.ObjSocket {
			return "--listen 127.0.0.1:8080"
		}
		return mountHint(action, o)
	case abi.ReasonReadOnly:
		return writeHint(o, grants)
	case abi.ReasonRights:
		return fmt.Sprintf("the descriptor was opened, or later narrowed, without the right to %v: the guest has to open it with that right", action)
	case abi.ReasonEscape:
		return "names never lead above the folder they start from: grant the folder that is meant with --mount HOST:GUEST and use its name in the run"
	case abi.ReasonSystem:
		return "no grant reaches what the kernel shows of itself and of processes, nor state folders, this program, or what opens keys: copy what the guest needs into a folder of its own and grant that"
	case abi.ReasonMove:
		why := "the move would widen access"
		if d.Advice != "" {
			why += ": " + d.Advice
		}
		return why + placeOf(d, "; it is about ") + "; copy and remove instead, where both are permitted"
	case abi.ReasonError:
		return "a rule failed while it was evaluated, and failing denies" + placeOf(d, ": mend ")
	case abi.ReasonForbid:
		return forbidHint(d, action, o, id)
	}
	return permitHint(d, action, o, id)
}

// placeOf names the first rule of d after the words before, "" if it has none.
func placeOf(d *abi.Decision, before string) string {
	if len(d.Rules) == 0 {
		return ""
	}
	r := d.Rules[0]
	return fmt.Sprintf("%srule %s at %s:%d", before, clean(r.ID), clean(r.File), r.Line)
}

// mountHint is the grant that would make what o names exist. A mount is of a
// folder: the one that holds the name, or for a name just beneath the root the
// name itself.
func mountHint(action abi.Action, o *abi.Object) string {
	dir := path.Dir(o.Name)
	if o.Dir || dir == "/" {
		dir = o.Name
	}
	// --mount takes HOST:GUEST, so a folder with a colon can only come with one above it.
	for strings.Contains(dir, ":") && dir != "/" {
		dir = path.Dir(dir)
	}
	if dir == "/" || !strings.HasPrefix(dir, "/") {
		return "grant the folder that holds it with --mount HOST:GUEST"
	}
	mode := "ro"
	if action.Class() == abi.FSWrite {
		mode = "rw"
	}
	return "--mount " + abi.Shell("./"+path.Base(dir)+":"+dir+":"+mode)
}

func writeHint(o *abi.Object, grants []Grant) string {
	if o.Grant < 1 || o.Grant > len(grants) {
		return "--mount HOST:GUEST:rw for the folder that holds " + abi.Shell(o.Name)
	}
	g := grants[o.Grant-1]
	return "--mount " + abi.Shell(g.Host+":"+g.Guest+":rw")
}

// permitHint is a rule that permits exactly this call.
func permitHint(d *abi.Decision, action abi.Action, o *abi.Object, id Identity) string {
	var rules []string
	for _, name := range namesOf(o) {
		scope, when := resourceText(o.Kind, name)
		rule := fmt.Sprintf("permit (principal == %s, action == %s, resource%s)", workloadText(id), actionText(action), scope)
		if when != "" {
			rule += " when { " + when + " }"
		}
		rules = append(rules, rule+";")
	}
	if !slices.Contains(words().applies[action.Slot()], o.Kind) {
		return fmt.Sprintf("no rule can permit %v on a %v", action, o.Kind)
	}
	hint := strings.Join(rules, " ")
	if t := d.Trust.T(); t < trust.BasePolicy {
		hint += fmt.Sprintf(" // trust is %d; the base policy permits nothing below %d", t, trust.BasePolicy)
	}
	return hint
}

// forbidHint names the rule that forbids the call and the exception that would
// let exactly this call through it.
func forbidHint(d *abi.Decision, action abi.Action, o *abi.Object, id Identity) string {
	hint := placeOf(d, "")
	if d.Advice != "" {
		hint += " (" + d.Advice + ")"
	}
	var which []string
	for _, name := range namesOf(o) {
		scope, when := resourceText(o.Kind, name)
		if when == "" {
			when = "resource" + scope
			if strings.HasPrefix(scope, " ==") {
				// Comparing with another type than the rule's is an error to the validator.
				when = fmt.Sprintf("resource is %v && %s", o.Kind, when)
			}
		} else {
			when = fmt.Sprintf("resource is %v && %s", o.Kind, when)
		}
		which = append(which, "("+when+")")
	}
	return hint + " forbids it; to let it through, end that rule with: " +
		fmt.Sprintf("unless { principal == %s && action == %s && (%s) }", workloadText(id), actionText(action), strings.Join(which, " || "))
}

func namesOf(o *abi.Object) []string {
	if o.Name2 == "" || o.Name2 == o.Name {
		return []string{o.Name}
	}
	return []string{o.Name, o.Name2}
}

// resourceText is a scope, and a condition if it takes one, that the object of
// kind k with this name fits, and no other if the name is valid UTF-8. Cedar has
// no way to write other bytes: a star stands for them.
func resourceText(k abi.ObjectKind, name string) (scope, when string) {
	if ids := named(k); len(ids) == 1 {
		name = ids[0]
	}
	if utf8.ValidString(name) {
		return fmt.Sprintf(" == %v::%s", k, cedarString(name)), ""
	}
	if k != abi.ObjFile {
		return fmt.Sprintf(" is %v", k), ""
	}
	var b strings.Builder
	star := false
	for _, part := range strings.SplitAfter(strings.ToValidUTF8(name, "\xff"), "\xff") {
		text := strings.TrimSuffix(part, "\xff")
		b.WriteString(cedarEscape(text, true))
		if star = text != part; star {
			b.WriteByte('*')
		}
	}
	return " is File", `resource.path like "` + b.String() + `"`
}

func workloadText(id Identity) string {
	return "Workload::" + cedarString(strings.ToValidUTF8(id.Workload, "\ufffd"))
}

func actionText(a abi.Action) string { return "Action::" + cedarString(a.String()) }
