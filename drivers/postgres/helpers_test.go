package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	_ "github.com/lib/pq"
)

// childDSN names the environment variable that makes the test binary open a
// database, save once, and end: one of many processes.
const childDSN = "CHECKPOINT_POSTGRES_TEST_CHILD"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childDSN); dsn != "" {
		child(dsn)
	}
	testserver.Main(m)
}

func child(dsn string) {
	b, err := Driver{}.Open(dsn)
	if err == nil {
		defer b.Close()
		err = b.Ping(context.Background())
	}
	if err == nil {
		_, err = b.Save(context.Background(), save(fmt.Sprint("process ", os.Getpid()), `{"step": 1}`))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// open returns a handle on a database.
func open(t testing.TB, dsn string) *backend {
	t.Helper()
	b, err := Driver{}.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.(*backend)
}

// openReady returns a handle that has connected and made its tables.
func openReady(t testing.TB, dsn string) *backend {
	t.Helper()
	b := open(t, dsn)
	if err := b.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	return b
}

// words adds words to a DSN that has some.
func words(dsn string, more ...string) string {
	return dsn + "&" + strings.Join(more, "&")
}

// behind returns a proxy in front of a database and the DSN that goes through
// it.
func behind(t testing.TB, dsn string) (*faultproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := faultproxy.New(t, u.Host)
	u.Host = p.Addr()
	return p, u.String()
}

// as returns the DSN of another account on the same database.
func as(t testing.TB, dsn, user, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// plain opens a database with lib/pq alone.
func plain(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// selectText returns one value as text.
func selectText(t testing.TB, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&s); err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	return s.String
}

func key(thread string) driver.Key { return driver.Key{Namespace: "agents", Thread: thread} }

// save is a request for an unconditional save that keeps one version.
func save(thread, payload string) driver.SaveRequest {
	return driver.SaveRequest{
		Key: key(thread), ID: rand.Text(), Payload: []byte(payload), Encoding: "json",
		Now: time.Now().UTC().Truncate(time.Microsecond), Keep: 1,
	}
}

func mustSave(t testing.TB, b driver.Backend, req driver.SaveRequest) driver.Info {
	t.Helper()
	info, err := b.Save(t.Context(), req)
	if err != nil {
		t.Fatalf("Save(%q): %v", req.Thread, err)
	}
	return info
}

func load(ctx context.Context, b driver.Backend, thread string) (driver.Checkpoint, error) {
	return b.Load(ctx, driver.LoadRequest{Key: key(thread), Now: time.Now()})
}

// history returns the kept versions, newest first.
func history(t testing.TB, b driver.Backend, thread string) []driver.Info {
	t.Helper()
	var infos []driver.Info
	for info, err := range b.History(t.Context(), driver.HistoryRequest{Key: key(thread), Now: time.Now()}) {
		if err != nil {
			t.Fatalf("History(%q): %v", thread, err)
		}
		infos = append(infos, info)
	}
	return infos
}

// list drains an iterator and returns its error.
func drain[T any](seq func(func(T, error) bool)) (all []T, err error) {
	for item, e := range seq {
		if e != nil {
			return all, e
		}
		all = append(all, item)
	}
	return all, nil
}
