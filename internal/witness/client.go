package witness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
)

const (
	answerTimeout = 30 * time.Second
	maxAnswer     = 64 << 10
)

// CheckURL checks a witness's submission prefix: http or https, no query, no
// password.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil {
		return nil
	}
	return &abi.Error{Code: CodeURL, What: "a witness's address is http://HOST[:PORT][/PREFIX] or the same with https", Where: plain(s), Err: err}
}

// NewClient returns what requests to witnesses go through: it follows no redirect,
// so that only addresses which a command named are asked.
func NewClient() *http.Client {
	return &http.Client{
		Timeout:       answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reply is what a witness answered.
type reply struct {
	status int
	size   uint64 // of a conflict
	body   []byte
}

// submit sends a request to the witness at prefix. Its errors are CodeUnreachable
// and CodeAnswer; every status but 409 with its size comes back as it is.
func submit(ctx context.Context, c *http.Client, prefix string, r request) (a reply, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(prefix, "/")+addPath, bytes.NewReader(r.encode()))
	if err != nil {
		return a, CheckURL(prefix)
	}
	q.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := c.Do(q)
	if err != nil {
		return a, &abi.Error{Code: CodeUnreachable, What: "the witness can't be reached", Where: prefix, Err: err}
	}
	defer res.Body.Close() // only read from
	a.status = res.StatusCode
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		return a, &abi.Error{Code: CodeUnreachable, What: "the witness's answer broke off", Where: prefix, Err: err}
	}
	odd := func(what string) error {
		return &abi.Error{Code: CodeAnswer, What: "the witness answers what the protocol does not know: " + what, Where: prefix}
	}
	if len(a.body) > maxAnswer {
		return a, odd(fmt.Sprintf("more than %d bytes", maxAnswer))
	}
	if a.status != http.StatusConflict {
		return a, nil
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != sizeType {
		return a, odd("409 without a tree size")
	}
	size, ok := parseSize(strings.CutSuffix(string(a.body), "\n"))
	if !ok {
		return a, odd("409 with " + fmt.Sprintf("%q", plain(string(a.body))))
	}
	a.size = size
	return a, nil
}

// refused is the error of a status that is neither success nor conflict.
func refused(p Peer, head *evidence.Checkpoint, a reply) error {
	said := fmt.Errorf("%d %s: %s", a.status, http.StatusText(a.status), plain(string(a.body)))
	switch a.status {
	case http.StatusNotFound:
		return &abi.Error{Code: CodeUnknownLog, What: "the witness does not know this log: give it the log's verifier key", Where: p.URL, Err: said}
	case http.StatusForbidden:
		return &abi.Error{Code: CodeUnknownKey, What: "the witness does not know the key that signs this log: give it the newest verifier key", Where: p.URL, Err: said}
	case http.StatusUnprocessableEntity:
		return history(p, head)
	}
	return &abi.Error{Code: CodeAnswer, What: "the witness refuses", Where: p.URL, Err: said}
}

func history(p Peer, head *evidence.Checkpoint) error {
	return &abi.Error{
		Code: CodeHistory, What: fmt.Sprintf("%s has seen another history of this log than these %d records", p.Key.Name, head.Size), Where: p.URL,
		Hint: "keep this log as evidence, and ask the witness's operator for the checkpoint that it keeps",
	}
}
