package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// locked takes the lock for writing, as another process would.
func locked(t testing.TB, file string) (unlock func()) {
	t.Helper()
	db := given(t, "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(5000)", 1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// saveAll starts a save of each request, and returns a function that waits for
// all of them.
func saveAll(ctx context.Context, b driver.Backend, reqs ...driver.SaveRequest) func() ([]driver.Info, []error) {
	infos, errs := make([]driver.Info, len(reqs)), make([]error, len(reqs))
	var wg sync.WaitGroup
	for i, req := range reqs {
		wg.Go(func() { infos[i], errs[i] = b.Save(ctx, req) })
	}
	return func() ([]driver.Info, []error) {
		wg.Wait()
		return infos, errs
	}
}

// TestGroupCommit has 64 savers wait for a lock and counts the transactions
// that they share once they get it.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b, counts := counted(t, file)
	unlock := locked(t, file)
	const savers = 64
	reqs := make([]driver.SaveRequest, savers)
	for i := range reqs {
		reqs[i] = request(fmt.Sprint("thread-", i%8), "{}")
	}
	counts.reset()
	wait := saveAll(t.Context(), b, reqs...)
	waitUntil(t, func() bool { return counts.started() >= 1 })
	unlock()
	_, errs := wait()
	for _, err := range errs {
		if err != nil {
			t.Errorf("Save: %v", err)
		}
	}
	counts.mu.Lock()
	commits := counts.commits
	counts.mu.Unlock()
	if commits > savers/2 {
		t.Errorf("%d saves took %d transactions, want less than half as many", savers, commits)
	}
	for i := range 8 {
		info, _, err := latest(t.Context(), b, fmt.Sprint("thread-", i))
		if err != nil || info.Version != savers/8 {
			t.Errorf("thread %d is at version %d, %v; want %d", i, info.Version, err, savers/8)
		}
	}
}

// started is the number of transactions that were begun or that failed to.
func (c *counts) started() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begins
}

// waitUntil waits for something that another goroutine brings about.
func waitUntil(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// occupy starts a save that waits for a lock in a batch of its own, so that all
// that come after it wait in the queue.
func occupy(t testing.TB, ctx context.Context, b driver.Backend, req driver.SaveRequest) func() ([]driver.Info, []error) {
	t.Helper()
	waitUntil(t, func() bool { _, committing := sqlite.Queued(b); return !committing })
	wait := saveAll(ctx, b, req)
	waitUntil(t, func() bool { n, committing := sqlite.Queued(b); return committing && n == 0 })
	return wait
}

// queue starts saves that wait behind a batch that does not come to its end, and
// returns when all of them are in the queue.
func queue(t testing.TB, ctx context.Context, b driver.Backend, reqs ...driver.SaveRequest) func() ([]driver.Info, []error) {
	t.Helper()
	before, _ := sqlite.Queued(b)
	wait := saveAll(ctx, b, reqs...)
	waitUntil(t, func() bool { n, _ := sqlite.Queued(b); return n == before+len(reqs) })
	return wait
}

// TestFailingMember has the database refuse one of several saves that are
// committed together.
func TestFailingMember(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	if _, err := db.Exec(`CREATE TRIGGER refuse BEFORE INSERT ON agent_checkpoints WHEN NEW.thread_id = 'bad' BEGIN SELECT raise(ABORT, 'refused'); END`); err != nil {
		t.Fatal(err)
	}
	unlock := locked(t, file)
	var reqs []driver.SaveRequest
	for i := range 16 {
		reqs = append(reqs, request(fmt.Sprint("thread-", i), "{}"))
	}
	reqs[11] = request("bad", "{}")
	first := occupy(t, t.Context(), b, request("first", "{}"))
	wait := queue(t, t.Context(), b, reqs...) // for one transaction
	unlock()
	first()
	infos, errs := wait()
	for i, err := range errs {
		if i == 11 {
			if want := "database unavailable: " + file + " (constraint failed: refused (1811))"; fmt.Sprint(err) != want || !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("the save that was refused: %v, want %s", err, want)
			}
		} else if err != nil || infos[i].Version != 1 {
			t.Errorf("save %d: version %d, %v; want version 1", i, infos[i].Version, err)
		}
	}
	if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key("bad"), Now: now}); err != driver.ErrNotFound {
		t.Errorf("Load of what was refused: %v, want %v", err, driver.ErrNotFound)
	}
}

// TestLostCommit has the commit of several saves of one thread made and reported as
// failed: nobody knows then which of them were dropped by those after them, and none is
// applied again.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b, counts := counted(t, file)
	counts.reset()
	counts.mu.Lock()
	counts.lost = 2
	counts.mu.Unlock()
	unlock := locked(t, file)
	first := occupy(t, t.Context(), b, request("first", "{}"))
	reqs := make([]driver.SaveRequest, 4)
	for i := range reqs {
		reqs[i] = request("thread", "{}")
	}
	wait := queue(t, t.Context(), b, reqs...) // for one transaction
	unlock()
	first()
	_, errs := wait()
	for i, err := range errs {
		if !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("save %d: %v, want ErrUnavailable", i, err)
		}
	}
	if info, _, err := latest(t.Context(), b, "thread"); err != nil || info.Version != 4 {
		t.Errorf("after 4 saves the thread is at version %d, %v", info.Version, err)
	}
}

