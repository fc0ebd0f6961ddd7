package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// migrationLock is the advisory lock that a program that changes tables holds, until
// its transaction ends. It is one for all tables of a database.
const migrationLock = 0x636b7074_73636831 // "ckptsch1"

// smallTable is how large a table may be for its takeover to be one
// transaction, which keeps others from reading it for as long as the indexes
// take: well below a second.
const smallTable = 64 << 20

// lockTimeout bounds how long a step waits for those who use the table, because
// every other user of the table waits behind it.
const lockTimeout = 2 * time.Second

// resolve returns the statements once the database was found to have what they
// need. It takes one round trip, once.
func (b *backend) resolve(ctx context.Context, start time.Time) (*schema, error) {
	if s := b.schema.Load(); s != nil {
		return s, nil
	}
	var f facts
	var failed failure
	for round := 1; ; round++ {
		f, failed = b.lookOnce(ctx, start)
		if failed.err == nil {
			break
		}
		if !failed.again && !failed.unknown || round == readOnlyRounds || backends.Ended(ctx) != nil {
			return nil, b.explain(ctx, failed.err)
		}
	}
	s := f.stage()
	if err := b.refusal(f, s); err != nil {
		return nil, err
	}
	if s != stageReady {
		if b.cfg.NoMigrate {
			return nil, fmt.Errorf("%w: the table %s is not there, or not as this version needs it, and migrations are forbidden (migrate=false); have its owner run the statements that postgres.Schema returns, or one program without migrate=false",
				driver.ErrUnavailable, b.table)
		}
		var err error
		if f, err = b.migrate(ctx); err != nil {
			return nil, err
		}
	}
	if f.filtered {
		b.warnOfPolicies(ctx)
	}
	schema := newSchema(table{schema: f.schema, name: b.table.name}, "")
	b.schema.Store(schema)
	return schema, nil
}

func (b *backend) lookOnce(ctx context.Context, start time.Time) (facts, failure) {
	c := &call{Context: ctx, until: start.Add(replyPatience), reads: true}
	conn, release, failed := b.acquire(c)
	if conn == nil {
		return facts{}, failed
	}
	defer func() { release(failed) }()
	f, err := b.look(b.quiet(c), conn)
	if err != nil {
		failed = diagnose(err)
		if failed.drop {
			discard(conn)
		}
	}
	return f, failed
}

// migrate goes on until the tables are ready. Any number of programs may do so
// at once: each step is a transaction that holds the migration lock, and looks
// again what is to be done when it has got it. It takes as long as it takes, and
// the context allows.
func (b *backend) migrate(ctx context.Context) (facts, error) {
	began := time.Now()
	changed := false
	for {
		f, step, err := b.step(ctx)
		switch failed := failureOf(err); {
		case err == nil && step == stageReady:
			if changed {
				b.progress(ctx, "checkpoint: the table is ready", slog.Duration("took", time.Since(began)))
			}
			return f, nil
		case err == nil:
			changed = true
			continue
		case !failed.again:
			return f, b.explain(ctx, failed.err)
		}
		b.progress(ctx, "checkpoint: the table is in use; trying again", slog.Duration("after", time.Since(began)))
		if err := backends.Sleep(ctx, backends.Backoff(0, 500*time.Millisecond, 500*time.Millisecond)); err != nil {
			return f, err
		}
	}
}

// failureOf explains an error of a migration's step: one that waited for a lock
// in vain is repeated.
func failureOf(err error) failure {
	if err == nil {
		return failure{}
	}
	var refused refusedError
	if errors.As(err, &refused) {
		return failure{err: refused.error}
	}
	f := diagnose(err)
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "55P03": // lock_not_available
			f.again = true
		case "42501": // insufficient_privilege
			f.err = fmt.Errorf("%w: the account may not make or change what the driver needs; have the owner of the tables run the statements that postgres.Schema returns, or one program with an account that may: %w",
				driver.ErrUnavailable, &stateError{state.SQLState(), err.Error()})
		}
	}
	return f
}

type refusedError struct{ error }

// step takes one step, and reports which: stageReady when there was nothing to
// do.
func (b *backend) step(ctx context.Context) (_ facts, _ stage, err error) {
	conn, release, failed := b.acquire(&call{Context: ctx, until: time.Now().Add(replyPatience)})
	if conn == nil {
		return facts{}, 0, refusedError{failed.err}
	}
	defer func() { release(failureOf(err)) }()
	exec := func(statement string) {
		if err == nil {
			_, err = conn.ExecContext(ctx, statement)
		}
	}
	exec("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	exec("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
	exec(fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(migrationLock)))
	exec(fmt.Sprintf("SET LOCAL lock_timeout = %d", lockTimeout.Milliseconds()))
	defer func() {
		if err != nil { // the server rolls back
			discard(conn)
		}
	}()

	var f facts
	first := stageReady
	for {
		if err == nil {
			f, err = b.look(ctx, conn)
		}
		if err != nil {
			return f, first, err
		}
		s := f.stage()
		if err := b.refusal(f, s); err != nil {
			return f, first, refusedError{err}
		}
		if first == stageReady {
			first = s
		}
		if s == stageReady {
			break
		}
		b.change(ctx, f, s, exec)
		if f.bytes > smallTable {
			break // let others read before the next step
		}
	}
	exec("COMMIT")
	return f, first, err
}

// change is what a step does at a stage.
func (b *backend) change(ctx context.Context, f facts, s stage, exec func(string)) {
	schema := newSchema(table{schema: f.schema, name: b.table.name}, f.pkeyName)
	size := slog.Int64("megabytes", f.bytes>>20)
	switch s {
	case stageAbsent:
		b.progress(ctx, "checkpoint: making the table")
		exec(schema.create())
	case stageSeed:
		b.progress(ctx, "checkpoint: taking a table over, step 1 of 3: new columns; reads and writes wait for a moment", size)
		exec(schema.ddl.Get("takeover-columns"))
	case stageColumns:
		b.progress(ctx, "checkpoint: taking a table over, step 2 of 3: indexes; writes wait meanwhile", size)
		exec(schema.ddl.Get("takeover-indexes"))
	case stageIndexes:
		b.progress(ctx, "checkpoint: taking a table over, step 3 of 3: the new primary key; reads and writes wait for a moment", size)
		exec(schema.ddl.Get("takeover-key"))
	case stageRest:
		if f.history == "" {
			exec(schema.ddl.Get("history"))
		}
		if f.chains == "" {
			exec(schema.ddl.Get("chains"))
		}
		exec(schema.ddl.Get("compression"))
		exec(schema.ddl.Get("function"))
	}
}
