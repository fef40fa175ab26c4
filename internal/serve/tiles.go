package serve

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/forgeone/forgeone/evidence"
)

// Tiles answers with the files of the export in the folder dir: /checkpoint,
// /vkey, and the tiles and entry bundles under /tile/ by the names that C2SP
// tlog-tiles gives them. Nothing else in the folder is reached, links are not
// followed out of it, and nothing is listed.
func Tiles(dir string) http.Handler { return &tiles{dir} }

type tiles struct{ dir string }

const (
	textType = "text/plain; charset=utf-8"
	tileType = "application/octet-stream"

	// The checkpoint moves each second; a tile never changes.
	moving    = "no-cache"
	immutable = "public, max-age=31536000, immutable"
)

// ServeHTTP implements http.Handler.
func (t *tiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	// The path as it was sent: what needs decoding is none of the names.
	name := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	kind, cache := tileType, immutable
	switch {
	case name == "checkpoint", name == "vkey":
		kind, cache = textType, moving
	case !evidence.IsTilePath(name):
		notFound(w)
		return
	}
	f, err := open(t.dir, name)
	if err != nil {
		notFound(w)
		return
	}
	defer f.Close() // it is only read
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", cache)
	http.ServeContent(w, r, "", time.Time{}, f)
}

// notFound says so, in a way that is not kept: the tile may come to be.
func notFound(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", moving)
	http.Error(w, "not found", http.StatusNotFound)
}

// open opens the regular file name below dir, without following links out of it
// and without waiting for a FIFO.
func open(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // the file stays open
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	i, err := f.Stat()
	if err == nil && !i.Mode().IsRegular() {
		err = os.ErrNotExist
	}
	if err != nil {
		_ = f.Close() // nothing was written to it
		return nil, err
	}
	return f, nil
}
