package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestDirectSaveThatWaited has a direct save wait for a transaction that changes the
// thread, and its history, after the save's statement has begun: it decides on what is
// there then, and not on what it saw.
func TestDirectSaveThatWaited(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	b := openReady(t, words(dsn, "max_connections=1", "prepare=true", "application_name=checkpoint"))
	function := `SELECT r_outcome FROM agent_checkpoints_save_3('agents', $1, $2, $3, NULL, 1, 'json', NULL, now(), now(), NULL, $4,
		false, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'agent_checkpoints'::regclass)`
	other := func(id, state string, keep int) func(*sql.Tx, string) error {
		return func(tx *sql.Tx, thread string) error {
			_, err := tx.Exec(function, thread, id, state, keep)
			return err
		}
	}
	all := func(steps ...func(*sql.Tx, string) error) func(*sql.Tx, string) error {
		return func(tx *sql.Tx, thread string) (err error) {
			for _, step := range steps {
				err = errors.Join(err, step(tx, thread))
			}
			return err
		}
	}
	statement := func(text string) func(*sql.Tx, string) error {
		return func(tx *sql.Tx, thread string) error { _, err := tx.Exec(text, thread); return err }
	}
	for i, tt := range []struct {
		name      string
		saved     int                         // versions "1", "2" and so on that are there, with the ids id-1, id-2 and so on
		meanwhile func(*sql.Tx, string) error // what the transaction does
		keep      int
		match     driver.Match
		want      string // the version that is saved, or what else happens
		left      string // what is left, the newest first: versions with their states
	}{
		{"another save", 3, other("other", "40", 3), 3, driver.Match{}, "5", "5=9 4=40 3=3"},
		{"another save into a history that is not full", 2, other("other", "40", 9), 9, driver.Match{}, "4", "4=9 3=40 2=2 1=1"},
		{"the same save, which is the latest", 3, other("mine", "9", 3), 3, driver.Match{}, "4", "4=9 3=3 2=2"},
		{"the same save, which is an old one", 3, all(other("mine", "9", 3), other("other", "40", 3)), 3, driver.Match{}, "4", "5=40 4=9 3=3"},
		{"many saves", 3, all(other("a", "40", 3), other("b", "50", 3), other("c", "60", 3), other("d", "70", 3)), 3, driver.Match{}, "8", "8=9 7=70 6=60"},
		{"a rewritten payload", 3, statement(`UPDATE agent_checkpoints SET state = '33' WHERE thread_id = $1`), 3, driver.Match{}, "4", "4=9 3=33 2=2"},
		{"a rewritten payload of the version that goes", 3, statement(`UPDATE agent_checkpoints_history SET state = '11' WHERE thread_id = $1 AND version = 1`), 3, driver.Match{}, "4", "4=9 3=3 2=2"},
		{"a deletion", 3, statement(`DELETE FROM agent_checkpoints WHERE thread_id = $1`), 3, driver.Match{}, "1", "1=9"},
		{"the first save", 0, other("other", "10", 3), 3, driver.Match{}, "2", "2=9 1=10"},
		{"a shorter history", 3, other("other", "40", 1), 3, driver.Match{}, "5", "5=9 4=40"},
		{"another save, and a condition", 3, other("other", "40", 3), 3, driver.Match{ID: "id-3"}, "conflict with 4", "4=40 3=3 2=2"},
		{"another save, and a condition that it makes true", 3, other("other", "40", 3), 3, driver.Match{ID: "other"}, "5", "5=9 4=40 3=3"},
		{"another save, and existence", 3, other("other", "40", 3), 3, driver.Match{Exists: true}, "5", "5=9 4=40 3=3"},
		{"a deletion, and a condition", 3, statement(`DELETE FROM agent_checkpoints WHERE thread_id = $1`), 3, driver.Match{Version: 3}, "conflict with 0", ""},
		{"another save, and a condition without a history", 1, other("other", "20", 1), 1, driver.Match{ID: "id-1"}, "conflict with 2", "2=20"},
		{"the same save, and a condition without a history", 1, other("mine", "9", 1), 1, driver.Match{ID: "id-1"}, "2", "2=9"},
		{"a history, and a condition without one", 1, other("other", "20", 3), 1, driver.Match{Version: 2}, "3", "3=9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			thread := fmt.Sprint("thread-", i)
			for n := 1; n <= tt.saved; n++ {
				req := save(thread, fmt.Sprint(n))
				req.ID, req.Keep = fmt.Sprint("id-", n), tt.keep
				mustSave(t, b, req)
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if err := tt.meanwhile(tx, thread); err != nil {
				t.Fatal(err)
			}
			b.contended.Store(0) // the case before may have met a conflict
			req := save(thread, "9")
			req.ID, req.Keep, req.Match = "mine", tt.keep, tt.match
			if name, _ := (operation{backend: b}).direct(driver.PatchRequest{SaveRequest: req}); name == "" {
				t.Fatal("this is not a direct save")
			}
			got := make(chan string, 1)
			go func() {
				info, err := b.Save(context.WithoutCancel(t.Context()), req)
				var conflict *driver.ConflictError
				switch {
				case errors.As(err, &conflict):
					got <- fmt.Sprint("conflict with ", conflict.Current.Version)
				case err != nil:
					got <- err.Error()
				default:
					got <- fmt.Sprint(info.Version)
				}
			}()
			await(t, func() bool { return waiting(t, db) == 1 })
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if got := <-got; got != tt.want {
				t.Errorf("Save: %s, want %s", got, tt.want)
			}
			left := selectText(t, db, `SELECT coalesce(string_agg(version || '=' || state, ' ' ORDER BY version DESC), '') FROM (
				SELECT version, state FROM agent_checkpoints WHERE thread_id = '`+thread+`'
				UNION ALL SELECT version, state FROM agent_checkpoints_history WHERE thread_id = '`+thread+`') v`)
			if left != tt.left {
				t.Errorf("there is %q, want %q", left, tt.left)
			}
		})
	}
}

