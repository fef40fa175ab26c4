package brain

import (
	"encoding/pem"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trust"
)

func digest(s string) abi.Digest { return seal.Sum("forgeone/test/v1", []byte(s)) }

func key(name string, role abi.Role, local bool) *abi.KeyAdd {
	pub := private(name).Public()
	return &abi.KeyAdd{Name: name, Role: role, Alg: "ed25519", Public: pub, ID: pub.ID(), Local: local}
}

// private is the private key that the test's key of that name has.
func private(name string) *seal.PrivateKey {
	d := digest(name)
	k, err := seal.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "FORGEONE PRIVATE KEY", Headers: map[string]string{"Algorithm": "ed25519"}, Bytes: d[:]}))
	if err != nil {
		panic(err)
	}
	return k
}

// book writes a log the way a kernel does, folding as it goes.
type book struct {
	s    *State
	list []abi.Record
	now  int64
}

func newBook() *book {
	b := &book{s: New()}
	b.must(&abi.Genesis{Origin: "forgeone.local/x", LogKey: make([]byte, 32)})
	b.must(key("node", abi.RoleNode, true))
	b.must(key("dev", abi.RolePublisher, true))
	b.must(key("acme", abi.RolePublisher, false))
	b.must(key("ops", abi.RoleOperator, false))
	b.must(&abi.Config{Version: 1})
	b.must(&abi.Policy{Epoch: 1})
	return b
}

func (b *book) add(body any) error {
	b.now++
	r := abi.Record{Kind: abi.KindOf(body), Time: b.now, Body: body}
	if err := b.s.Follow(b.s.Size(), r); err != nil {
		return err
	}
	b.list = append(b.list, r)
	return nil
}

func (b *book) must(body any) {
	if err := b.add(body); err != nil {
		panic(err)
	}
}

// act signs body for the keyring as it is.
func (b *book) act(body any, operators ...string) any {
	ActOf(body).Ring = b.s.Ring()
	for _, o := range operators {
		if err := SignAct(b.s.Genesis().Origin, body, private(o)); err != nil {
			panic(err)
		}
	}
	return body
}

func (b *book) install(name, signer string, serial uint64) error {
	ids := []abi.Digest{key(signer, "", false).ID}
	st, t, _ := b.s.Admit(name, ids)
	return b.add(&abi.PackageInstall{
		Name: name, Package: digest(name + fmt.Sprint(serial)), Module: digest("m" + name + fmt.Sprint(serial)), Signers: ids,
		Standing: st, Trust: t, Serial: serial,
	})
}

func (b *book) startOf(name string, run abi.RunID) *abi.RunStart {
	r := &abi.RunStart{Run: run, Workload: name, Epoch: b.s.Policy().Epoch}
	if p, ok := b.s.Package(name); ok {
		w, _ := b.s.Workload(name)
		r.Package, r.Module, r.Trust, r.Standing = p.Package, p.Module, w.Trust, w.Standing
		return r
	}
	r.Module = digest(name)
	w := b.s.Bare(r.Module)
	r.Workload, r.Trust, r.Standing = w.Name, w.Trust, w.Standing
	return r
}

func (b *book) end(r *abi.RunEnd) error {
	changes := b.s.Judge(b.s.Size(), r)
	if err := b.add(r); err != nil {
		return err
	}
	for i := range changes {
		if err := b.add(&changes[i]); err != nil {
			return err
		}
	}
	return nil
}

func id(n int) abi.RunID { return runID(uint64(n)) }

