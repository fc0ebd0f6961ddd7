package driver

import (
	"errors"
	"fmt"
)

// The errors a backend returns, bare or wrapped with more to say. Package
// checkpoint re-exports them; applications test for them with errors.Is.
var (
	// ErrNotFound: the thread is absent or has expired, or does not keep the
	// version asked for.
	ErrNotFound = errors.New("not found")

	// ErrConflict: a conditional save met another state than it asked for.
	// Returned as a *ConflictError.
	ErrConflict = errors.New("conflict")

	// ErrClosed: the store or backend was closed.
	ErrClosed = errors.New("store is closed")

	// ErrInvalid: an argument, option or DSN is not allowed. Nothing was sent
	// to the database, or nothing was changed in it.
	ErrInvalid = errors.New("invalid")

	// ErrTooLarge: the state is larger than the store's limit or than the
	// database can hold.
	ErrTooLarge = errors.New("state too large")

	// ErrUnavailable: the database cannot be reached, is overloaded, is failing
	// over, or refuses this client. From Save it means that the save may have
	// been applied.
	ErrUnavailable = errors.New("database unavailable")

	// ErrCorrupt: what is stored cannot be read as what it claims to be.
	ErrCorrupt = errors.New("stored state is damaged or does not fit")
)

// A ConflictError says what a conditional save met. It matches ErrConflict.
type ConflictError struct {
	// Current is the latest checkpoint of the thread at some moment of the
	// call; the zero Info when the thread was absent. Its ID is never the one
	// that was asked for.
	Current Info
}

func (e *ConflictError) Error() string {
	if e.Current.Version == 0 {
		return "conflict: the thread does not exist"
	}
	return fmt.Sprintf("conflict: the thread is at version %d with id %s", e.Current.Version, e.Current.ID)
}

// Is reports whether target is ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