// TestContendedSaves: after a direct save that was in vain the function decides at once
// for a while, and then one is tried again.
func TestContendedSaves(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	b := openReady(t, words(dsn, "max_connections=1", "prepare=true"))
	mustSave(t, b, save("thread", `1`))
	requests := func(match driver.Match) int64 {
		t.Helper()
		before := proxy.Counts()
		req := save("thread", `2`)
		req.Match = match
		var conflict *driver.ConflictError
		if _, err := b.Save(t.Context(), req); err != nil && !errors.As(err, &conflict) {
			t.Fatal(err)
		}
		return proxy.Counts().Sub(before).Requests
	}
	for range 2 { // prepares
		requests(driver.Match{Exists: true})
		requests(driver.Match{ID: "none"})
		b.contended.Store(0)
	}
	if n := requests(driver.Match{ID: "none"}); n != 2 {
		t.Errorf("a conflict took %d requests, want 2", n)
	}
	if n := requests(driver.Match{ID: "none"}); n != 1 {
		t.Errorf("a conflict after another took %d requests, want 1", n)
	}
	for range contendedSaves {
		requests(driver.Match{Exists: true})
	}
	if n := requests(driver.Match{ID: "none"}); n != 2 {
		t.Errorf("a conflict after %d saves without one took %d requests, want 2", contendedSaves, n)
	}
}

// TestDirectImports: an import of a thread that is not there takes its statement alone.
// After one that was in vain the function decides at once.
func TestDirectImports(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	b := openReady(t, words(dsn, "max_connections=1", "prepare=true"))
	info := mustSave(t, b, save("prepares", `1`))
	requests := func(thread string, version int64) int64 {
		t.Helper()
		c := driver.Checkpoint{Info: info, Payload: []byte(`1`)}
		c.Thread, c.Version, c.ID = thread, version, fmt.Sprint(thread, version)
		before := proxy.Counts()
		if err := b.Import(t.Context(), driver.ImportRequest{Checkpoint: c, Now: c.SavedAt, Keep: 1}); err != nil {
			t.Fatal(err)
		}
		return proxy.Counts().Sub(before).Requests
	}
	for v := range int64(3) { // prepares both statements
		b.contended.Store(0)
		requests("prepares", v+2)
	}
	b.contended.Store(0)
	for _, want := range []struct{ version, requests int64 }{{5, 1}, {7, 2}, {8, 1}} {
		if n := requests("thread", want.version); n != want.requests {
			t.Errorf("the import of version %d took %d requests, want %d", want.version, n, want.requests)
		}
		got, err := b.Load(t.Context(), driver.LoadRequest{Key: driver.Key{Namespace: info.Namespace, Thread: "thread"}, Now: info.SavedAt})
		if err != nil || got.Version != want.version || !got.CreatedAt.Equal(info.CreatedAt) || !got.SavedAt.Equal(info.SavedAt) {
			t.Errorf("Load after the import of version %d = %+v, %v", want.version, got.Info, err)
		}
	}
}