func TestRunLowersTrust(t *testing.T) {
	b := newBook()
	if err := b.install("hello", "dev", 1); err != nil {
		t.Fatal(err)
	}
	if w, _ := b.s.Workload("hello"); w.Trust != trust.Start(50) || w.Standing != abi.StandingSigned {
		t.Fatalf("%+v", w)
	}
	b.must(b.startOf("hello", id(1)))
	if open := b.s.OpenRuns(); len(open) != 1 || open[0].ID != id(1) || !open[0].Open() {
		t.Fatalf("open: %+v", open)
	}
	b.must(&abi.Denial{Run: id(1), Rule: "secrets", Num: abi.PathOpen, Reason: abi.ReasonForbid, Severity: 3, Call: 4, Object: digest("o")})
	if err := b.end(&abi.RunEnd{Run: id(1), Outcome: abi.OutcomeExit, Exit: 3, Calls: 9, Denials: 1, Points: 10, Seal: digest("seal")}); err != nil {
		t.Fatal(err)
	}
	w, _ := b.s.Workload("hello")
	if w.Trust.C != 50 || w.Cause != b.s.Size()-1 {
		t.Errorf("%+v", w)
	}
	r, ok := b.s.Run(id(1))
	if !ok || r.Open() || r.Exit != 3 || r.Calls != 9 || r.Denials != 1 || r.Seal != digest("seal") || r.Workload != "hello" || r.Started == 0 || r.Ended <= r.Started {
		t.Errorf("%+v", r)
	}
	if len(b.s.OpenRuns()) != 0 || len(b.s.Runs()) != 1 || len(b.s.pending) != 0 {
		t.Error("the run is not closed")
	}
	if err := b.install("hello", "dev", 2); err != nil {
		t.Fatal(err)
	}
	if w, _ := b.s.Workload("hello"); w.Trust.C != 50 {
		t.Errorf("a new version has conduct %d", w.Trust.C)
	}
}

func TestAbortedRun(t *testing.T) {
	b := newBook()
	b.must(b.startOf("module", id(1)))
	name := BareName(digest("module"))
	for i, num := range []abi.Num{abi.PathOpen, abi.FdRead} {
		b.must(&abi.Denial{Run: id(1), Rule: "r", Num: num, Reason: abi.ReasonForbid, Severity: 2, Object: digest(fmt.Sprint(i))})
	}
	b.must(&abi.Denial{Run: id(1), Rule: "r", Num: abi.FdSeek, Reason: abi.ReasonForbid, Severity: 2, Object: digest("0")}) // the same object
	b.must(&abi.Denial{Run: id(1), Rule: "no grant", Num: abi.PathOpen, Reason: abi.ReasonNoGrant, Object: digest("x")})
	if err := b.end(&abi.RunEnd{Run: id(1), Outcome: abi.OutcomeAborted}); err != nil {
		t.Fatal(err)
	}
	if w, _ := b.s.Workload(name); w.Trust.C != 50 || w.Standing != abi.StandingUnverified || w.Trust.P != 40 {
		t.Errorf("%+v", w)
	}
}

func TestQuarantineLatch(t *testing.T) {
	b := newBook()
	_ = b.install("hello", "acme", 1)
	b.must(b.startOf("hello", id(1)))
	if err := b.end(&abi.RunEnd{Run: id(1), Outcome: abi.OutcomeExit, Calls: 9, Denials: 1, Points: 60}); err != nil {
		t.Fatal(err)
	}
	w, _ := b.s.Workload("hello")
	if w.Standing != abi.StandingCompromised || w.Trust.C != 0 {
		t.Fatalf("%+v", w)
	}
	if err := b.add(b.startOf("hello", id(2))); abi.CodeOf(err) != abi.CodeBrainStart {
		t.Errorf("a quarantined workload started: %v", err)
	}
	b.must(&abi.PackageUninstall{Name: "hello"})
	if err := b.install("hello", "acme", 2); err != nil {
		t.Fatal(err)
	}
	if w, _ := b.s.Workload("hello"); w.Standing != abi.StandingCompromised {
		t.Error("installing anew left the quarantine")
	}
}

