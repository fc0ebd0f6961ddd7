//go:build !linux

package sqlite

// mountedAlone reports whether path is the root of a mount, where that is known.
func mountedAlone(string) bool { return false }

// checkForeign refuses a file that another SQLite library in this process has
// open, where that is known.
func checkForeign(string) error { return nil }
