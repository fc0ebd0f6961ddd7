package checkpoint

import (
	"context"
	"errors"
)

// classes are the kinds of errors that are told apart in statistics, in the order in
// which they are tested for.
var classes = [...]struct {
	name string
	err  error
}{
	{"canceled", context.Canceled},
	{"deadline_exceeded", context.DeadlineExceeded},
	{"not_found", ErrNotFound},
	{"conflict", ErrConflict},
	{"closed", ErrClosed},
	{"invalid", ErrInvalid},
	{"too_large", ErrTooLarge},
	{"unavailable", ErrUnavailable},
	{"corrupt", ErrCorrupt},
	{"unsupported", errors.ErrUnsupported},
}

// ErrorClass returns the class of an error of a Store, for metrics and logs that count
// them: canceled, deadline_exceeded, not_found, conflict, closed, invalid, too_large,
// unavailable, corrupt, unsupported or other; "" of nil. Programs that decide something
// test with errors.Is.
func ErrorClass(err error) string {
	if err == nil {
		return ""
	}
	return className(classOf(err))
}

// classOf returns the index of an error's class; len(classes) is the other one.
func classOf(err error) int {
	for i, c := range classes {
		if errors.Is(err, c.err) {
			return i
		}
	}
	return len(classes)
}

func className(class int) string {
	if class == len(classes) {
		return "other"
	}
	return classes[class].name
}
