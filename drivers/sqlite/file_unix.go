//go:build unix

package sqlite

import (
	"os"
	"syscall"
)

// hardLinks returns how many names a file has, 1 if that is not known.
func hardLinks(info os.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Nlink)
	}
	return 1
}
