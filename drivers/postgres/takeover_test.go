package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// seedTable is the statement by which programs made their table before they
// had this driver.
func seedTable(name string) string {
	return `CREATE TABLE ` + name + ` (thread_id TEXT PRIMARY KEY, state JSONB NOT NULL,
		created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW())`
}

// The statements of such a program.
const (
	seedRead  = `SELECT state FROM agent_checkpoints WHERE thread_id = $1`
	seedWrite = `INSERT INTO agent_checkpoints (thread_id, state) VALUES ($1, $2) ON CONFLICT (thread_id) DO UPDATE SET state = EXCLUDED.state, updated_at = NOW()`
)

func TestTakeOver(t *testing.T) {
	t.Parallel()
	dsn := testserver.PostgresInEnglish(t)
	db := plain(t, dsn)
	mustExec(t, db, seedTable("agent_checkpoints"),
		`INSERT INTO agent_checkpoints VALUES ('b', '{"n": 2}', '2025-01-02 03:04:05.678901Z', '2025-02-03 04:05:06.789012Z'), ('B', '[]', DEFAULT, DEFAULT), ('a', 'null', DEFAULT, DEFAULT), ('ä', '"x"', DEFAULT, DEFAULT)`)
	b := openReady(t, dsn)
	ctx := t.Context()

	c, err := load(ctx, b, "b")
	if err != nil {
		t.Fatal(err)
	}
	want := driver.Checkpoint{Info: driver.Info{
		Key: key("b"), ID: "row-1738555506789012", Version: 1, Size: 8, Encoding: "json",
		CreatedAt: time.Date(2025, 1, 2, 3, 4, 5, 678901000, time.UTC), SavedAt: time.Date(2025, 2, 3, 4, 5, 6, 789012000, time.UTC),
	}, Payload: []byte(`{"n": 2}`)}
	if fmt.Sprint(c) != fmt.Sprint(want) || string(c.Payload) != string(want.Payload) {
		t.Errorf("got %v %s, want %v %s", c, c.Payload, want, want.Payload)
	}
	infos, err := drain(b.List(ctx, driver.ListRequest{Namespace: "agents", Now: time.Now()}))
	if got := fmt.Sprint(threads(infos)); err != nil || got != "[B a b ä]" {
		t.Errorf("List: %s, %v, want [B a b ä]", got, err)
	}

	// The row's id works as a condition, and stays its id in the history.
	req := save("b", `{"n": 3}`)
	req.Match.ID, req.Keep = c.ID, 2
	if info := mustSave(t, b, req); info.Version != 2 || !info.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("Save: %v, want version 2 and the row's creation", info)
	}
	if got := history(t, b, "b"); len(got) != 2 || got[1].ID != c.ID || got[1].Size != 8 {
		t.Errorf("History: %v, want version 1 with id %s", got, c.ID)
	}
	stale := save("b", `{"n": 4}`)
	stale.Match.ID = c.ID
	if _, err := b.Save(ctx, stale); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Save on the old id: got %v, want ErrConflict", err)
	}

	// The former program goes on reading, by an index; its writes fail instead of
	// overwriting; rows that it adds are checkpoints.
	if got := selectText(t, db, seedRead, "b"); got != `{"n": 3}` {
		t.Errorf("the former program reads %s", got)
	}
	mustExec(t, db, "SET enable_seqscan = off")
	if got := selectText(t, db, "EXPLAIN "+strings.Replace(seedRead, "$1", "'b'", 1)); !strings.Contains(got, "agent_checkpoints_reader") {
		t.Errorf("the former program's plan is %s", got)
	}
	_, err = db.ExecContext(ctx, seedWrite, "b", "{}")
	if err == nil || !strings.Contains(err.Error(), "42P10") {
		t.Errorf("the former program's write: got %v, want 42P10 (no such unique constraint)", err)
	}
	mustExec(t, db, `INSERT INTO agent_checkpoints (thread_id, state) VALUES ('new', '{"n": 1}')`)
	first, err := load(ctx, b, "new")
	if err != nil || string(first.Payload) != `{"n": 1}` || first.ID == "" {
		t.Errorf("Load of its new row: %v %s, %v", first, first.Payload, err)
	}
	mustExec(t, db, `UPDATE agent_checkpoints SET state = '{"n": 2}', updated_at = clock_timestamp() WHERE thread_id = 'new'`)
	lost := save("new", `{}`)
	lost.Match.ID = first.ID
	if _, err := b.Save(ctx, lost); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Save on the id of a row that was overwritten: got %v, want ErrConflict", err)
	}
}

