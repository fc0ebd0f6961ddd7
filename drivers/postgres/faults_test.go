package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// isSave recognises the request of a save, prepared or not, by the id in it.
func isSave(req driver.SaveRequest) func([]byte) bool {
	return func(request []byte) bool { return bytes.Contains(request, []byte(req.ID)) }
}

func TestLostReplyIsOneSave(t *testing.T) {
	t.Parallel()
	for _, keep := range []int{1, 3} {
		for _, mode := range []string{"prepare=true", "prepare=false"} {
			t.Run(fmt.Sprint(mode, ", history ", keep), func(t *testing.T) {
				t.Parallel()
				proxy, dsn := behind(t, testserver.Postgres(t))
				b := openReady(t, words(dsn, mode))
				for version := int64(1); version <= 4; version++ {
					req := save("thread", fmt.Sprint(version))
					req.Keep = keep
					proxy.DropReplyMatching(1, isSave(req))
					info := mustSave(t, b, req)
					if info.Version != version || info.ID != req.ID || !info.SavedAt.Equal(req.Now) || info.Size != 1 {
						t.Errorf("got %v, want version %d of the request", info, version)
					}
				}
				if got := history(t, b, "thread"); len(got) != min(keep, 4) || got[0].Version != 4 {
					t.Errorf("history %v, want %d versions from 4 down", got, keep)
				}
			})
		}
	}
}

// TestLostReplyIsNotRepeated: when it cannot be found out whether a save was
// applied, it is not applied again, and the caller is told.
func TestLostReplyIsNotRepeated(t *testing.T) {
	t.Parallel()
	direct := testserver.Postgres(t)
	proxy, dsn := behind(t, direct)
	b, other := openReady(t, words(dsn, "max_connections=1")), open(t, direct)
	for _, tt := range []struct {
		name   string
		hurt   func(req driver.SaveRequest)
		before int64 // version that is there when all is over
	}{
		{"after the commit", func(req driver.SaveRequest) {
			proxy.Refuse(true)
			proxy.DropReplyMatching(1, isSave(req))
		}, 1},
		{"before it arrived", func(req driver.SaveRequest) {
			proxy.Refuse(true)
			proxy.CutRequestMatching(1, isSave(req))
		}, 0},
	} {
		req := save(tt.name, `{"n": 1}`)
		tt.hurt(req)
		info, err := b.Save(t.Context(), req)
		if !errors.Is(err, driver.ErrUnavailable) || info.Key != req.Key || info.ID != req.ID {
			t.Errorf("%s: got %v, %v, want key, id and ErrUnavailable", tt.name, info, err)
		}
		proxy.Heal()
		proxy.Refuse(false)
		if got := mustSave(t, other, save(tt.name, `{"n": 2}`)); got.Version != tt.before+1 {
			t.Errorf("%s: another's save is version %d, want %d", tt.name, got.Version, tt.before+1)
		}
		if got := mustSave(t, b, save(tt.name, `{"n": 3}`)); got.Version != tt.before+2 {
			t.Errorf("%s: the next save is version %d, want %d", tt.name, got.Version, tt.before+2)
		}
	}
}