func TestImpossibleTransitions(t *testing.T) {
	ready := func() *book {
		b := newBook()
		if err := b.install("hello", "dev", 5); err != nil {
			t.Fatal(err)
		}
		b.must(b.startOf("hello", id(1)))
		b.must(&abi.Denial{Run: id(1), Rule: "r", Num: abi.PathOpen, Reason: abi.ReasonForbid, Severity: 3})
		return b
	}
	start := func(f func(r *abi.RunStart)) func(b *book) any {
		return func(b *book) any {
			r := b.startOf("hello", id(2))
			f(r)
			return r
		}
	}
	pack := func(f func(p *abi.PackageInstall)) func(b *book) any {
		return func(b *book) any {
			p, _ := b.s.Package("hello")
			f(&p.PackageInstall)
			return &p.PackageInstall
		}
	}
	end := func(f func(r *abi.RunEnd)) func(b *book) any {
		return func(*book) any {
			r := &abi.RunEnd{Run: id(1), Outcome: abi.OutcomeExit, Calls: 5, Denials: 2, Points: 10}
			f(r)
			return r
		}
	}
	is := func(body any) func(*book) any { return func(*book) any { return body } }
	act := func(body any) func(*book) any { return func(b *book) any { return b.act(body, "ops") } }
	for _, tt := range []struct {
		name string
		body func(b *book) any
		code abi.Code
	}{
		{"second genesis", is(&abi.Genesis{}), abi.CodeBrainOrder},
		{"unknown body", is("text"), abi.CodeBrainOrder},
		{"key again", act(key("dev", abi.RolePublisher, true)), abi.CodeBrainKey},
		{"name again", act(func() any { k := key("new", abi.RolePublisher, false); k.Name = "dev"; return k }()), abi.CodeBrainKey},
		{"no name", act(func() any { k := key("new", abi.RolePublisher, false); k.Name = ""; return k }()), abi.CodeBrainKey},
		{"wrong id", act(func() any { k := key("new", abi.RolePublisher, false); k.ID = digest("x"); return k }()), abi.CodeBrainKey},
		{"wrong role", act(key("new", "king", false)), abi.CodeBrainKey},
		{"wrong algorithm", act(func() any { k := key("new", abi.RolePublisher, false); k.Alg = "rsa"; return k }()), abi.CodeBrainKey},
		{"short key", act(&abi.KeyAdd{Name: "s", Role: abi.RolePolicy, Alg: "ed25519", Public: []byte{1}, ID: seal.PublicKey{1}.ID()}), abi.CodeBrainKey},
		{"removal of no key", act(&abi.KeyRemove{ID: digest("x")}), abi.CodeBrainKey},
		{"config stays", is(&abi.Config{Version: 1}), abi.CodeBrainConfig},
		{"epoch falls", is(&abi.Policy{Epoch: 0}), abi.CodeBrainPolicy},
		{"epoch stays", is(&abi.Policy{Epoch: 1}), abi.CodeBrainPolicy},
		{"uninstall of nothing", is(&abi.PackageUninstall{Name: "x"}), abi.CodeBrainPackage},
		{"downgrade", pack(func(p *abi.PackageInstall) { p.Serial = 4 }), abi.CodeBrainPackage},
		{"no signer", pack(func(p *abi.PackageInstall) { p.Signers = nil }), abi.CodeBrainPackage},
		{"unknown signer", pack(func(p *abi.PackageInstall) { p.Signers = append(p.Signers, digest("x")) }), abi.CodeBrainPackage},
		{"signer of another role", pack(func(p *abi.PackageInstall) { p.Signers = []abi.Digest{key("ops", "", false).ID} }), abi.CodeBrainPackage},
		{"another publisher", pack(func(p *abi.PackageInstall) {
			p.Signers, p.Trust = []abi.Digest{key("acme", "", false).ID}, trust.Start(70)
		}), abi.CodeBrainPackage},
		{"too much trust", pack(func(p *abi.PackageInstall) { p.Trust.P = 100 }), abi.CodeBrainPackage},
		{"standing", pack(func(p *abi.PackageInstall) { p.Standing = abi.StandingRoot }), abi.CodeBrainPackage},
		{"bare name", pack(func(p *abi.PackageInstall) { p.Name = "bare:x" }), abi.CodeBrainPackage},
		{"run id again", start(func(r *abi.RunStart) { r.Run = id(1) }), abi.CodeBrainStart},
		{"run id's form", start(func(r *abi.RunStart) { r.Run = "rABCDEFABCDEFABCD" }), abi.CodeBrainStart},
		{"run id's length", start(func(r *abi.RunStart) { r.Run = "r12" }), abi.CodeBrainStart},
		{"not installed", start(func(r *abi.RunStart) { r.Workload = "other" }), abi.CodeBrainStart},
		{"another module", start(func(r *abi.RunStart) { r.Module = digest("x") }), abi.CodeBrainStart},
		{"another package", start(func(r *abi.RunStart) { r.Package = digest("x") }), abi.CodeBrainStart},
		{"trust of its own", start(func(r *abi.RunStart) { r.Trust.C = 100 }), abi.CodeBrainStart},
		{"standing of its own", start(func(r *abi.RunStart) { r.Standing = abi.StandingRoot }), abi.CodeBrainStart},
		{"old epoch", start(func(r *abi.RunStart) { r.Epoch = 0 }), abi.CodeBrainStart},
		{"bare under a false name", start(func(r *abi.RunStart) { r.Workload = "bare:000000000000" }), abi.CodeBrainStart},
		{"end without start", end(func(r *abi.RunEnd) { r.Run = id(7) }), abi.CodeBrainEnd},
		{"end as running", end(func(r *abi.RunEnd) { r.Outcome = abi.OutcomeNone }), abi.CodeBrainEnd},
		{"end as diverged", end(func(r *abi.RunEnd) { r.Outcome = abi.OutcomeDiverged }), abi.CodeBrainEnd},
		{"denials forgotten", end(func(r *abi.RunEnd) { r.Denials = 0 }), abi.CodeBrainEnd},
		{"points forgotten", end(func(r *abi.RunEnd) { r.Points = 9 }), abi.CodeBrainEnd},
		{"more denials than calls", end(func(r *abi.RunEnd) { r.Denials = 6 }), abi.CodeBrainEnd},
		{"counts out of order", end(func(r *abi.RunEnd) { r.Denied = []abi.DenialCount{{Count: 1}, {Count: 2}} }), abi.CodeBrainEnd},
		{"counts beyond denials", end(func(r *abi.RunEnd) { r.Denied = []abi.DenialCount{{Count: 2}, {Count: 1}} }), abi.CodeBrainEnd},
		{"counts that wrap", end(func(r *abi.RunEnd) { r.Denied = []abi.DenialCount{{Count: 1<<64 - 1}, {Count: 3}} }), abi.CodeBrainEnd},
		{"aborted and rewarded", end(func(r *abi.RunEnd) { r.Outcome, r.Windows = abi.OutcomeAborted, 3 }), abi.CodeBrainEnd},
		{"denial of no run", is(&abi.Denial{Run: id(9), Rule: "r", Num: abi.PathOpen, Reason: abi.ReasonForbid}), abi.CodeBrainDenial},
		{"denial again", is(&abi.Denial{Run: id(1), Rule: "r", Num: abi.PathOpen, Reason: abi.ReasonForbid}), abi.CodeBrainDenial},
		{"denial that allows", is(&abi.Denial{Run: id(1), Rule: "r", Num: abi.FdRead, Reason: abi.ReasonPermit}), abi.CodeBrainDenial},
		{"denial of no syscall", is(&abi.Denial{Run: id(1), Rule: "r", Num: 999, Reason: abi.ReasonForbid}), abi.CodeBrainDenial},
		{"denial too severe", is(&abi.Denial{Run: id(1), Rule: "r", Num: abi.FdRead, Reason: abi.ReasonForbid, Severity: 6}), abi.CodeBrainDenial},
		{"trust out of nothing", is(&abi.TrustChange{Workload: "hello", From: trust.Start(50), To: trust.Start(100)}), abi.CodeBrainTrust},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := ready()
			before := ready().s
			body := tt.body(b)
			err := b.add(body)
			if abi.CodeOf(err) != tt.code {
				t.Fatalf("%v, want %s", err, tt.code)
			}
			if !reflect.DeepEqual(b.s, before) {
				t.Error("the record was refused but changed the state")
			}
		})
	}
}

