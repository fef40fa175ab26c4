package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// badFlag turns the flag parser's error into ours: it says what is wrong with
// which flag, in words for people.
func badFlag(c *cobra.Command, err error) error {
	help := c.CommandPath() + " --help"
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return usage(err.Error(), help)
	}
	flag := bad.GetFlag()
	what := "a " + flag.Value.Type()
	switch t := flag.Value.Type(); {
	case errors.Is(err, strconv.ErrRange):
		return usage("--"+flag.Name+" "+quote(bad.GetValue())+" is out of range", help)
	case strings.HasPrefix(t, "uint"):
		what = "a whole number from 0 on"
	case strings.HasPrefix(t, "int"):
		what = "a whole number"
	case t == "duration":
		what = "a time with its unit, such as 500ms, 10s or 2m"
	case t == "bool":
		what = "true or false"
	}
	return usage("--"+flag.Name+" "+quote(bad.GetValue())+" is not "+what, help)
}

// wantsJSON tells whether args ask for JSON, where the error is that they could
// not be parsed. keygen's -o is a file.
func wantsJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	short := !slices.Contains(args, "keygen")
	for i, s := range args {
		next := i+1 < len(args) && args[i+1] == "json"
		switch {
		case s == "--output=json", s == "--output" && next:
			return true
		case short && (s == "-ojson" || s == "-o=json" || s == "-o" && next):
			return true
		}
	}
	return false
}
