package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/serve"
)

// refresh is how often log serve looks whether the log grew.
const refresh = time.Second

func (a *app) logServeCmd() *cobra.Command {
	var listen, tiles string
	var given []string
	c := &cobra.Command{
		Use:   "serve --listen ADDR [LOGDIR]",
		Short: "Serve the log over HTTP to those who verify it",
		Long: `Serve the log of this node, or the one in LOGDIR, as C2SP tlog-tiles over HTTP on
ADDR, and look each second whether it grew. Whoever reaches ADDR can read every
record. The tiles are kept in DIR; what is served is what forgeone log export
writes, and nothing else. A disk that is full is told, and the tiles that are
there stay served. Ends with an interrupt.`,
		Example: "  forgeone log serve --listen 127.0.0.1:8780",
		Args:    args(0, 1, "at most one folder"),
		RunE: func(_ *cobra.Command, got []string) error {
			if listen == "" {
				return usage("log serve needs an address to listen on", "forgeone log serve --listen 127.0.0.1:8780")
			}
			pins, err := a.pins(given)
			if err != nil {
				return err
			}
			log := a.logDir(got)
			home := kernel.Home(a.homeDir())
			if tiles == "" {
				if log != home.Log() {
					return usage("log serve of another log needs a folder for its tiles", "forgeone log serve --listen "+abi.Shell(listen)+" --tiles tiles "+abi.Shell(log))
				}
				tiles = home.Tiles()
			}
			return a.serveTiles(listen, log, tiles, pins)
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address to listen on, HOST:PORT; port 0 takes a free one")
	c.Flags().StringVar(&tiles, "tiles", "", "folder for the tiles (default: in this node's state folder)")
	keyFlag(c, &given)
	return c
}

// serveTiles serves until the invocation is interrupted or the export fails.
func (a *app) serveTiles(listen, log, tiles string, pins keys.Publics) (err error) {
	e, err := evidence.NewExporter(log, tiles, pins.Ed25519, evidence.ExportOptions{Post: pins.Post, PostKey: a.postKey})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if _, err := e.Update(a.ctx); err != nil {
		return err
	}
	srv, err := serve.Listen(a.ctx, listen)
	if err != nil {
		return &abi.Error{Code: "F1-CLI-020", What: "cannot listen on " + quote(listen), Hint: "forgeone log serve --listen 127.0.0.1:0", Err: err}
	}
	printf(a.stderr, "forgeone: listening on http://%s/\n", srv.Addr())
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	kept := make(chan error, 1)
	go func() {
		defer stop()
		kept <- a.keep(ctx, e)
	}()
	err = srv.Run(ctx, serve.Tiles(tiles))
	stop()
	return errors.Join(err, <-kept)
}

// keep keeps the tiles up to date until the context ends. A disk that is full or
// fails is told once, and tried again: what was exported before stays served.
func (a *app) keep(ctx context.Context, e *evidence.Exporter) error {
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		_, err := e.Update(ctx)
		switch code := abi.CodeOf(err); {
		case ctx.Err() != nil:
			return nil
		case err == nil && failing:
			printn(a.stderr, "forgeone: the tiles are kept up to date again")
		case code == evidence.CodeIO || code == evidence.CodeFull:
			if !failing {
				a.fail(err)
			}
		case err != nil:
			return err
		}
		failing = err != nil
	}
}