func TestTrustMustFollow(t *testing.T) {
	b := newBook()
	_ = b.install("hello", "dev", 1)
	b.must(b.startOf("hello", id(1)))
	b.must(&abi.RunEnd{Run: id(1), Outcome: abi.OutcomeExit, Calls: 5, Denials: 2, Points: 10})
	want := b.s.pending
	if len(want) != 1 {
		t.Fatalf("pending %v", want)
	}
	if err := b.add(&abi.Config{Version: 2}); abi.CodeOf(err) != abi.CodeBrainTrust {
		t.Errorf("the change was skipped: %v", err)
	}
	for _, f := range []func(c *abi.TrustChange){
		func(c *abi.TrustChange) { c.To.C++ },
		func(c *abi.TrustChange) { c.From.C++ },
		func(c *abi.TrustChange) { c.Cause++ },
		func(c *abi.TrustChange) { c.Workload = "x" },
	} {
		c := want[0]
		f(&c)
		if err := b.add(&c); abi.CodeOf(err) != abi.CodeBrainTrust {
			t.Errorf("%+v: %v", c, err)
		}
	}
	b.must(&abi.SegmentSealed{}) // the log's own, at any place
	b.must(&abi.LogKey{})
	b.must(&want[0])
}

// drawBook writes a random valid log.
func drawBook(t *rapid.T) *book {
	b := newBook()
	names := []string{"hello", "world", "module1", "module2"}
	next, epoch, version := 1, uint64(1), uint64(1)
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		switch rapid.IntRange(0, 8).Draw(t, "what") {
		case 0:
			_ = b.install(name, rapid.SampledFrom([]string{"dev", "acme"}).Draw(t, "signer"), rapid.Uint64Range(1, 4).Draw(t, "serial"))
		case 1, 2:
			if b.add(b.startOf(name, id(next))) == nil {
				next++
			}
		case 3:
			if open := b.s.OpenRuns(); len(open) > 0 {
				_ = b.add(&abi.Denial{
					Run:  rapid.SampledFrom(open).Draw(t, "run").ID,
					Rule: rapid.SampledFrom([]string{"r1", "r2", "no grant"}).Draw(t, "rule"), Num: abi.Num(rapid.IntRange(1, 5).Draw(t, "num")),
					Reason: abi.ReasonForbid, Severity: rapid.Uint8Range(0, 3).Draw(t, "severity"), Object: digest(fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "object"))),
				})
			}
		case 4:
			if open := b.s.OpenRuns(); len(open) > 0 {
				r := &abi.RunEnd{Run: rapid.SampledFrom(open).Draw(t, "run").ID, Outcome: abi.OutcomeAborted, Size: rapid.Uint64Range(0, 9).Draw(t, "size")}
				if rapid.Bool().Draw(t, "in order") {
					_, o := b.s.find(r.Run)
					r.Outcome, r.Calls, r.Denials, r.Points = abi.OutcomeExit, 100, uint64(len(o.denied)), o.score.Points()+rapid.Uint32Range(0, 5).Draw(t, "more")
					r.Windows = rapid.Uint32Range(0, 30).Draw(t, "windows")
				}
				if err := b.end(r); err != nil {
					t.Fatal(err)
				}
			}
		case 5:
			switch rapid.IntRange(0, 3).Draw(t, "control") {
			case 0:
				epoch++
				b.must(&abi.Policy{Epoch: epoch})
			case 1:
				version += 2
				b.must(&abi.Config{Version: version})
			case 2:
				_ = b.add(&abi.PackageUninstall{Name: name})
			case 3:
				b.must(&abi.SegmentSealed{})
			}
		case 7:
			if runs := b.s.Runs(); len(runs) > 0 {
				u := rapid.SampledFrom(runs).Draw(t, "run")
				if b.add(&abi.Hold{Run: u.ID, Reason: "why"}) != nil {
					_ = b.add(b.act(&abi.HoldEnd{Run: u.ID}, "ops"))
				}
				if u.Open() {
					_ = b.add(&abi.RunStop{Run: u.ID})
				}
			}
		case 8:
			budget := Budget{Total: rapid.Uint64Range(0, 40).Draw(t, "total"), Workload: rapid.Uint64Range(0, 20).Draw(t, "workload")}
			b.prune(t, budget, func(abi.RunID) bool { return rapid.IntRange(0, 4).Draw(t, "busy") == 0 })
		case 6:
			k := key(fmt.Sprint("k", rapid.IntRange(0, 2).Draw(t, "key")), abi.RolePolicy, false)
			if b.add(b.act(k, "ops")) != nil {
				b.must(b.act(&abi.KeyRemove{ID: k.ID}, "ops"))
			}
		}
	}
	return b
}

