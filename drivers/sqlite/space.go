package sqlite

import (
	"context"
	"fmt"
	"os"

	"github.com/go-ckpt/checkpoint/driver"
)

// largeBatch is the size of the payloads before which the log is folded into the
// file, and the space on the disk looked at. SQLite folds a log of 4 MB by itself,
// after a commit.
const largeBatch = 4 << 20

// fold writes what is in the log into the file and gives the log's space back to the
// disk, and reports whether it could. It cannot while a reader is in the log, or where
// there is no space for what it has to move; nothing is lost then.
//
// A transaction that found the disk full leaves its pages in the log, where only the
// pages of later transactions take their place: the file itself could not grow any
// more, and in the end all saves would fail for want of the space that the log keeps.
// After small ones there is nothing to give back, and moving their pages would take
// what is left of the disk.
func (d *database) fold(ctx context.Context) bool {
	if d.path == "" || d.frozen != nil { // a pool that was given is its owner's
		return false
	}
	var blocked, pages, moved int
	err := d.write.QueryRowContext(d.unwatched(ctx), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &pages, &moved)
	return err == nil && blocked == 0
}

// checkSpace refuses what the disk has no room for, in its log and then in its file.
// A space that is not known is enough.
func (d *database) checkSpace(bytes int) error {
	if d.path == "" {
		return nil
	}
	free, known := d.space(d.path)
	if log, err := os.Stat(d.path + "-wal"); err == nil {
		free += log.Size() // which is written over
	}
	const others = 256 << 10 // pages of indexes, and the next small saves
	if !known || free >= int64(bytes)+others {
		return nil
	}
	return fmt.Errorf("%w: %s", driver.ErrUnavailable, d.noSpace(fmt.Sprintf("to save %d KB in", bytes>>10)))
}

// noSpace says whose the space is that the database takes.
func (d *database) noSpace(purpose string) string {
	sizes := ""
	if d.path != "" {
		size := func(name string) int64 {
			file, err := os.Stat(name)
			if err != nil {
				return 0
			}
			return (file.Size() + 1023) >> 10
		}
		sizes = fmt.Sprintf(", which has %d KB and its log beside it %d KB", size(d.path), size(d.path+"-wal"))
	}
	return fmt.Sprintf("no space is left %s %s%s: free some and save again; what was saved before is intact", purpose, d.name, sizes)
}