// directly runs the statement for a direct save, and nothing after it.
func directly(t *testing.T, b *backend, req driver.SaveRequest) (r saveResult) {
	t.Helper()
	o, err := b.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name, more := o.direct(driver.PatchRequest{SaveRequest: req})
	if name == "" {
		t.Fatal("this is not a direct save")
	}
	args := append([]any{req.Namespace, req.Thread, req.ID, "1", nil, 1, "json", nil, req.Now, nil}, more...)
	if err := o.run(t.Context(), statement{name: name, rows: r.readDirect, args: args}); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDirectSaves: direct saves save from the first version on and with a history that
// is full.
func TestDirectSaves(t *testing.T) {
	t.Parallel()
	b := openReady(t, words(testserver.Postgres(t), "max_connections=1"))
	for i, tt := range []struct {
		keep  int
		match driver.Match
	}{{1, driver.Match{Exists: true}}, {3, driver.Match{}}, {3, driver.Match{Exists: true}}, {driver.KeepAll, driver.Match{}}} {
		thread := fmt.Sprint("thread-", i)
		for n := range int64(6) {
			req := save(thread, `1`)
			if req.Keep = tt.keep; n > 0 {
				req.Match = tt.match
			}
			if r := directly(t, b, req); r.outcome != "saved" || r.info.Version != n+1 {
				t.Errorf("keep %d, match %+v: outcome %q, version %d, want version %d", tt.keep, tt.match, r.outcome, r.info.Version, n+1)
			}
		}
		if got := len(history(t, b, thread)); got != min(tt.keep, 6) {
			t.Errorf("keep %d: %d versions, want %d", tt.keep, got, min(tt.keep, 6))
		}
	}
}

// TestNoDirectSave: a direct save does nothing where the function has more to do, or to
// decide.
func TestNoDirectSave(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	b := openReady(t, words(dsn, "max_connections=1"))
	for i, tt := range []struct {
		name string
		was  int    // the versions that were kept, with the ids id-1, id-2 and so on
		then string // what was done to the thread
		keep int
		id   string
	}{
		{"the id is the latest one", 3, ``, 3, "id-4"},
		{"the id is an old one", 3, ``, 3, "id-3"},
		{"two versions go", 3, ``, 2, "new"},
		{"the history goes", 3, ``, 1, "new"},
		{"it has expired", 3, `UPDATE agent_checkpoints SET expires_at = '2001-01-01' WHERE thread_id = $1`, 3, "new"},
		{"it has expired and has no history", 1, `UPDATE agent_checkpoints SET expires_at = '2001-01-01' WHERE thread_id = $1`, 1, "new"},
		{"the versions are at an end", 3, `UPDATE agent_checkpoints SET version = 9007199254740992, oldest = 9007199254740990 WHERE thread_id = $1`, 3, "new"},
		{"another program wrote it", 3, `UPDATE agent_checkpoints SET id = NULL WHERE thread_id = $1`, 3, "new"},
		{"it is in a chain", 3, `UPDATE agent_checkpoints SET state = '0', payload = '' WHERE thread_id = $1`, 3, "new"},
		{"it is in a chain, without a history", 1, `UPDATE agent_checkpoints SET state = '0', payload = '' WHERE thread_id = $1`, 1, "new"},
		{"it has a chain", 3, `INSERT INTO agent_checkpoints_chains VALUES ('agents', $1, 2, 'id-2', 0, 'json', 'digest', '1')`, 3, "new"},
	} {
		thread := fmt.Sprint("thread-", i)
		for n := range 4 {
			req := save(thread, `1`)
			req.ID, req.Keep = fmt.Sprint("id-", n+1), tt.was
			mustSave(t, b, req)
		}
		if tt.then != "" {
			if _, err := db.Exec(tt.then, thread); err != nil {
				t.Fatal(err)
			}
		}
		for _, match := range []driver.Match{{}, {Exists: true}} {
			req := save(thread, `2`)
			req.ID, req.Keep, req.Match = tt.id, tt.keep, match
			if tt.keep == 1 && match == (driver.Match{}) {
				continue // the plain save
			}
			before := selectText(t, db, `SELECT string_agg(t::text, ';') FROM agent_checkpoints t`)
			if r := directly(t, b, req); r.outcome != "" || selectText(t, db, `SELECT string_agg(t::text, ';') FROM agent_checkpoints t`) != before {
				t.Errorf("%s, match %+v: outcome %q, want none and nothing done", tt.name, match, r.outcome)
			}
		}
	}
}
