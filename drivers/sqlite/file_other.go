//go:build !unix

package sqlite

import "os"

// hardLinks returns how many names a file has, 1 if that is not known.
func hardLinks(os.FileInfo) int { return 1 }
