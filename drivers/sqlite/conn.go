package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	sqlite "modernc.org/sqlite"
)

// A connector opens connections to one database, all in the same way.
type connector struct {
	path    string // absolute, or Memory
	pragmas []string
	frozen  bool // take the file for one that nobody writes
}

// Driver implements driver.Connector of database/sql.
func (c *connector) Driver() sqldriver.Driver { return &sqlite.Driver{} }

// Connect implements driver.Connector of database/sql. It creates the file
// where there is none.
func (c *connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	model := ""
	if c.path != Memory && runtime.GOOS != "windows" {
		if _, err := os.Stat(c.path); os.IsNotExist(err) {
			// SQLite gives a new file the mode of the one named by modeof, and
			// gives the files beside it the mode of the database. Creating the
			// file here and closing it again would release the locks that
			// other connections of this process have on it by then
			// (https://www.sqlite.org/howtocorrupt.html, section 2.2).
			if model = c.modelOfMode(); model != "" {
				defer os.Remove(model)
			}
		}
	}
	next, err := sqlite.NewConnector(c.uri(model))
	if err != nil {
		return nil, err
	}
	return next.Connect(ctx)
}

// modelOfMode makes an empty file that only its owner can read and write, or
// returns "" where the folder takes none: then SQLite's own attempt fails too,
// and is explained.
func (c *connector) modelOfMode() string {
	f, err := os.CreateTemp(filepath.Dir(c.path), ".checkpoint-*")
	if err != nil {
		return ""
	}
	defer f.Close()
	if f.Chmod(0o600) != nil { // an odd umask may have taken bits away
		os.Remove(f.Name())
		return ""
	}
	return f.Name()
}

// uri is the name that SQLite understands. Everything that could end the path
// or a parameter is escaped.
func (c *connector) uri(model string) string {
	var b strings.Builder
	if c.path == Memory {
		b.WriteString("file::memory:")
	} else {
		path := filepath.ToSlash(c.path)
		if !strings.HasPrefix(path, "/") {
			path = "/" + path // a drive letter
		}
		b.WriteString("file://" + (&url.URL{Path: path}).EscapedPath())
	}
	b.WriteString("?_error_rc=1&_txlock=immediate")
	for _, p := range c.pragmas {
		b.WriteString("&_pragma=" + p)
	}
	if c.frozen {
		b.WriteString("&immutable=1")
	}
	if model != "" {
		b.WriteString("&modeof=" + strings.ReplaceAll(url.QueryEscape(model), "+", "%20"))
	}
	return b.String()
}

// A frozen file cannot be written by this process, nor can the folder, where
// SQLite would put the files that readers and writers need to agree. It can be
// read as long as nobody else writes it.
type frozen struct {
	path string
	info os.FileInfo
}

func freeze(path string) (*frozen, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &frozen{path, info}
	return f, f.check()
}

// check returns an error if the file has changed, or is about to.
func (f *frozen) check() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	_, wal := os.Stat(f.path + "-wal")
	if !os.IsNotExist(wal) || !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()) {
		return fmt.Errorf("%w: %s is being written by another process, and cannot be read without the right to write to its folder: give it to this user, and open the store again", driver.ErrUnavailable, f.path)
	}
	return nil
}
