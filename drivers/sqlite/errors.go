package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	codes "modernc.org/sqlite/lib"
)

// explain turns an error of database/sql or SQLite into one of package driver
// that says what to do. SQLite's own text, which names codes, tables and
// columns and never a value, stands behind it.
func (d *database) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case backends.Classified(err):
		return err
	}
	kind, advice := driver.ErrUnavailable, ""
	switch code(err) {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_PROTOCOL:
		advice = fmt.Sprintf("another process has held the lock on %s for %v", d.name, d.busyTimeout)
		if !d.owned { // whose connections have a busy_timeout of their own, and may have waited for longer
			advice = fmt.Sprintf("somebody else holds the lock on %s, for longer than the BusyTimeout of %v and the pool's own busy_timeout", d.name, d.busyTimeout)
		}
	case codes.SQLITE_FULL:
		advice = d.noSpace("for")
	case codes.SQLITE_READONLY:
		advice = fmt.Sprintf("%s cannot be written: give this user the right to write to the file and to its folder, where SQLite keeps files beside it", d.name)
	case codes.SQLITE_CANTOPEN, codes.SQLITE_PERM:
		advice = d.whyNotOpened()
	case codes.SQLITE_IOERR:
		if file, err := os.Stat(d.path); err == nil && file.IsDir() {
			advice = d.whyNotOpened()
			break
		}
		advice = fmt.Sprintf("reading or writing %s failed: check the disk, its free space and its quotas", d.name)
	case codes.SQLITE_NOMEM:
		advice = "SQLite ran out of memory"
	case codes.SQLITE_TOOBIG:
		kind, advice = driver.ErrTooLarge, "SQLite holds at most 1 GB in a row"
	case codes.SQLITE_NOTADB:
		kind, advice = driver.ErrCorrupt, fmt.Sprintf("%s is not an SQLite database, and is left as it is: name another file", d.name)
	case codes.SQLITE_CORRUPT:
		kind, advice = driver.ErrCorrupt, fmt.Sprintf("%s is damaged: restore a backup, or save what can be read with the command .recover of the sqlite3 shell", d.name)
	default:
		advice = d.name
		if contradicts(err) {
			kind, advice = driver.ErrCorrupt, fmt.Sprintf("rows of the thread in %s contradict each other; delete it to use its name again", d.name)
		}
	}
	return fmt.Errorf("%w: %s (%w)", kind, advice, err)
}

// whyNotOpened looks for the reason that SQLite does not tell.
func (d *database) whyNotOpened() string {
	folder := filepath.Dir(d.path)
	file, err := os.Stat(d.path)
	parent, parentErr := os.Stat(folder)
	switch {
	case d.path == "":
		return "the database cannot be opened"
	case err == nil && file.IsDir():
		return fmt.Sprintf("%s is a folder: name a file in it, such as %s", d.path, filepath.Join(d.path, "agents.db"))
	case errors.Is(parentErr, fs.ErrNotExist):
		return fmt.Sprintf("there is no folder %s: create it first", folder)
	case parentErr == nil && !parent.IsDir():
		return fmt.Sprintf("%s is not a folder", folder)
	case err == nil || errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s cannot be opened: give this user the right to read and write the file and its folder", d.path)
	default:
		return fmt.Sprintf("%s cannot be created: give this user the right to write to the folder", d.path)
	}
}
