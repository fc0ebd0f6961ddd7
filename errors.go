package checkpoint

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
	"github.com/go-ckpt/checkpoint/internal/registry"
)

// The errors to test for with errors.Is. Every method returns them inside an
// [*Error]. The errors of a context that ended match context.Canceled and
// context.DeadlineExceeded.
var (
	// ErrNotFound: the thread does not exist, has expired, or does not keep the
	// version asked for.
	ErrNotFound = driver.ErrNotFound

	// ErrConflict: another save came first, or a condition does not hold. errors.As finds the current state
	// of the thread in a *ConflictError.
	ErrConflict = driver.ErrConflict

	// ErrClosed: the store was closed.
	ErrClosed = driver.ErrClosed

	// ErrInvalid: an argument, an option or a DSN is not allowed, or a state
	// cannot be encoded. Nothing was changed.
	ErrInvalid = driver.ErrInvalid

	// ErrTooLarge: the state is larger than the store's limit, or than the
	// database can hold. Nothing was changed.
	ErrTooLarge = driver.ErrTooLarge

	// ErrUnavailable: the database cannot be reached, is overloaded, is failing
	// over or refuses this client. A save that returns it may have been
	// applied; the ID of the Info returned with it tells, by Stat or History.
	ErrUnavailable = driver.ErrUnavailable

	// ErrCorrupt: what is stored is damaged, needs a key, codec or compressor
	// that this store does not have, or does not fit the variable it was to be
	// loaded into.
	ErrCorrupt = driver.ErrCorrupt

	// ErrUnknownDriver: no driver of that name is registered.
	ErrUnknownDriver = registry.ErrUnknownDriver
)

// A ConflictError says what a conditional save met. It matches [ErrConflict].
type ConflictError = driver.ConflictError

// An Error is what every method returns when it fails: which operation, through
// which driver and on which thread. Its text never holds a state, a password or
// a key.
type Error struct {
	Op     string // "save", "load", …
	Driver string // the driver's name
	Thread string // "" where the operation is not about one thread
	Err    error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("checkpoint: ")
	b.WriteString(e.Op)
	if e.Thread != "" {
		b.WriteByte(' ')
		b.WriteString(quoteThread(e.Thread))
	}
	if e.Driver != "" {
		b.WriteString(" (" + e.Driver + ")")
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// quoteThread quotes a thread's name, cut where it is too long to be one.
func quoteThread(s string) string {
	if len(s) <= names.MaxThread {
		return strconv.Quote(s)
	}
	cut := names.MaxThread
	for !utf8.RuneStart(s[cut]) && cut > names.MaxThread-utf8.UTFMax {
		cut--
	}
	return strconv.Quote(s[:cut]) + "…"
}
