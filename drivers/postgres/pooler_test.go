package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestPreparingBehindAPooler: where it is asked for, prepared statements behind a
// pooler in transaction mode give an error that says what to do.
func TestPreparingBehindAPooler(t *testing.T) {
	t.Parallel()
	bouncer := testserver.PgBouncer(t, testserver.Postgres(t), "default_pool_size = 1")
	a, b := open(t, words(bouncer.URL, "prepare=true")), open(t, words(bouncer.URL, "prepare=true"))
	var err error
	for range 10 {
		for _, b := range []*backend{a, b} {
			_, e := b.Save(t.Context(), save("thread", `1`))
			_, e2 := load(t.Context(), b, "thread")
			err = errors.Join(err, e, e2)
		}
	}
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "leave prepare=true out of the DSN") {
		t.Errorf("got %v, want ErrUnavailable that asks to leave prepare=true out", err)
	}
}

// TestProgramsBehindAPooler: two programs with tables of their own share the
// sessions of a pooler in transaction mode, without a word in their DSNs, and each
// finds in its table what it has saved.
func TestProgramsBehindAPooler(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, dsn, "default_pool_size = 2")
	programs := map[string]*backend{}
	for _, table := range []string{"app_a", "app_b", "app_c"} {
		programs[table] = open(t, words(bouncer.URL, "table_name="+table))
	}
	// A locked row keeps the session of the first, so that the others get another
	// one, in which their statements have other numbers.
	mustSave(t, programs["app_a"], save("locked", `1`))
	db := plain(t, dsn)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("SELECT FROM app_a FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() { _, err := programs["app_a"].Save(t.Context(), save("locked", `2`)); saved <- err }()
	await(t, func() bool { return waiting(t, db) == 1 })
	mustSave(t, programs["app_b"], save("first", `1`))
	tx.Rollback()
	if err := <-saved; err != nil {
		t.Error(err)
	}
	for round := range 20 {
		for table, b := range programs {
			thread := fmt.Sprint(table, "-", round)
			mustSave(t, b, save(thread, `1`))
			if _, err := load(t.Context(), b, thread); err != nil {
				t.Errorf("Load(%q): %v", thread, err)
			}
			kept := save(thread, `2`)
			kept.Keep = 2
			mustSave(t, b, kept)
		}
	}
	for table := range programs {
		if got := selectText(t, db, `SELECT count(*) FROM `+table+` WHERE thread_id LIKE 'app%'`); got != "20" {
			t.Errorf("%s has %s threads, want 20", table, got)
		}
		if got := selectText(t, db, `SELECT count(*) FROM `+table+` WHERE thread_id LIKE 'app%' AND thread_id NOT LIKE '`+table+`%'`); got != "0" {
			t.Errorf("%s threads of others are in %s", got, table)
		}
	}
}

// TestPreparing: what the word prepare comes to, directly and behind a pooler.
func TestPreparing(t *testing.T) {
	t.Parallel()
	direct := testserver.Postgres(t)
	pooled := testserver.PgBouncer(t, direct, "pool_mode = session").URL
	for _, tt := range []struct {
		dsn  string
		want bool
	}{
		{direct, true}, {words(direct, "prepare=auto"), true}, {words(direct, "prepare=true"), true}, {words(direct, "prepare=false"), false},
		{pooled, false}, {words(pooled, "prepare=true"), true}, {words(pooled, "prepare=false"), false},
	} {
		b := openReady(t, tt.dsn)
		mustSave(t, b, save("thread", `1`))
		c, err := b.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = c.Raw(func(c any) error {
			if got := c.(*conn).prepare; (got == prepares) != tt.want {
				t.Errorf("%s: prepares %v, want %v", b.cfg.prepare(), got == prepares, tt.want)
			}
			return nil
		})
		c.Close()
		if err != nil {
			t.Error(err)
		}
	}
}

// TestRefusalsOfAPooler: what a pooler says of a connection is not taken for
// prepared statements.
func TestRefusalsOfAPooler(t *testing.T) {
	t.Parallel()
	direct := testserver.Postgres(t)
	full := testserver.PgBouncer(t, direct, "max_client_conn = 1")
	bouncer := testserver.PgBouncer(t, direct)
	openReady(t, words(full.URL, "max_connections=1"))
	for _, tt := range []struct{ name, dsn, want string }{
		{"startup parameter", words(bouncer.URL, "statement_timeout=1000"), "statement_timeout"},
		{"password", as(t, bouncer.URL, "stranger", "wr0ng"), "authentication"},
		{"no more clients", full.URL, "max_client_conn"},
	} {
		err := open(t, tt.dsn).Ping(t.Context())
		if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), tt.want) || strings.Contains(err.Error(), "prepare") {
			t.Errorf("%s: got %v, want ErrUnavailable that names %q and no prepared statements", tt.name, err, tt.want)
		}
	}
}