func threads(infos []driver.Info) []string {
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Thread
	}
	return names
}

// TestTakeOverOfALargeTable takes a table over that the former program is still
// reading. CHECKPOINT_TEST_ROWS sets the number of rows, 200,000 if it is empty.
func TestTakeOverOfALargeTable(t *testing.T) {
	t.Parallel()
	rows := 200_000
	if n, err := strconv.Atoi(os.Getenv("CHECKPOINT_TEST_ROWS")); err == nil {
		rows = n
	}
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	mustExec(t, db, seedTable("agent_checkpoints"), fmt.Sprintf(
		`INSERT INTO agent_checkpoints SELECT 'user-' || g, jsonb_build_object('n', g, 'text', repeat('x', 400)) FROM generate_series(1, %d) g`, rows))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	var slowest [2]time.Duration
	reads := [2]int{}
	for i := range slowest {
		readers.Go(func() {
			read, err := plain(t, dsn).PrepareContext(ctx, seedRead)
			for n := 1; err == nil && ctx.Err() == nil; n = (n+7919*(i+1))%rows + 1 {
				var state string
				began := time.Now()
				if err = read.QueryRowContext(context.WithoutCancel(ctx), fmt.Sprint("user-", n)).Scan(&state); err == nil && !strings.Contains(state, fmt.Sprintf(`"n": %d,`, n)) {
					err = fmt.Errorf("user-%d is %.80s", n, state)
				}
				slowest[i] = max(slowest[i], time.Since(began))
				reads[i]++
			}
			if err != nil {
				t.Error(err)
			}
		})
	}

	var log logLines
	b := open(t, dsn)
	b.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	began := time.Now()
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	stop()
	readers.Wait()
	t.Logf("%d rows in %v; the slowest of %d reads meanwhile took %v", rows, took, reads[0]+reads[1], max(slowest[0], slowest[1]))

	for _, line := range []string{"step 1 of 3", "step 2 of 3", "step 3 of 3", "the table is ready"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log lacks %q:\n%s", line, log.String())
		}
	}
	if c, err := load(t.Context(), b, "user-77"); err != nil || c.Version != 1 {
		t.Errorf("Load: %v, %v, want version 1", c, err)
	}
	if info := mustSave(t, b, save("user-77", `{"n": 0}`)); info.Version != 2 {
		t.Errorf("Save: version %d, want 2", info.Version)
	}
	if got, err := drain(b.List(t.Context(), driver.ListRequest{Namespace: "agents", Prefix: "user-1999", Now: time.Now()})); err != nil || len(got) == 0 {
		t.Errorf("List: %d threads, %v", len(got), err)
	}
}

// logLines collects a log.
type logLines struct {
	mu    sync.Mutex
	lines strings.Builder
}

// Write implements io.Writer.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// TestTakeOverGoesOn begins where another process died between two steps.
func TestTakeOverGoesOn(t *testing.T) {
	t.Parallel()
	for steps := range 4 {
		t.Run(fmt.Sprint("after step ", steps), func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			db := plain(t, dsn)
			mustExec(t, db, seedTable("agent_checkpoints"), `INSERT INTO agent_checkpoints VALUES ('a', '{"n": 1}')`)
			ddl := newSchema(table{"public", "agent_checkpoints"}, "agent_checkpoints_pkey").ddl
			for _, step := range []string{"takeover-columns", "takeover-indexes", "takeover-key"}[:steps] {
				mustExec(t, db, ddl.Get(step))
				if step != "takeover-key" { // the former program still works
					if _, err := db.Exec(seedWrite, "a", `{"n": 1}`); err != nil {
						t.Errorf("the former program's write after %s: %v", step, err)
					}
				}
			}
			b := openReady(t, dsn)
			if info := mustSave(t, b, save("a", `{"n": 2}`)); info.Version != 2 {
				t.Errorf("version %d, want 2", info.Version)
			}
		})
	}
}

// TestTakeOverWaitsForReaders: a reader that holds the table does not make
// other users wait for long, nor does it make the takeover fail.
func TestTakeOverWaitsForReaders(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	mustExec(t, db, seedTable("agent_checkpoints"))
	reader, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	if _, err := reader.Exec(seedRead, "a"); err != nil {
		t.Fatal(err)
	}
	b := open(t, dsn)
	var log logLines
	b.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	done := make(chan error, 1)
	go func() { done <- b.Ping(t.Context()) }()
	for !strings.Contains(log.String(), "the table is in use; trying again") {
		select {
		case err := <-done:
			t.Fatalf("Ping: got %v while a reader held the table", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Ping: got %v, want nil", err)
	}
}
