package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// lockRow holds a thread's row until the function it returns is called.
func lockRow(t testing.TB, begin func(context.Context, *sql.TxOptions) (*sql.Tx, error), thread string) (release func()) {
	t.Helper()
	tx, err := begin(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SELECT 1 FROM agent_checkpoints WHERE thread_id = $1 FOR UPDATE", thread); err != nil {
		t.Fatal(err)
	}
	return func() { tx.Rollback() }
}

// waiting is how many of the driver's statements wait for a lock.
func waiting(t testing.TB, db *sql.DB) int {
	t.Helper()
	n := 0
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'checkpoint' AND wait_event_type = 'Lock'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManySavers has 16 connections save one thread, in every isolation level
// a database can have as its default: versions and history have no gaps and no
// save is lost.
func TestManySavers(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"read committed", "repeatable read", "serializable"} {
		for _, keep := range []int{1, 5, driver.KeepAll} {
			t.Run(fmt.Sprintf("%s, history %d", isolation, keep), func(t *testing.T) {
				t.Parallel()
				dsn := testserver.Postgres(t)
				name := selectText(t, plain(t, dsn), "SELECT current_database()")
				mustExec(t, plain(t, dsn), "ALTER DATABASE "+name+" SET default_transaction_isolation = '"+isolation+"'")
				b := openReady(t, words(dsn, "max_connections=16"))
				const savers, each = 16, 12
				ids := make(map[int64]string)
				var mu sync.Mutex
				var running sync.WaitGroup
				for range savers {
					running.Go(func() {
						for range each {
							req := save("thread", `{"n": 1}`)
							req.Keep = keep
							info, err := b.Save(t.Context(), req)
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							if other, taken := ids[info.Version]; taken {
								t.Errorf("version %d was given to %s and to %s", info.Version, other, info.ID)
							}
							ids[info.Version] = req.ID
							mu.Unlock()
						}
					})
				}
				running.Wait()
				versions := history(t, b, "thread")
				if want := min(keep, savers*each); len(versions) != want {
					t.Errorf("%d versions are kept, want %d", len(versions), want)
				}
				for i, info := range versions {
					if want := int64(savers*each - i); info.Version != want || info.ID != ids[want] {
						t.Errorf("place %d of the history is version %d with id %s, want version %d with id %s", i, info.Version, info.ID, want, ids[want])
					}
				}
			})
		}
	}
}

// TestSameIDAtOnce: savers with one id, beside others, are one save, also where
// it has become an old version while they waited.
func TestSameIDAtOnce(t *testing.T) {
	t.Parallel()
	b := openReady(t, words(testserver.Postgres(t), "max_connections=16"))
	for round := range 20 {
		thread := fmt.Sprint("thread-", round)
		repeated := save(thread, `{"repeated": true}`)
		repeated.Keep = 100
		got := make([]driver.Info, 8)
		var running sync.WaitGroup
		for i := range got {
			running.Go(func() {
				info, err := b.Save(t.Context(), repeated)
				if err != nil {
					t.Error(err)
				}
				got[i] = info
				other := save(thread, `{}`)
				other.Keep = 100
				if _, err := b.Save(t.Context(), other); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		for _, info := range got {
			if info.Version != got[0].Version {
				t.Fatalf("one id is version %d and %d", got[0].Version, info.Version)
			}
		}
		if n := len(history(t, b, thread)); n != 1+len(got) {
			t.Errorf("%d versions, want %d", n, 1+len(got))
		}
	}
}

// TestSaveDeleteAndHistory: what a deleted thread has left never shows in the
// history of the next one.
func TestSaveDeleteAndHistory(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	b := openReady(t, words(dsn, "max_connections=12"))
	var running sync.WaitGroup
	for i := range 12 {
		running.Go(func() {
			for n := range 60 {
				if i < 3 && n%6 == 0 {
					if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("thread")}); err != nil {
						t.Error(err)
					}
				}
				req := save("thread", `{}`)
				req.Keep = 4
				if i == 11 { // expires at once, so that the next save begins anew
					req.ExpiresAt = req.Now.Add(time.Microsecond)
				}
				info, err := b.Save(t.Context(), req)
				if err != nil {
					t.Error(err)
					continue
				}
				last := int64(0)
				for old := range b.History(t.Context(), driver.HistoryRequest{Key: req.Key, Now: req.Now}) {
					if last > 0 && old.Version != last-1 {
						t.Errorf("version %d follows %d", old.Version, last)
					}
					last = old.Version
				}
				_ = info
			}
		})
	}
	running.Wait()
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("thread")}); err != nil {
		t.Fatal(err)
	}
	if got := selectText(t, plain(t, dsn), "SELECT count(*) FROM agent_checkpoints_history"); got != "0" {
		t.Errorf("%s old versions are left of a deleted thread", got)
	}
}

