// Command rego evaluates a query over a file of policies, with an input in JSON,
// and prints what it is: rego POLICIES INPUT QUERY.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/open-policy-agent/opa/v1/rego"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, policies, input, query string) error {
	b, err := os.ReadFile(input)
	if err != nil {
		return err
	}
	var in any
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	q, err := rego.New(rego.Query(query), rego.Load([]string{policies}, nil)).PrepareForEval(ctx)
	if err != nil {
		return err
	}
	results, err := q.Eval(ctx, rego.EvalInput(in))
	if err != nil {
		return err
	}
	for _, r := range results {
		for _, e := range r.Expressions {
			out, err := json.Marshal(e.Value)
			if err != nil {
				return err
			}
			fmt.Printf("%s = %s\n", e.Text, out)
		}
	}
	return nil
}