// operations are all that a backend does, for tests of what happens to each.
var operations = []struct {
	name string
	run  func(ctx context.Context, b *backend) error
}{
	{"Ping", func(ctx context.Context, b *backend) error { return b.Ping(ctx) }},
	{"Save", func(ctx context.Context, b *backend) error { _, err := b.Save(ctx, save("thread", `{}`)); return err }},
	{"Load", func(ctx context.Context, b *backend) error { _, err := load(ctx, b, "thread"); return err }},
	{"Delete", func(ctx context.Context, b *backend) error {
		return b.Delete(ctx, driver.DeleteRequest{Key: key("thread")})
	}},
	{"Delete under a condition", func(ctx context.Context, b *backend) error {
		return b.Delete(ctx, driver.DeleteRequest{Key: key("thread"), Match: driver.Match{Exists: true}, Now: time.Now()})
	}},
	{"DeletePrefix", func(ctx context.Context, b *backend) error {
		_, err := b.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "agents", Prefix: "prefix", Now: time.Now()})
		return err
	}},
	{"Find", func(ctx context.Context, b *backend) error {
		_, err := b.Find(ctx, driver.FindRequest{Key: key("thread"), ID: "x", Now: time.Now()})
		return err
	}},
	{"Versions", func(ctx context.Context, b *backend) error {
		_, err := drain(b.Versions(ctx, driver.VersionsRequest{Key: key("thread"), Now: time.Now()}))
		return err
	}},
	{"List", func(ctx context.Context, b *backend) error {
		_, err := drain(b.List(ctx, driver.ListRequest{Namespace: "agents", Now: time.Now()}))
		return err
	}},
	{"History", func(ctx context.Context, b *backend) error {
		_, err := drain(b.History(ctx, driver.HistoryRequest{Key: key("thread"), Now: time.Now()}))
		return err
	}},
	{"Namespaces", func(ctx context.Context, b *backend) error { _, err := drain(b.Namespaces(ctx)); return err }},
	{"Purge", func(ctx context.Context, b *backend) error { _, err := b.Purge(ctx, "agents", time.Now()); return err }},
	{"Import", func(ctx context.Context, b *backend) error {
		now := time.Now()
		c := driver.Checkpoint{Info: driver.Info{Key: key("thread"), ID: "x", Version: 9, Encoding: "json", CreatedAt: now, SavedAt: now}, Payload: []byte(`{}`)}
		return b.Import(ctx, driver.ImportRequest{Checkpoint: c, Now: time.Now(), Keep: 1})
	}},
	{"Rewrite", func(ctx context.Context, b *backend) error {
		return b.Rewrite(ctx, driver.RewriteRequest{Key: key("thread"), Version: 1, ID: "x", Payload: []byte(`{}`), Encoding: "json", Now: time.Now()})
	}},
}

// TestBlackHole: an operation returns soon after its context has ended, by
// deadline or by cancel, on a connection that is open and on one that has to be
// opened, with TLS and without.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	server := testserver.StartPostgres(t, testserver.PostgresOptions{TLS: true})
	openReady(t, server.URL)
	var running sync.WaitGroup
	defer running.Wait()
	for _, mode := range []string{"prepare=true", "prepare=false"} {
		for _, connected := range []bool{true, false} {
			for _, how := range []error{context.DeadlineExceeded, context.Canceled} {
				for _, op := range operations {
					name := fmt.Sprintf("%s, %s, connected %v, %v", op.name, mode, connected, how)
					proxy, dsn := behind(t, server.URL)
					b := open(t, words(dsn, mode, "max_connections=1"))
					if connected {
						if err := errors.Join(b.Ping(t.Context()), ignoreMissing(op.run(t.Context(), b))); err != nil {
							t.Fatal(err)
						}
					}
					proxy.BlackHole(true)
					running.Go(func() {
						const after = 100 * time.Millisecond
						ctx, cancel := context.WithTimeout(t.Context(), after)
						if how == context.Canceled {
							cancel()
							ctx, cancel = context.WithCancel(t.Context())
							time.AfterFunc(after, cancel)
						}
						defer cancel()
						began := time.Now()
						err := op.run(ctx, b)
						if took := time.Since(began) - after; took > time.Second {
							t.Errorf("%s: returned %v after the context's end, want at most a second", name, took)
						}
						if !errors.Is(err, how) {
							t.Errorf("%s: got %v, want %v", name, err, how)
						}
						proxy.Cut()
						proxy.Heal()
						if err := ignoreMissing(op.run(t.Context(), b)); err != nil {
							t.Errorf("%s: got %v when the network was back", name, err)
						}
					})
				}
			}
		}
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrConflict) {
		return nil
	}
	return err
}