func TestUpdateLosesNoIncrement(t *testing.T) {
	t.Parallel()
	store := checkpoint.New(openReady(t, testserver.Postgres(t)), checkpoint.WithHistory(3))
	const writers, each = 8, 25
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range each {
				if _, err := checkpoint.Update(t.Context(), store, "counter", func(n *int) error { *n++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if n, info, err := checkpoint.Get[int](t.Context(), store, "counter"); err != nil || n != writers*each || info.Version != writers*each {
		t.Errorf("counted %d, version %d, %v, want %d", n, info.Version, err, writers*each)
	}
}

// TestRepeatedByTheDriver: a save that the server has rolled back, as it does with
// the victim of a deadlock, is repeated and applied once. A trigger reports what
// the server would, so that no statement has to wait for another.
func TestRepeatedByTheDriver(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"40001", "40P01"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			db := plain(t, dsn)
			b := openReady(t, dsn)
			mustSave(t, b, save("thread", `1`))
			mustExec(t, db, `CREATE SEQUENCE attempts`,
				`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
					IF nextval('attempts') <= 3 THEN RAISE EXCEPTION USING ERRCODE = '`+state+`', MESSAGE = 'rolled back'; END IF;
					RETURN NEW;
				END$$`,
				`CREATE TRIGGER fail AFTER UPDATE ON agent_checkpoints FOR EACH ROW EXECUTE FUNCTION fail()`)
			for version, keep := range []int{2: 1, 3: 5} {
				if version < 2 {
					continue
				}
				mustExec(t, db, `ALTER SEQUENCE attempts RESTART`)
				req := save("thread", `2`)
				req.Keep = keep
				if info := mustSave(t, b, req); info.Version != int64(version) {
					t.Errorf("version %d, want %d", info.Version, version)
				}
				if got := selectText(t, db, `SELECT last_value FROM attempts`); got != "4" {
					t.Errorf("the save was tried %s times, want 4", got)
				}
			}
		})
	}
}

// TestPoolExhausted: an operation waits for a free connection as long as its
// context allows.
func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	b := openReady(t, words(dsn, "max_connections=2"))
	mustSave(t, b, save("thread", `1`))
	release := lockRow(t, db.BeginTx, "thread")
	saved := make(chan error, 2)
	for range 2 {
		go func() { _, err := b.Save(t.Context(), save("thread", `2`)); saved <- err }()
	}
	await(t, func() bool { return waiting(t, db) == 2 })

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := load(ctx, b, "thread"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load with a deadline: got %v, want context.DeadlineExceeded", err)
	}
	release()
	for range 2 {
		if err := <-saved; err != nil && !errors.Is(err, driver.ErrUnavailable) { // it may have waited for 8 s
			t.Errorf("Save: %v", err)
		}
	}
	if _, err := load(t.Context(), b, "thread"); err != nil {
		t.Errorf("Load when connections are free: %v", err)
	}

	// Places that are never left are a database that does not answer.
	for range 2 {
		if !b.pool.queue.TryEnter() {
			t.Fatal("a place is taken for which no operation is under way")
		}
	}
	_, err := load(t.Context(), b, "thread")
	const want = "database unavailable: all 2 connections of the pool are in use, and no operation before this one has been answered (max_connections)"
	if !errors.Is(err, driver.ErrUnavailable) || fmt.Sprint(err) != want {
		t.Errorf("Load behind places that are never left: got %v, want %s", err, want)
	}
	waiting := make(chan error, 1)
	go func() { _, err := load(t.Context(), b, "thread"); waiting <- err }()
	b.Close()
	if err := <-waiting; !errors.Is(err, driver.ErrClosed) {
		t.Errorf("Load that waits for a connection while the handle is closed: got %v, want ErrClosed", err)
	}
}

