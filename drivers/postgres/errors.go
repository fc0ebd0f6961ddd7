package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// A failure is what an error means for the operation that met it.
type failure struct {
	err     error // what the caller gets: it matches a driver.Err value
	again   bool  // nothing was done, and the same again may succeed
	unknown bool  // it may have been done: the reply was lost
	drop    bool  // the connection is of no more use
	missing bool  // what the driver makes in the database is not there
	silent  bool  // the server has not answered
	state   bool  // the server cannot hold the state in the form it was given
}

// diagnose explains an error of a statement, whichever database/sql driver it
// comes from.
func diagnose(err error) failure {
	var state interface{ SQLState() string }
	var busy errBusy
	var prepared errPrepared
	switch {
	case errors.Is(err, driver.ErrCorrupt), errors.Is(err, driver.ErrInvalid):
		return failure{err: err}
	case errors.Is(err, errMoved):
		return failure{err: fmt.Errorf("%w: %w, and what belongs to it is another's", driver.ErrUnavailable, err), missing: true}
	case errors.As(err, &busy):
		return failure{err: fmt.Errorf("%w: all %d connections of the pool are in use, and no operation before this one has been answered (max_connections)", driver.ErrUnavailable, busy.connections), silent: true}
	case errors.As(err, &prepared) && errors.As(err, &state):
		// The statement was not there, or was another: it was not run.
		return failure{
			err: fmt.Errorf("%w: prepared statements do not work on this connection; behind a pooler in transaction mode, such as PgBouncer's, leave prepare=true out of the DSN: %w",
				driver.ErrUnavailable, &stateError{state.SQLState(), err.Error()}),
			again: prepared.again, drop: true,
		}
	case errors.As(err, &state) && len(state.SQLState()) == 5:
		return diagnoseState(state.SQLState(), err.Error())
	}
	return failure{
		err:     fmt.Errorf("%w: the connection was lost: %w", driver.ErrUnavailable, withoutContext(err)),
		unknown: true, drop: true, silent: true,
	}
}

// diagnoseConnecting explains an error that came before anything was sent.
func diagnoseConnecting(err error) failure {
	f := diagnose(err)
	if f.unknown && !errors.As(err, new(interface{ SQLState() string })) {
		f.err = fmt.Errorf("%w: no connection: %w", driver.ErrUnavailable, withoutContext(err))
	}
	return failure{err: f.err, again: f.again, silent: f.silent}
}

// errMoved: the function that saves belongs to another table than the one that
// has its name.
var errMoved = errors.New("the table was renamed or restored")

// errBusy: no connection of the pool became free in time.
type errBusy struct{ connections int }

func (e errBusy) Error() string { return fmt.Sprintf("%d connections in use", e.connections) }

// A stateError is an error of the server without what it may say of values:
// neither its detail nor its context, which can show a state.
type stateError struct{ state, text string }

func (e *stateError) Error() string {
	if e.text == "" {
		return "the server reports SQLSTATE " + e.state
	}
	return e.text
}

// SQLState returns the code of the server's error.
func (e *stateError) SQLState() string { return e.state }

// diagnoseState explains an error that the server has reported. Codes are those
// of the manual's appendix A.
func diagnoseState(state, text string) failure {
	class := state[:2]
	switch class {
	case "22", "23", "P0": // about values, or written by a trigger's author
		text = ""
	}
	e := &stateError{state, text}
	say := func(value error, format string, args ...any) error {
		return fmt.Errorf("%w: %s: %w", value, fmt.Sprintf(format, args...), e)
	}
	unavailable := func(format string, args ...any) failure {
		return failure{err: say(driver.ErrUnavailable, format, args...)}
	}
	switch state {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		f := unavailable("the database was too busy with the same rows")
		f.again = true
		return f
	case "25006": // read_only_sql_transaction
		f := unavailable("the server is read-only, a standby or a former primary")
		f.again, f.drop = true, true
		return f
	case "0A000": // feature_not_supported
		f := unavailable("the table was changed while it was in use, or the server lacks something the driver needs")
		f.again, f.drop = strings.Contains(text, "cached plan"), true
		return f
	case "40003": // statement_completion_unknown
		f := unavailable("the server does not know whether the statement was completed")
		f.unknown = true
		return f
	case "57P01", "57P02", "57P03", "57P05": // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
		f := unavailable("the server is shutting down, starting or recovering")
		f.unknown, f.drop = true, true
		return f
	case "26000", "42P05": // invalid_sql_statement_name, duplicate_prepared_statement
		f := unavailable("a statement was lost between its parts, as where several clients share a session of the server; behind a pooler in transaction mode statements must not be prepared")
		f.unknown, f.drop = true, true
		return f
	case "08P01": // protocol_violation, which poolers use for whatever they refuse
		f := unavailable("the server, or a pooler in front of it, refuses the connection or the statement")
		f.unknown, f.drop = true, true
		return f
	case "57014": // query_canceled
		return unavailable("the statement was cancelled, by the server's statement_timeout or because no answer came in time")
	case "55P03": // lock_not_available
		return unavailable("a lock was not to be had within the server's lock_timeout")
	case "42P01", "42883", "3F000", "42703": // undefined_table, _function, invalid_schema_name, undefined_column
		f := unavailable("the table of the checkpoints, or what belongs to it, is gone or was changed")
		f.missing = true
		return f
	case "42501": // insufficient_privilege
		return unavailable("the account lacks a right; it needs SELECT, INSERT, UPDATE and DELETE on the table, its history and its chains, EXECUTE on their function, and USAGE on the schema")
	case "28000", "28P01": // invalid_authorization_specification, invalid_password
		return unavailable("the server refuses this account")
	case "3D000": // invalid_catalog_name
		return unavailable("there is no such database")
	case "54000", "54001": // program_limit_exceeded, statement_too_complex
		return failure{err: say(driver.ErrTooLarge, "the server cannot hold it"), state: true}
	case "XX000": // internal_error
		if strings.Contains(text, "invalid memory alloc request size") {
			return failure{err: say(driver.ErrTooLarge, "the server cannot hold it"), state: true}
		}
	case "23505": // unique_violation: writers take turns, so only rows that were changed by hand collide
		return failure{err: say(driver.ErrCorrupt, "the rows of the thread contradict each other; delete the thread to use its name again")}
	case "XX001", "XX002": // data_corrupted, index_corrupted
		return failure{err: say(driver.ErrCorrupt, "the server cannot read it")}
	}
	switch class {
	case "08": // connection exceptions
		f := unavailable("the connection was lost")
		f.unknown, f.drop = true, true
		return f
	case "22": // data exceptions
		return failure{err: say(driver.ErrUnavailable, "the server does not take a value"), state: true}
	case "53": // insufficient resources
		return unavailable("the server is overloaded or full")
	}
	return unavailable("the server refuses the statement")
}

// withoutContext hides that an error below was a context's: the context that
// ended was the driver's own, not the caller's.
func withoutContext(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if errors.Is(err, sql.ErrConnDone) || strings.HasSuffix(err.Error(), "driver: bad connection") {
		return errors.New("the server has ended it")
	}
	return err
}
