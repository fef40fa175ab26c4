package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// readmeCommand is a command that the README shows, with what it shows as its
// output.
type readmeCommand struct {
	line   int
	text   string
	output []string
}

// standsIn says which commands are not run as they are: the command under test
// takes their place, or nothing does.
var standsIn = []struct{ prefix, by string }{
	{"go run ./cmd/forgeone", "forgeone"},
	{"go install ./cmd/forgeone", ":"},
	{"make ", ":"}, // the tests themselves
}

// parseReadme returns the commands of all console blocks, and the files that
// the README says to save: cedar blocks that begin with their name.
func parseReadme(t *testing.T, text string) (cmds []readmeCommand, files map[string]string) {
	t.Helper()
	files = map[string]string{}
	var block, save string
	for i, l := range strings.Split(text, "\n") {
		switch lang, fence := strings.CutPrefix(l, "```"); {
		case fence && block == "":
			block, save = lang, ""
			if block == "" {
				t.Errorf("README.md:%d: a block without a language", i+1)
			}
		case fence:
			block = ""
		case block == "cedar":
			if name, ok := strings.CutPrefix(l, "// "); ok && save == "" {
				save = name
			}
			files[save] += l + "\n"
		case block == "console":
			if c, ok := strings.CutPrefix(l, "$ "); ok {
				cmds = append(cmds, readmeCommand{line: i + 1, text: c})
			} else if len(cmds) > 0 {
				last := &cmds[len(cmds)-1]
				last.output = append(last.output, l)
			}
		}
	}
	return cmds, files
}

// TestReadme types every command of the README, in order and in one shell, into
// what a clone of the repository holds, and compares exit status and output. "…" in
// the README stands for any text, or alone for any lines. A command must succeed,
// unless the next one is `echo $?`.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	cmds, files := parseReadme(t, string(b))
	if len(cmds) < 30 {
		t.Fatalf("the README has only %d commands", len(cmds))
	}
	dir := t.TempDir()
	for _, f := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(dir, f), filepath.Join("../..", f))
	}
	if err := os.CopyFS(filepath.Join(dir, "examples/hello"), os.DirFS("../../examples/hello")); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	outputs, status := typed(t, dir, cmds)
	for i, c := range cmds {
		at := fmt.Sprintf("README.md:%d: %s", c.line, c.text)
		if status[i] != 0 && (i+1 == len(cmds) || cmds[i+1].text != "echo $?") {
			t.Errorf("%s\nexits %d:\n%s", at, status[i], outputs[i])
		}
		if want := pattern(c.output); !want.MatchString(stable(outputs[i])) {
			t.Errorf("%s\nprints\n%s\nthe README shows\n%s", at, outputs[i], strings.Join(c.output, "\n"))
		}
	}
}

func copyFile(t *testing.T, dst, src string) {
	t.Helper()
	b, err := os.ReadFile(src)
	if err == nil {
		err = os.WriteFile(dst, b, fs.FileMode(0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// mark begins what the shell prints of its own.
const mark = "\x1e"

// typed runs the commands in one shell, and returns what each printed, on
// either stream, and its exit status.
func typed(t *testing.T, dir string, cmds []readmeCommand) (outputs []string, status []int) {
	t.Helper()
	script := "st=0\n"
	for _, c := range cmds {
		text := c.text
		for _, s := range standsIn {
			if rest, ok := strings.CutPrefix(text, s.prefix); ok {
				if text = s.by; text != ":" {
					text += rest
				}
			}
		}
		script += "(exit $st)\n" + text + "\nst=$?\nprintf '" + mark + "%d" + mark + "' $st\n"
	}
	sh := exec.Command("sh", "-c", script)
	sh.Dir = dir
	sh.Env = append(os.Environ(), "GOFLAGS=")
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("the shell failed: %v\n%s", err, out)
	}
	parts := strings.Split(string(out), mark)
	if len(parts) != 2*len(cmds)+1 {
		t.Fatalf("%d commands left %d marks:\n%s", len(cmds), len(parts)-1, out)
	}
	for i := range cmds {
		n, err := strconv.Atoi(parts[2*i+1])
		if err != nil {
			t.Fatal(err)
		}
		outputs, status = append(outputs, parts[2*i]), append(status, n)
	}
	return outputs, status
}

// unstable is what differs from run to run or with the toolchain: run ids,
// digests, keys, times, the width of columns.
var unstable = []struct {
	form *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\br[0-9a-f]{16}\b`), "RUN"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "ORIGIN"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "SHORT"},
	{regexp.MustCompile(`f1pub-ed25519:[A-Za-z0-9+/=]+`), "KEY"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
	{regexp.MustCompile(`(\S) +`), "$1 "},
}

func stable(s string) string {
	for _, u := range unstable {
		s = u.form.ReplaceAllString(s, u.by)
	}
	return s
}

// pattern turns shown output into what real output must look like.
func pattern(lines []string) *regexp.Regexp {
	var p strings.Builder
	p.WriteString(`\A`)
	for _, l := range lines {
		if l == "…" {
			p.WriteString(`(?:.*\n)*?`)
			continue
		}
		p.WriteString(strings.ReplaceAll(regexp.QuoteMeta(stable(l)), "…", `.*`) + `\n`)
	}
	return regexp.MustCompile(p.String() + `\n*\z`)
}