// TestSilentServer: without a deadline of the caller's own, a server that does
// not answer is unavailable within 10 seconds.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	var running sync.WaitGroup
	defer running.Wait()
	for _, connected := range []bool{true, false} {
		for _, op := range operations {
			proxy, dsn := behind(t, dsn)
			b := open(t, dsn)
			if connected {
				if err := b.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			proxy.BlackHole(true)
			running.Go(func() {
				began := time.Now()
				err := op.run(t.Context(), b)
				if took := time.Since(began); took > 10*time.Second || !errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("%s, connected %v: got %v after %v, want ErrUnavailable within 10 s", op.name, connected, err, took)
				}
			})
		}
	}
}

// TestCancelReachesTheServer: a statement that waits for a lock does not go on
// waiting when its caller has gone.
func TestCancelReachesTheServer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"prepare=true", "prepare=false"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			db := plain(t, dsn)
			b := openReady(t, words(dsn, mode))
			mustSave(t, b, save("thread", `1`))
			release := lockRow(t, db.BeginTx, "thread")
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer cancel()
				await(t, func() bool { return waiting(t, db) == 1 })
			}()
			if _, err := b.Save(ctx, save("thread", `2`)); !errors.Is(err, context.Canceled) {
				t.Errorf("Save: got %v, want context.Canceled", err)
			}
			await(t, func() bool { return waiting(t, db) == 0 })
			release()
			if info := mustSave(t, b, save("thread", `3`)); info.Version != 2 {
				t.Errorf("version %d, want 2: the cancelled save was not applied", info.Version)
			}
		})
	}
}

// await polls until a condition holds. Its limit is for what never comes.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	for began := time.Now(); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatal("waited in vain for two minutes")
		}
	}
}

// TestKilledServer kills the server again and again while savers are at work.
// Every save that was acknowledged is there afterwards, and every thread is
// whole.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := testserver.StartPostgres(t, testserver.PostgresOptions{Fsync: true})
	b := openReady(t, server.URL)
	const savers, kills, keep = 8, 3, 5
	var acknowledged [savers]atomic.Int64 // the step that was saved last
	var refused atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range savers {
		running.Go(func() {
			thread := fmt.Sprint("thread-", i)
			for step := int64(1); ctx.Err() == nil; step++ {
				req := save(thread, fmt.Sprintf(`{"step": %d, "text": %q}`, step, strings.Repeat("x", 3000)))
				req.Keep = keep
				if _, err := b.Save(context.WithoutCancel(ctx), req); err == nil {
					acknowledged[i].Store(step)
				} else if errors.Is(err, driver.ErrUnavailable) {
					refused.Add(1)
					time.Sleep(10 * time.Millisecond)
				} else {
					t.Errorf("Save: got %v, want ErrUnavailable or nil", err)
				}
			}
		})
	}
	steps := func() (sum int64) {
		for i := range acknowledged {
			sum += acknowledged[i].Load()
		}
		return sum
	}
	for range kills {
		before := steps()
		await(t, func() bool { return steps() > before+200 })
		server.Kill()
		server.Restart()
	}
	before := steps()
	await(t, func() bool { return steps() > before+200 })
	stop()
	running.Wait()
	if refused.Load() == 0 {
		t.Error("no save met the dead server: the test has not tested anything")
	}
	for i := range acknowledged {
		thread := fmt.Sprint("thread-", i)
		c, err := load(t.Context(), b, thread)
		if err != nil {
			t.Fatal(err)
		}
		var step int64
		if _, err := fmt.Sscanf(string(c.Payload[bytes.Index(c.Payload, []byte(`"step"`)):]), `"step": %d`, &step); err != nil || step < acknowledged[i].Load() {
			t.Errorf("%s is at step %d, %v, and step %d was acknowledged", thread, step, err, acknowledged[i].Load())
		}
		versions := history(t, b, thread)
		for n, info := range versions {
			if info.Version != c.Version-int64(n) {
				t.Errorf("%s: version %d at place %d of the history of version %d", thread, info.Version, n, c.Version)
			}
		}
		if len(versions) != keep {
			t.Errorf("%s keeps %d versions, want %d", thread, len(versions), keep)
		}
	}
}

