//go:build !linux

package sqlite

// freeSpace does not know, and a write that fills the disk fails when it has.
func freeSpace(string) (int64, bool) { return 0, false }
