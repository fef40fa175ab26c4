package witness

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

// Limits of the server.
const (
	maxAtOnce     = 64 // requests under way; more are told to come again
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
)

// handler answers requests over HTTP.
type handler struct {
	w    *Witness
	room chan struct{}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	default:
		rw.Header().Set("Retry-After", "1")
		http.Error(rw, "too many requests at once", http.StatusServiceUnavailable)
		return
	}
	a := h.answer(rw, r)
	kind := "text/plain; charset=utf-8"
	if a.size {
		kind = sizeType
	}
	rw.Header().Set("Content-Type", kind)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
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
	return h.w.add(body)
}

// Handler returns the witness as it is served.
func (w *Witness) Handler() http.Handler {
	return &handler{w, make(chan struct{}, maxAtOnce)}
}

// Listen takes the address host:port; port 0 is any that is free.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &abi.Error{Code: CodeListen, What: "the address can't be listened on", Where: address, Err: err, Hint: "--listen 127.0.0.1:0"}
	}
	return l, nil
}

// Address returns the submission prefix of a witness that is served on l.
func Address(l net.Listener) string { return "http://" + l.Addr().String() }

// Serve answers requests on l until ctx ends; those under way are finished. It
// closes l. While it runs, the file address in the witness's folder says where.
func (w *Witness) Serve(ctx context.Context, l net.Listener) error {
	path := filepath.Join(w.s.dir, AddressFile)
	if err := sys.WriteFile(path, []byte(Address(l)+"\n"), 0o644); err != nil {
		return errors.Join(folder(path, err), l.Close())
	}
	err := w.serve(ctx, l)
	if e := os.Remove(path); err == nil && e != nil {
		err = folder(path, e)
	}
	return err
}

func (w *Witness) serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), bodyTimeout)
	defer cancel()
	return s.Shutdown(end)
}