// TestRestartedServer: connections that a restart has ended are replaced before
// anything is sent over them, so that no save fails.
func TestRestartedServer(t *testing.T) {
	t.Parallel()
	server := testserver.StartPostgres(t, testserver.PostgresOptions{})
	for _, how := range []struct {
		name    string
		restart func()
	}{
		{"killed", func() { server.Kill(); server.Restart() }},
		{"stopped", server.Restart},
		{"sessions terminated", func() {
			mustExec(t, plain(t, server.URL), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'checkpoint'`)
			db := plain(t, server.URL)
			await(t, func() bool {
				return selectText(t, db, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'checkpoint'`) == "0"
			})
		}},
	} {
		b := openReady(t, words(server.URL, "max_connections=8", "min_connections=8"))
		how.restart()
		var savers sync.WaitGroup
		for i := range 8 {
			savers.Go(func() {
				if _, err := b.Save(t.Context(), save(fmt.Sprint(how.name, i), `1`)); err != nil {
					t.Errorf("%s: Save: %v", how.name, err)
				}
			})
		}
		savers.Wait()
		b.Close()
	}
}

// TestStandby: nothing is read from a standby, where a thread may be older than
// what was saved; when it is promoted, the handle works.
func TestStandby(t *testing.T) {
	t.Parallel()
	primary := testserver.StartPostgres(t, testserver.PostgresOptions{})
	b := openReady(t, primary.URL)
	mustSave(t, b, save("thread", `1`))
	standby := testserver.StartPostgresReplica(t, primary)
	testserver.AwaitPostgresReplica(t, primary, standby)

	second := open(t, standby.URL)
	for _, op := range operations {
		if err := op.run(t.Context(), second); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s on the standby: got %v, want ErrUnavailable", op.name, err)
		}
	}
	// Who asks for it may read from one; saving is still unavailable.
	reader := open(t, words(standby.URL, "target_session_attrs=any"))
	if _, err := load(t.Context(), reader, "thread"); err != nil {
		t.Errorf("Load with target_session_attrs=any: %v", err)
	}
	if _, err := reader.Save(t.Context(), save("thread", `2`)); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("Save with target_session_attrs=any: got %v, want ErrUnavailable: read-only", err)
	}

	both := open(t, strings.Replace(primary.URL, primary.Addr, primary.Addr+","+standby.Addr, 1))
	mustSave(t, both, save("thread", `2`))
	testserver.AwaitPostgresReplica(t, primary, standby)
	primary.Kill()
	if _, err := both.Save(t.Context(), save("thread", `3`)); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Save between primary and promotion: got %v, want ErrUnavailable", err)
	}
	testserver.PromotePostgres(t, standby)
	for name, b := range map[string]*backend{"one host": second, "two hosts": both, "reader": reader} {
		if _, err := b.Save(t.Context(), save("thread", `3`)); err != nil {
			t.Errorf("%s: Save after the promotion: %v", name, err)
		}
	}
}

// TestReadOnlySessions: sessions that were opened while the database was
// read-only are replaced.
func TestReadOnlySessions(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	openReady(t, dsn)
	name := selectText(t, db, "SELECT current_database()")
	mustExec(t, db, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	b := openReady(t, words(dsn, "min_connections=6"))
	if _, err := b.Save(t.Context(), save("thread", `1`)); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Save: got %v, want ErrUnavailable", err)
	}
	if _, err := load(t.Context(), b, "thread"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Load: got %v, want ErrNotFound", err)
	}
	if err := b.Ping(t.Context()); err != nil { // opens as many again
		t.Fatal(err)
	}
	mustExec(t, db, "SET default_transaction_read_only = off; ALTER DATABASE "+name+" RESET default_transaction_read_only")
	if _, err := b.Save(t.Context(), save("thread", `1`)); err != nil {
		t.Errorf("Save when the database can be written: %v", err)
	}
}