func fold(list []abi.Record) (*State, error) {
	s := New()
	for i, r := range list {
		if err := s.Follow(uint64(i), r); err != nil {
			return s, err
		}
	}
	return s, nil
}

// The same log gives the same state: written live, folded at once, folded in two
// parts, folded from bytes, folded after a reset. Conduct survives all of them.
func TestFoldIsAFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t)
		s, err := fold(b.list)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, b.s) {
			t.Fatal("folded anew, the log says something else than live")
		}
		cut := rapid.IntRange(0, len(b.list)).Draw(t, "cut")
		two, err := fold(b.list[:cut])
		if err != nil {
			t.Fatal(err)
		}
		for i := cut; i < len(b.list); i++ {
			if err := two.Follow(uint64(i), b.list[i]); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(two, s) {
			t.Fatal("in two parts the log says something else")
		}
		var bytes []abi.Record
		for _, r := range b.list {
			enc, err := codec.EncodeRecord(r)
			if err != nil {
				t.Fatal(err)
			}
			dec, err := codec.DecodeRecord(enc)
			if err != nil {
				t.Fatal(err)
			}
			bytes = append(bytes, dec)
		}
		again, err := fold(bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Runs(), s.Runs()) || !reflect.DeepEqual(again.workloads, s.workloads) || !reflect.DeepEqual(again.Keys(), s.Keys()) {
			t.Fatal("from bytes the log says something else")
		}
		again.Reset()
		if !reflect.DeepEqual(again, New()) {
			t.Fatal("a reset leaves something")
		}
	})
}