// TestLocked lets another process hold the lock for longer than anybody waits.
func TestLocked(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file+"?busy_timeout=50ms")
	save(t, b, request("t", "1"))
	unlock := locked(t, file)

	req := request("t", "2")
	info, err := b.Save(t.Context(), req)
	want := "database unavailable: another process has held the lock on " + file + " for 50ms (database is locked (5) (SQLITE_BUSY))"
	if fmt.Sprint(err) != want || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Save: %v, want %s", err, want)
	}
	if info.Key != req.Key || info.ID != req.ID {
		t.Errorf("Save returned %v, want its key and id", info)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("t")}); fmt.Sprint(err) != want {
		t.Errorf("Delete: %v, want %s", err, want)
	}
	if n, err := b.(driver.Purger).Purge(t.Context(), "agents", now); n != 0 || fmt.Sprint(err) != want {
		t.Errorf("Purge: %d, %v; want %s", n, err, want)
	}
	if got := load(t, b, "t"); got != "1" { // readers wait for nobody
		t.Errorf("loaded %s, want 1", got)
	}
	another := open(t, file)
	if err := another.Ping(t.Context()); err != nil {
		t.Errorf("Ping of another handle: %v", err)
	}
	unlock()
	save(t, b, req)
	if got := load(t, b, "t"); got != "2" {
		t.Errorf("loaded %s, want 2", got)
	}
}

// TestContextEndsInQueue gives up some of the saves that wait for a lock. They
// return at once and are not applied; the others are not disturbed.
func TestContextEndsInQueue(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"own pools", "given pool"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "agents.db")
			b := open(t, file)
			if kind == "given pool" { // SQLite itself waits for the lock, for longer than any test
				b = newGiven(t, given(t, "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(3600000)&_pragma=journal_mode(wal)", 2))
			}
			contextEndsInQueue(t, b, file)
		})
	}
}

func contextEndsInQueue(t *testing.T, b driver.Backend, file string) {
	save(t, b, request("t", "{}"))
	unlock := locked(t, file)
	ended, cancelEnded := context.WithCancel(t.Context())
	first := occupy(t, ended, b, request("first", "1"))
	cancelEnded()
	if _, errs := first(); !errors.Is(errs[0], context.Canceled) {
		t.Errorf("Save: %v, want %v", errs[0], context.Canceled)
	}
	patient := saveAll(t.Context(), b, request("a", "1"), request("b", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	impatient := saveAll(ctx, b, request("c", "1"), request("d", "1"))
	short, cancelShort := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancelShort()
	late := saveAll(short, b, request("e", "1"))
	cancel()
	for i, wait := range []func() ([]driver.Info, []error){impatient, late} {
		infos, errs := wait() // while the lock is held
		for j, err := range errs {
			if want := []error{context.Canceled, context.DeadlineExceeded}[i]; !errors.Is(err, want) {
				t.Errorf("Save: %v, want %v", err, want)
			}
			if infos[j].ID == "" || infos[j].Thread == "" {
				t.Errorf("Save returned %v, want its key and id", infos[j])
			}
		}
	}
	unlock()
	if _, errs := patient(); errs[0] != nil || errs[1] != nil {
		t.Errorf("the others: %v, want no errors", errs)
	}
	for _, thread := range []string{"first", "c", "d", "e"} {
		if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key(thread), Now: now}); err != driver.ErrNotFound {
			t.Errorf("Load of %s, which was given up: %v, want %v", thread, err, driver.ErrNotFound)
		}
	}
}

