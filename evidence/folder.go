package evidence

import "os"

// makeFolder makes the log's folder, for its owner only.
func makeFolder(dir string) error { return os.MkdirAll(dir, 0o700) }
