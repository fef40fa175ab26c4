// Package serve answers HTTP requests: with the files of an export (C2SP
// tlog-tiles), or by a handler of somebody above. It is reached only from commands
// that name an address to listen on, and it writes nothing.
package serve

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Limits of every server, whoever its peers are: whoever holds a connection has said
// all, or heard all, within these.
const (
	maxHead     = 8 << 10
	maxConns    = 256
	headTimeout = 5 * time.Second
	readTimeout = 10 * time.Second
	// A bundle has 16 MiB at most: a client that takes longer is dropped.
	writeTimeout = 2 * time.Minute
	idleTimeout  = time.Minute
	grace        = 5 * time.Second
)

// Server listens on an address.
type Server struct{ ln net.Listener }

// Listen begins to listen on addr, HOST:PORT, with TCP.
func Listen(ctx context.Context, addr string) (*Server, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Server{limit(ln, maxConns)}, nil
}

// Addr is the address that the server listens on, with the port it has.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close stops listening, for a server that never runs.
func (s *Server) Close() error { return s.ln.Close() }

// Run serves h until ctx ends; then it takes no more requests, waits a moment for
// those under way, and returns nil. The address is free when it returns.
func (s *Server) Run(ctx context.Context, h http.Handler) error {
	srv := &http.Server{
		Handler: h, MaxHeaderBytes: maxHead,
		ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: log.New(io.Discard, "", 0), // what strangers send is not told to the operator's terminal
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(late); err != nil {
		_ = srv.Close() // the rest is cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