// TestOverload: many more saves at once than there are connections wait for their
// turn, and none is refused.
func TestOverload(t *testing.T) {
	t.Parallel()
	b := openReady(t, words(testserver.Postgres(t), "max_connections=3"))
	const saves = 2000
	var running sync.WaitGroup
	for i := range saves {
		running.Go(func() {
			if _, err := b.Save(t.Context(), save(fmt.Sprint("thread-", i%10), `1`)); err != nil {
				t.Errorf("Save: %v", err)
			}
		})
	}
	running.Wait()
	var sum int64
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Now: time.Now()}) {
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Version
	}
	if sum != saves {
		t.Errorf("%d saves are there, want %d", sum, saves)
	}
}

// TestFewerConnectionsThanAsked: a server, or a role, that allows fewer connections
// than max_connections and min_connections costs waiting and no operation.
func TestFewerConnectionsThanAsked(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	for _, limit := range []int{1, 3} {
		role := fmt.Sprint("few_", limit, "_", selectText(t, db, "SELECT current_database()"))
		mustExec(t, db, fmt.Sprintf(`CREATE ROLE %q LOGIN PASSWORD 'x' CONNECTION LIMIT %d`, role, limit), fmt.Sprintf(`GRANT CREATE ON SCHEMA public TO %q`, role))
		t.Cleanup(func() { plain(t, dsn).Exec(fmt.Sprintf(`DROP OWNED BY %q; DROP ROLE %q`, role, role)) })
		b := openReady(t, words(as(t, dsn, role, "x"), "max_connections=10", "min_connections=5", fmt.Sprint("table_name=few_", limit)))
		var running sync.WaitGroup
		for i := range 400 {
			running.Go(func() {
				if _, err := b.Save(t.Context(), save(fmt.Sprint("thread-", i), `1`)); err != nil {
					t.Errorf("limit %d: Save: %v", limit, err)
				}
			})
		}
		running.Wait()
		if err := b.Ping(t.Context()); err != nil {
			t.Errorf("limit %d: Ping: %v", limit, err)
		}
		b.Close()
	}
}

// TestPurgeBesideSavers: purging neither blocks nor is blocked, and removes
// exactly what has expired.
func TestPurgeBesideSavers(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	b := openReady(t, words(dsn, "max_connections=12"))
	now := time.Now().UTC().Truncate(time.Microsecond)
	const expired = 3000
	mustExec(t, db, fmt.Sprintf(`INSERT INTO agent_checkpoints (thread_id, state, id, size, expires_at)
		SELECT 'old-' || g, '{}', 'id', 2, timestamptz '2001-01-01' FROM generate_series(1, %d) g`, expired))
	mustSave(t, b, save("held", `1`))
	mustExec(t, db, `UPDATE agent_checkpoints SET expires_at = '2001-01-01' WHERE thread_id = 'held'`)
	release := lockRow(t, db.BeginTx, "held") // a saver in the middle of its work
	defer release()

	var purged, revived int64
	var running sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		running.Go(func() {
			n, err := b.Purge(t.Context(), "agents", now)
			mu.Lock()
			defer mu.Unlock()
			if purged += n; err != nil {
				t.Errorf("Purge: %v", err)
			}
		})
	}
	for i := range 4 {
		running.Go(func() {
			for n := range 100 {
				req := save(fmt.Sprint("old-", i*700+n*7+1), `{}`)
				info, err := b.Save(t.Context(), req)
				if err != nil || info.Version != 1 {
					t.Errorf("Save: %v, %v, want version 1", info, err)
				}
				mu.Lock()
				revived++
				mu.Unlock()
			}
		})
	}
	running.Wait()
	left, err := drain(b.List(t.Context(), driver.ListRequest{Namespace: "agents", Prefix: "old-", Now: now}))
	if err != nil || int64(len(left)) != revived {
		t.Errorf("%d threads are left, %v, want the %d that were saved again", len(left), err, revived)
	}
	if got := selectText(t, db, "SELECT count(*) FROM agent_checkpoints WHERE expires_at IS NOT NULL AND thread_id <> 'held'"); got != "0" {
		t.Errorf("%s expired rows are left", got)
	}
	if purged > expired || purged < expired-revived {
		t.Errorf("%d purged of %d, of which at most %d were saved again", purged, expired, revived)
	}
}
