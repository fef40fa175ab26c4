package witness

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/serve"
	"github.com/forgeone/forgeone/internal/sys"
)

// maxAtOnce is how many requests are worked on at once; more wait their turn, but not
// longer than maxWait.
const (
	maxAtOnce = 16
	maxWait   = 5 * time.Second
)

// handler answers requests over HTTP.
type handler struct {
	w    *Witness
	room chan struct{}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	a := h.answer(rw, r)
	kind := "text/plain; charset=utf-8"
	if a.size {
		kind = sizeType
	}
	rw.Header().Set("Content-Type", kind)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.Header().Set("Connection", "close") // who asked once holds no place
	rw.WriteHeader(a.status)
	_, _ = io.WriteString(rw, a.body) // who went away gets nothing
}

func (h *handler) answer(rw http.ResponseWriter, r *http.Request) answer {
	if r.URL.Path != addPath {
		return refusal(http.StatusNotFound, "there is "+addPath+" only")
	}
	if r.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		return refusal(http.StatusMethodNotAllowed, "want POST")
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxRequest))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refusal(http.StatusRequestEntityTooLarge, "the request is too large")
	} else if err != nil {
		return refusal(http.StatusBadRequest, "the request ended early")
	}
	// A place is taken by who has said all: those who are slow hold up nobody.
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	case <-time.After(maxWait):
		rw.Header().Set("Retry-After", "1")
		return refusal(http.StatusServiceUnavailable, "too many requests at once")
	}
	return h.w.add(body)
}

// Handler returns the witness as it is served.
func (w *Witness) Handler() http.Handler {
	return &handler{w, make(chan struct{}, maxAtOnce)}
}

// Listen takes the address host:port; port 0 is any that is free.
func Listen(ctx context.Context, address string) (*serve.Server, error) {
	s, err := serve.Listen(ctx, address)
	if err != nil {
		return nil, &abi.Error{Code: CodeListen, What: "the address can't be listened on", Where: address, Err: err, Hint: "--listen 127.0.0.1:0"}
	}
	return s, nil
}

// Address returns the submission prefix of a witness that is served on s.
func Address(s *serve.Server) string { return "http://" + s.Addr() }

// Serve answers requests on s until ctx ends; those under way are given a moment. It
// closes s. While it runs, the file address in the witness's folder says where.
func (w *Witness) Serve(ctx context.Context, s *serve.Server) error {
	path := filepath.Join(w.s.dir, AddressFile)
	if err := sys.WriteFile(path, []byte(Address(s)+"\n"), 0o644); err != nil {
		return errors.Join(folder(path, err), s.Close())
	}
	err := s.Run(ctx, w.Handler())
	if e := os.Remove(path); err == nil && e != nil {
		err = folder(path, e)
	}
	return err
}
