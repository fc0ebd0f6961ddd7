package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"golang.org/x/sys/unix"
)

// mountedAlone reports whether path is the root of a mount (Linux 5.8 or later
// knows).
func mountedAlone(path string) bool {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, 0, &s)
	return err == nil && s.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// checkForeign refuses a file that another SQLite library in this process has
// open. The locks of a file are the process's, and only within one library do
// connections know of each other's (https://www.sqlite.org/howtocorrupt.html,
// section 2.2.1). Which library a descriptor belongs to is not to be seen: so the
// file is refused where another library is linked, as "sqlite3" by all usual ones,
// and no handle of this package has the file open.
func checkForeign(path string) error {
	if !otherLibraryLinked() {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || opened.has(path) {
		return nil
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if other, err := os.Stat("/proc/self/fd/" + e.Name()); err == nil && os.SameFile(info, other) {
			return fmt.Errorf("%w database: this process has %s open already, by another SQLite library as it seems, and two of them in one process destroy a file: hand that library's *sql.DB to sqlite.New", driver.ErrInvalid, path)
		}
	}
	return nil
}

func otherLibraryLinked() bool {
	for _, name := range sql.Drivers() {
		if strings.HasPrefix(name, "sqlite3") {
			return true
		}
	}
	return false
}