// TestManyGiveUp has more saves given up than fit a batch, with one behind them
// that is not.
func TestManyGiveUp(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	save(t, b, request("t", "{}"))
	unlock := locked(t, file)
	first := occupy(t, t.Context(), b, request("first", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	given := queue(t, ctx, b, make([]driver.SaveRequest, 600)...)
	patient := queue(t, t.Context(), b, request("patient", "1"))
	cancel()
	given()
	unlock()
	for _, wait := range []func() ([]driver.Info, []error){first, patient} {
		if _, errs := wait(); errs[0] != nil {
			t.Errorf("Save: %v", errs[0])
		}
	}
}

// TestExclusive has another process keep everybody out, readers too.
func TestExclusive(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	save(t, b, request("t", "1"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	db := given(t, "file:"+file+"?_pragma=locking_mode(exclusive)", 1)
	if _, err := db.Exec(`CREATE TABLE other (a)`); err != nil { // takes the lock for good
		t.Fatal(err)
	}
	b = open(t, file+"?busy_timeout=50ms")
	want := "database unavailable: another process has held the lock on " + file + " for 50ms (database is locked (5) (SQLITE_BUSY))"
	if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key("t"), Now: now}); fmt.Sprint(err) != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := open(t, file).Load(ctx, driver.LoadRequest{Key: key("t"), Now: now}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load with a deadline: %v, want %v", err, context.DeadlineExceeded)
	}
	db.Close()
	if got := load(t, b, "t"); got != "1" {
		t.Errorf("loaded %s, want 1", got)
	}
}

// TestCreatedTogether opens many handles on a file that is not there yet.
func TestCreatedTogether(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := t.TempDir()
		var handles []driver.Backend
		var wg sync.WaitGroup
		for i := range 16 {
			b := open(t, filepath.Join(dir, "agents.db"))
			handles = append(handles, b)
			wg.Go(func() {
				if _, err := b.Save(t.Context(), request(fmt.Sprint("thread-", i), "{}")); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
		}
		wg.Wait()
		for i := range handles {
			load(t, handles[0], fmt.Sprint("thread-", i))
		}
		for _, b := range handles {
			b.Close()
		}
		if got, want := files(t, dir), "agents.db -rw-------"; got != want {
			t.Errorf("the folder holds %s, want %s", got, want)
		}
	}
}

// TestPayloadAfterReturn writes over a payload as soon as a save was given up:
// what is stored is the payload as it was, or nothing.
func TestPayloadAfterReturn(t *testing.T) {
	t.Parallel()
	b := open(t, filepath.Join(t.TempDir(), "agents.db"))
	next, cancel := cancelled(t)
	defer cancel()
	payload := []byte(strings.Repeat("a", 200_000))
	for i := range 200 {
		for j := range payload {
			payload[j] = 'a'
		}
		req := request("t", "")
		req.Encoding, req.Payload = "bytes", payload
		ctx := next()
		if i%2 == 0 {
			ctx, cancel = context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
			defer cancel()
		}
		_, err := b.Save(ctx, req)
		for j := range payload {
			payload[j] = 'b'
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		c, err := b.Load(t.Context(), driver.LoadRequest{Key: key("t"), Now: now})
		if err == nil && strings.Contains(string(c.Payload), "b") {
			t.Fatal("a payload was read after Save had returned")
		}
	}
}

// TestCloseWhileWaiting closes a backend with saves waiting for a lock.
func TestCloseWhileWaiting(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	save(t, b, request("t", "{}"))
	unlock := locked(t, file)
	first := occupy(t, t.Context(), b, request("a", "1"))
	rest := queue(t, t.Context(), b, request("b", "1"), request("c", "1"))
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, wait := range []func() ([]driver.Info, []error){first, rest} {
		_, errs := wait() // while the lock is held
		for _, err := range errs {
			if !errors.Is(err, driver.ErrClosed) {
				t.Errorf("Save: %v, want %v", err, driver.ErrClosed)
			}
		}
	}
	unlock()
	if got := files(t, filepath.Dir(file)); strings.Contains(got, "-wal") {
		// The connection that held the lock is open until the end of the test.
		t.Logf("beside the file: %s", got)
	}
}

// TestCloseWhileWorking closes a backend amid all sorts of operations, which
// finish or return ErrClosed.
func TestCloseWhileWorking(t *testing.T) {
	t.Parallel()
	for range 10 {
		dir := t.TempDir()
		b := open(t, filepath.Join(dir, "agents.db"))
		save(t, b, request("t", "{}"))
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				for ; ; done.Add(1) {
					var err error
					switch i % 4 {
					case 0:
						_, err = b.Save(t.Context(), request(fmt.Sprint("thread-", i), "{}"))
					case 1:
						_, err = b.Load(t.Context(), driver.LoadRequest{Key: key("t"), Now: now})
					case 2:
						for _, err = range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Now: now}) {
							if err != nil {
								break
							}
						}
					case 3:
						_, err = b.(driver.Purger).Purge(t.Context(), "agents", now)
					}
					if err != nil {
						if !errors.Is(err, driver.ErrClosed) {
							t.Errorf("while closing: %v, want %v", err, driver.ErrClosed)
						}
						return
					}
				}
			})
		}
		waitUntil(t, func() bool { return done.Load() >= 16 })
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
		// The last operation has let go of the files.
		waitUntil(t, func() bool { return files(t, dir) == "agents.db -rw-------" })
	}
}

// TestReaderInTheWay has a reader hold an old state of a database without WAL,
// where it keeps a writer from committing.
func TestReaderInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	db := given(t, "file:"+file, 2)
	b := newGiven(t, db)
	var log bytes.Buffer
	b.(driver.LoggerSetter).SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	save(t, b, request("t", "1"))
	if want := "not in WAL mode, so readers and writers wait for each other; open it with _pragma=journal_mode(wal)\" journal_mode=delete\n"; !strings.HasSuffix(log.String(), want) {
		t.Errorf("log: %q, want ...%q", &log, want)
	}
	reader, err := given(t, "file:"+file, 1).BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	var n int
	if err := reader.QueryRow(`SELECT count(*) FROM agent_checkpoints`).Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	wait := occupy(t, t.Context(), b, request("t", "2"))
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if infos, errs := wait(); errs[0] != nil || infos[0].Version != 2 {
		t.Errorf("Save = version %d, %v; want version 2", infos[0].Version, errs[0])
	}
}