// Each change of trust has a cause: without its cause, or twice, it is refused;
// components stay in bounds, and no vector is written but Judge's.
func TestLogsThatWereEdited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t)
		i := rapid.IntRange(0, len(b.list)-1).Draw(t, "at")
		list := slices.Clone(b.list)
		switch r := list[i]; rapid.IntRange(0, 1).Draw(t, "edit") {
		case 0: // drop
			list = slices.Delete(list, i, i+1)
			s, err := fold(list)
			switch r.Kind {
			case abi.KindTrust:
				if err == nil && len(s.pending) == 0 {
					t.Fatal("a trust change was dropped unseen")
				}
			case abi.KindGenesis, abi.KindRunEnd:
				if _, ok := r.Body.(*abi.Genesis); ok && err == nil {
					t.Fatal("the genesis was dropped unseen")
				}
			}
		case 1: // twice
			list = slices.Insert(list, i, r)
			_, err := fold(list)
			if err == nil && r.Kind != abi.KindSegmentSealed && r.Kind != abi.KindPackageInstall {
				t.Fatalf("%v twice unseen", r.Kind)
			}
		}
		for _, w := range b.s.workloads {
			for _, c := range []uint8{w.Trust.P, w.Trust.A, w.Trust.C, w.Trust.N, w.Trust.R} {
				if c > trust.Max {
					t.Fatalf("%+v", w)
				}
			}
		}
	})
}

func TestQueries(t *testing.T) {
	b := newBook()
	_ = b.install("b", "dev", 3)
	_ = b.install("a", "acme", 1)
	if ps := b.s.Packages(); len(ps) != 2 || ps[0].Name != "a" || ps[1].Serial != 3 || ps[1].Index == 0 {
		t.Errorf("%+v", ps)
	}
	if ks := b.s.Keys(); len(ks) != 4 || ks[0].Name != "node" || ks[3].Name != "ops" {
		t.Errorf("%+v", ks)
	}
	if k, ok := b.s.KeyByName("acme"); !ok || k.Local || k.Role != abi.RolePublisher {
		t.Errorf("%+v", k)
	}
	if _, ok := b.s.KeyByName("nobody"); ok {
		t.Error("a key out of nothing")
	}
	b.must(b.act(&abi.KeyRemove{ID: key("acme", "", false).ID}, "ops"))
	if _, ok := b.s.KeyByName("acme"); ok {
		t.Error("the key is still there")
	}
	if err := b.install("a", "acme", 2); abi.CodeOf(err) != abi.CodeBrainPackage {
		t.Errorf("installed by a removed key: %v", err)
	}
	if b.s.Serial("b") != 3 || b.s.Config().Version != 1 || b.s.Policy().Epoch != 1 || b.s.Genesis().Origin == "" {
		t.Error("config, policy or serial")
	}
	if _, ok := b.s.Run("nonsense"); ok {
		t.Error("a run out of nothing")
	}
	if _, ok := b.s.Run(id(5)); ok {
		t.Error("a run out of nothing")
	}
	if _, ok := b.s.Workload("nobody"); ok {
		t.Error("a workload out of nothing")
	}
}

func BenchmarkFold(b *testing.B) {
	k := newBook()
	_ = k.install("hello", "dev", 1)
	for i := range 10_000 {
		k.must(k.startOf("hello", id(i)))
		_ = k.end(&abi.RunEnd{Run: id(i), Outcome: abi.OutcomeExit, Calls: 10})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fold(k.list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(k.list)), "ns/record")
}
