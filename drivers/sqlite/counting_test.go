package sqlite_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/test/costtable"
	moderncsqlite "modernc.org/sqlite"
)

// counts are what was run on the connections of a pool.
type counts struct {
	mu         sync.Mutex
	statements []string // their first words
	begins     int      // also those that failed
	commits    int
	rollbacks  int
	lost       int // the commit, counted from 1, that is made and reported as failed
}

func (c *counts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statements, c.begins, c.commits, c.rollbacks = nil, 0, 0, 0
}

func (c *counts) ran(query string) {
	word, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statements = append(c.statements, word)
}

// String is like "SELECT, UPDATE; 1 commit".
func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := strings.Join(c.statements, ", ")
	if c.commits > 0 {
		s += fmt.Sprintf("; %d commit", c.commits)
	}
	if c.rollbacks > 0 {
		s += fmt.Sprintf("; %d rollback", c.rollbacks)
	}
	return s
}

// counted is a backend on a pool of one connection to file that counts.
func counted(t testing.TB, file string) (driver.Backend, *counts) {
	t.Helper()
	next, err := moderncsqlite.NewConnector("file:" + file + "?_txlock=immediate&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	c := &counts{}
	db := sql.OpenDB(countingConnector{next, c})
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	b := sqlite.New(db, sqlite.Config{})
	t.Cleanup(func() { b.Close() })
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, c
}

type countingConnector struct {
	sqldriver.Connector
	counts *counts
}

func (c countingConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return countingConn{conn.(fullConn), c.counts}, nil
}

// fullConn is what a connection of modernc.org/sqlite can do and database/sql
// asks for.
type fullConn interface {
	sqldriver.Conn
	sqldriver.ConnBeginTx
	sqldriver.ConnPrepareContext
	sqldriver.SessionResetter
	sqldriver.Validator
}

type countingConn struct {
	fullConn
	counts *counts
}

func (c countingConn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	c.counts.mu.Lock()
	c.counts.begins++
	c.counts.mu.Unlock()
	tx, err := c.fullConn.BeginTx(ctx, opts)
	return countingTx{tx, c.counts}, err
}

func (c countingConn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	stmt, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return countingStmt{stmt.(fullStmt), query, c.counts}, nil
}

type fullStmt interface {
	sqldriver.Stmt
	sqldriver.StmtExecContext
	sqldriver.StmtQueryContext
}

type countingStmt struct {
	fullStmt
	query  string
	counts *counts
}

func (s countingStmt) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	s.counts.ran(s.query)
	return s.fullStmt.ExecContext(ctx, args)
}

func (s countingStmt) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	s.counts.ran(s.query)
	return s.fullStmt.QueryContext(ctx, args)
}

type countingTx struct {
	sqldriver.Tx
	counts *counts
}

func (t countingTx) Commit() error {
	t.counts.mu.Lock()
	t.counts.commits++
	lost := t.counts.commits == t.counts.lost
	t.counts.mu.Unlock()
	err := t.Tx.Commit()
	if err == nil && lost {
		err = errors.New("disk I/O error")
	}
	return err
}

func (t countingTx) Rollback() error {
	t.counts.mu.Lock()
	t.counts.rollbacks++
	t.counts.mu.Unlock()
	return t.Tx.Rollback()
}

// TestStatements counts what each operation runs and compares it with
// docs/costs.md. On a pool that was given, a transaction begins with a DELETE
// that takes the lock and deletes nothing; the driver's own transactions are
// begun with the lock.
func TestStatements(t *testing.T) {
	t.Parallel()
	b, counts := counted(t, filepath.Join(t.TempDir(), "agents.db"))
	ctx := t.Context()
	kept := func(keep int) driver.SaveRequest {
		req := request(fmt.Sprint("keeps ", keep), "{}")
		req.Keep = keep
		return req
	}
	for range 5 {
		save(t, b, kept(1))
		save(t, b, kept(3))
	}
	for _, step := range []struct {
		thread        string
		version, base int64
	}{{"chain", 1, 0}, {"ended", 1, 0}, {"ended", 2, 1}, {"ended", 3, 0}} {
		if err := chained(ctx, b, step.thread, step.version, step.base, 2); err != nil {
			t.Fatal(err)
		}
	}
	repeated := kept(3)
	conflicting := kept(3)
	conflicting.Match.ID = "other"
	wants := make(map[string]string)
	for _, row := range costtable.Table(t, "SQLite statements") {
		wants[row.Operation] = row.Cells["statements"]
	}
	for _, tt := range []struct {
		name string
		run  func() error
	}{
		{"Ping", func() error { return b.Ping(ctx) }},
		{"first save", func() error { save(t, b, request("new", "{}")); return nil }},
		{"save", func() error { save(t, b, kept(1)); return nil }},
		{"save with history", func() error { save(t, b, repeated); return nil }},
		{"repeated save", func() error { save(t, b, repeated); return nil }},
		{"save that keeps more", func() error { save(t, b, kept(3)); return nil }},
		{"conflict", func() error {
			if _, err := b.Save(ctx, conflicting); !errors.Is(err, driver.ErrConflict) {
				return fmt.Errorf("error %v, want %w", err, driver.ErrConflict)
			}
			return nil
		}},
		{"patch", func() error { return chained(ctx, b, "chain", 2, 1, 2) }},
		{"patch that ends a chain", func() error { return chained(ctx, b, "ended", 4, 3, 2) }},
		{"load", func() error { load(t, b, "keeps 3"); return nil }},
		{"load of a patch", func() error { load(t, b, "chain"); return nil }},
		{"load version", func() error {
			_, err := b.Load(ctx, driver.LoadRequest{Key: key("keeps 3"), Version: 6, Now: now})
			return err
		}},
		{"stat", func() error { _, _, err := latest(ctx, b, "keeps 3"); return err }},
		{"page of a list", func() error {
			for _, err := range b.List(ctx, driver.ListRequest{Namespace: "agents", Limit: 2, Now: now}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"rewrite", func() error {
			return b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: key("keeps 3"), Version: 6, ID: repeated.ID, Payload: []byte("{}"), Encoding: "json", Now: now})
		}},
		{"find", func() error {
			_, err := b.(driver.Finder).Find(ctx, driver.FindRequest{Key: key("keeps 3"), ID: repeated.ID, Now: now})
			return err
		}},
		{"page of versions", func() error { readLog(t, b, driver.VersionsRequest{Key: key("keeps 3"), Now: now}); return nil }},
		{"save if version", func() error {
			req := kept(3)
			req.Match.Version = 7
			_, err := b.Save(ctx, req)
			return err
		}},
		{"delete if match", func() error {
			return b.Delete(ctx, driver.DeleteRequest{Key: key("new"), Match: driver.Match{Version: 1}, Now: now})
		}},
		{"delete prefix", func() error {
			_, err := b.(driver.PrefixDeleter).DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "agents", Prefix: "keeps 1", Now: now})
			return err
		}},
		{"delete", func() error { return b.Delete(ctx, driver.DeleteRequest{Key: key("keeps 3")}) }},
		{"purge", func() error { _, err := b.(driver.Purger).Purge(ctx, "agents", now); return err }},
	} {
		counts.reset()
		if err := tt.run(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		want, ok := wants[tt.name]
		delete(wants, tt.name)
		if got := counts.String(); got != want || !ok {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
	}
	for name := range wants {
		t.Errorf("the table has a row %q that nothing here does", name)
	}
}
