package postgres

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/go-ckpt/checkpoint/driver"
)

// foreign is an error of another database/sql driver.
type foreign struct{ code, text string }

func (e foreign) Error() string    { return e.text }
func (e foreign) SQLState() string { return e.code }

func TestDiagnose(t *testing.T) {
	t.Parallel()
	server := func(code string) error {
		return &pq.Error{Severity: "ERROR", Code: pqerror.Code(code), Message: "the message", Detail: "s3cret", Where: "s3cret", Hint: "s3cret"}
	}
	for _, tt := range []struct {
		name string
		err  error
		want failure // err is the value to match
		text string
	}{
		{"serialization", server("40001"), failure{err: driver.ErrUnavailable, again: true}, "too busy with the same rows: pq: the message (40001)"},
		{"deadlock", server("40P01"), failure{err: driver.ErrUnavailable, again: true}, "too busy"},
		{"read-only", server("25006"), failure{err: driver.ErrUnavailable, again: true, drop: true}, "read-only"},
		{"shutdown", server("57P01"), failure{err: driver.ErrUnavailable, unknown: true, drop: true}, "shutting down"},
		{"starting", server("57P03"), failure{err: driver.ErrUnavailable, unknown: true, drop: true}, "starting"},
		{"connection failure", server("08006"), failure{err: driver.ErrUnavailable, unknown: true, drop: true}, "the connection was lost"},
		{"pooler", server("08P01"), failure{err: driver.ErrUnavailable, unknown: true, drop: true}, "a pooler in front of it, refuses the connection or the statement: pq: the message (08P01)"},
		{"no such statement", server("26000"), failure{err: driver.ErrUnavailable, unknown: true, drop: true}, "lost between its parts"},
		{"prepared", errPrepared{server("26000"), false}, failure{err: driver.ErrUnavailable, drop: true}, "leave prepare=true out of the DSN: pq: the message (26000)"},
		{"prepared, by itself", errPrepared{server("08P01"), true}, failure{err: driver.ErrUnavailable, again: true, drop: true}, "leave prepare=true out"},
		{"too many connections", server("53300"), failure{err: driver.ErrUnavailable}, "overloaded or full"},
		{"disk full", server("53100"), failure{err: driver.ErrUnavailable}, "overloaded or full"},
		{"cancelled", server("57014"), failure{err: driver.ErrUnavailable}, "statement_timeout"},
		{"no lock", server("55P03"), failure{err: driver.ErrUnavailable}, "lock_timeout"},
		{"no table", server("42P01"), failure{err: driver.ErrUnavailable, missing: true}, "is gone"},
		{"no right", server("42501"), failure{err: driver.ErrUnavailable}, "the account lacks a right"},
		{"no database", server("3D000"), failure{err: driver.ErrUnavailable}, "there is no such database"},
		{"password", server("28P01"), failure{err: driver.ErrUnavailable}, "refuses this account"},
		{"value", server("22P02"), failure{err: driver.ErrUnavailable, state: true}, "the server reports SQLSTATE 22P02"},
		{"constraint", server("23514"), failure{err: driver.ErrUnavailable}, "the server reports SQLSTATE 23514"},
		{"a trigger's", server("P0001"), failure{err: driver.ErrUnavailable}, "the server reports SQLSTATE P0001"},
		{"stack depth", server("54001"), failure{err: driver.ErrTooLarge, state: true}, "cannot hold it"},
		{"damage", server("XX001"), failure{err: driver.ErrCorrupt}, "cannot read it"},
		{"memory", foreign{"XX000", "ERROR: invalid memory alloc request size 1073741824 (SQLSTATE XX000)"}, failure{err: driver.ErrTooLarge, state: true}, "cannot hold it"},
		{"internal", server("XX000"), failure{err: driver.ErrUnavailable}, "the server refuses the statement"},
		{"pgx's", foreign{"40001", "ERROR: busy (SQLSTATE 40001)"}, failure{err: driver.ErrUnavailable, again: true}, "ERROR: busy (SQLSTATE 40001)"},
		{"changed plan", foreign{"0A000", "ERROR: cached plan must not change result type"}, failure{err: driver.ErrUnavailable, again: true, drop: true}, "was changed while it was in use"},
		{"bad connection", sqldriver.ErrBadConn, failure{err: driver.ErrUnavailable, unknown: true, drop: true, silent: true}, "the connection was lost: the server has ended it"},
		{"done", sql.ErrConnDone, failure{err: driver.ErrUnavailable, unknown: true, drop: true, silent: true}, "the server has ended it"},
		{"network", &net.OpError{Op: "read", Err: io.ErrUnexpectedEOF}, failure{err: driver.ErrUnavailable, unknown: true, drop: true, silent: true}, "read: unexpected EOF"},
		{"the driver's own deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), failure{err: driver.ErrUnavailable, unknown: true, drop: true, silent: true}, "no answer in time"},
		{"corrupt", fmt.Errorf("x: %w", driver.ErrCorrupt), failure{err: driver.ErrCorrupt}, ""},
		{"busy", errBusy{3}, failure{err: driver.ErrUnavailable, silent: true}, "all 3 connections"},
	} {
		f := diagnose(tt.err)
		got, want := f, tt.want
		got.err, want.err = nil, nil
		if !errors.Is(f.err, tt.want.err) || got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, f, tt.want)
		}
		text := fmt.Sprint(f.err)
		if !strings.Contains(text, tt.text) || strings.Contains(text, "s3cret") {
			t.Errorf("%s: got the text %q, want %q in it", tt.name, text, tt.text)
		}
		if errors.Is(f.err, context.DeadlineExceeded) || errors.As(f.err, new(*pq.Error)) {
			t.Errorf("%s: %v lets the caller find what is not the caller's", tt.name, f.err)
		}
		if c := diagnoseConnecting(tt.err); c.unknown || c.drop || c.missing || c.again != f.again {
			t.Errorf("%s: while connecting: got %+v, want nothing but a repetition", tt.name, c)
		}
	}
}

// A lateContext is one whose deadline has passed and whose timer has not fired.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// TestDeadlineBeforeItsTimer: the network may keep a deadline before the
// context's timer ends the context; the error is the context's all the same.
func TestDeadlineBeforeItsTimer(t *testing.T) {
	t.Parallel()
	b := open(t, "postgres://user@127.0.0.1:1/db")
	ctx := lateContext{t.Context()}
	if err := b.explain(ctx, driver.ErrUnavailable); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	if err := b.explain(t.Context(), driver.ErrUnavailable); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
