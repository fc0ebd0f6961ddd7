package sqlite

import "golang.org/x/sys/unix"

// freeSpace returns the bytes that the disk of a file has left for this user.
func freeSpace(path string) (int64, bool) {
	var disk unix.Statfs_t
	if err := unix.Statfs(path, &disk); err != nil {
		return 0, false
	}
	return int64(disk.Bavail) * int64(disk.Bsize), true
}
