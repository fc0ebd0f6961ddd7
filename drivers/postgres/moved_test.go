package postgres

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

const functionDigest = "6ef01bf2d6949cc1"

// TestFunctionHasItsOwnName: a program of another release may use the database at
// the same time, and each must find its own function. A change
// of the body needs another suffix, and its digest here.
func TestFunctionHasItsOwnName(t *testing.T) {
	t.Parallel()
	_, body, _ := strings.Cut(schemaFile, "-- name: function\n")
	if got, want := fmt.Sprintf("%.8x", sha256.Sum256([]byte(body))), functionDigest; got != want {
		t.Errorf("the function %s has the digest %s, want %s", saveSuffix, got, want)
	}
}

// stored returns the threads in a table, in SQL.
func stored(t testing.TB, dsn, table string) string {
	t.Helper()
	return selectText(t, plain(t, dsn), "SELECT coalesce(string_agg(thread_id || '=' || version, ' ' ORDER BY thread_id), '') FROM "+table)
}

// TestRenames: what the driver has made follows the names that a store uses, also
// when schemas and tables have been exchanged, under a handle that was open all the
// time and for a new one.
func TestRenames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, make, swap string }{
		{"schemas", `CREATE SCHEMA a; CREATE SCHEMA b`,
			`ALTER SCHEMA a RENAME TO c; ALTER SCHEMA b RENAME TO a; ALTER SCHEMA c RENAME TO b`},
		{"schemas, not back", `CREATE SCHEMA a; CREATE SCHEMA b`,
			`ALTER SCHEMA a RENAME TO c; ALTER SCHEMA b RENAME TO a; CREATE SCHEMA b`},
	} {
		for _, mode := range []string{"prepare=true", "prepare=false"} {
			for _, keep := range []int{1, 3} {
				for _, fresh := range []bool{false, true} {
					t.Run(fmt.Sprint(tt.name, ", ", mode, ", history ", keep, ", new handle ", fresh), func(t *testing.T) {
						t.Parallel()
						dsn := testserver.Postgres(t)
						mustExec(t, plain(t, dsn), tt.make)
						a, b := words(dsn, mode, "search_path=a"), words(dsn, mode, "search_path=b")
						handles := map[string]*backend{a: openReady(t, a), b: openReady(t, b)}
						write := func(dsn, thread string) {
							req := save(thread, `1`)
							req.Keep = keep
							if _, err := handles[dsn].Save(t.Context(), req); err != nil {
								t.Errorf("Save(%q): %v", thread, err)
							}
						}
						for range 2 {
							write(a, "first of a")
							write(b, "first of b")
						}
						mustExec(t, plain(t, dsn), tt.swap)
						if fresh {
							handles = map[string]*backend{a: openReady(t, a), b: openReady(t, b)}
						}
						for range 2 {
							write(a, "second of a")
							write(b, "second of b")
						}
						if got, want := stored(t, dsn, "a.agent_checkpoints"), "first of b=2 second of a=2"; got != want {
							t.Errorf("in a: %s, want %s", got, want)
						}
						want := "first of a=2 second of b=2"
						if tt.name != "schemas" {
							want = "second of b=2"
						}
						if got := stored(t, dsn, "b.agent_checkpoints"); got != want {
							t.Errorf("in b: %s, want %s", got, want)
						}
						for dsn, threads := range map[string][]string{a: {"first of b", "second of a"}, b: {"second of b"}} {
							for _, thread := range threads {
								if n := len(history(t, handles[dsn], thread)); n != min(keep, 2) {
									t.Errorf("%q has %d versions, want %d", thread, n, min(keep, 2))
								}
							}
						}
					})
				}
			}
		}
	}
}

// TestTablesExchanged: a table that takes the place of another without its history
// is refused; with it, it is used.
func TestTablesExchanged(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	old := openReady(t, words(dsn, "table_name=old"))
	used := openReady(t, words(dsn, "table_name=used"))
	logged(t, old, "of old", 2)
	logged(t, used, "of used", 2)

	mustExec(t, db, `ALTER TABLE used RENAME TO kept; ALTER TABLE old RENAME TO used`)
	for name, b := range map[string]*backend{"open": used, "new": open(t, words(dsn, "table_name=used"))} {
		req := save("thread", `1`)
		req.Keep = 3
		_, err := b.Save(t.Context(), req)
		if err == nil {
			err = b.Ping(t.Context())
		}
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "is another table's") {
			t.Errorf("%s handle: got %v, want ErrInvalid that names the history", name, err)
		}
	}
	mustExec(t, db, `ALTER TABLE used_history RENAME TO kept_history; ALTER TABLE old_history RENAME TO used_history;
		ALTER TABLE used_chains RENAME TO kept_chains; ALTER TABLE old_chains RENAME TO used_chains`)
	for name, b := range map[string]*backend{"open": used, "new": open(t, words(dsn, "table_name=used"))} {
		logged(t, b, name, 2)
		if n := len(history(t, b, "of old")); n != 2 {
			t.Errorf("%s handle: %d versions, want 2", name, n)
		}
	}
	if got := stored(t, dsn, "kept"); got != "of used=2" {
		t.Errorf("the table that was moved away holds %s, want of used=2", got)
	}
}

// TestMovedWithoutMigration: a handle that must change nothing refuses a function
// that names another table, before anything is saved.
func TestMovedWithoutMigration(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	mustExec(t, db, `CREATE SCHEMA a`)
	openReady(t, words(dsn, "search_path=a"))
	mustExec(t, db, `ALTER SCHEMA a RENAME TO b`)
	b := open(t, words(dsn, "search_path=b", "migrate=false"))
	if err := b.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "migrate=false") {
		t.Errorf("Ping: got %v, want ErrUnavailable that names migrate=false", err)
	}
}

// TestRowLevelSecurity: an account from which every row is hidden is refused, for
// each thread would look absent. Where policies let it see some, it may go on.
func TestRowLevelSecurity(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	mustSave(t, openReady(t, dsn), save("thread", `1`))
	role := "rls_" + selectText(t, db, "SELECT current_database()")
	mustExec(t, db, `CREATE ROLE "`+role+`" LOGIN PASSWORD 'x'`, `CREATE ROLE "`+role+`_group"`, `GRANT "`+role+`_group" TO "`+role+`"`,
		`GRANT USAGE ON SCHEMA public TO "`+role+`"; GRANT SELECT, INSERT, UPDATE, DELETE ON agent_checkpoints, agent_checkpoints_history, agent_checkpoints_chains TO "`+role+`"`)
	t.Cleanup(func() {
		plain(t, dsn).Exec(`DROP OWNED BY "` + role + `", "` + role + `_group"; DROP ROLE "` + role + `", "` + role + `_group"`)
	})
	for _, tt := range []struct {
		name, change string
		refused      bool
	}{
		{"none", `SELECT 1`, false},
		{"on the table", `ALTER TABLE agent_checkpoints ENABLE ROW LEVEL SECURITY`, true},
		{"with a policy for others", `CREATE POLICY others ON agent_checkpoints TO pg_monitor USING (true)`, true},
		{"with a policy for a group", `CREATE POLICY ours ON agent_checkpoints TO "` + role + `_group" USING (true)`, false},
		{"on the history", `ALTER TABLE agent_checkpoints_history ENABLE ROW LEVEL SECURITY`, true},
		{"with a policy for all", `CREATE POLICY ours ON agent_checkpoints_history USING (true)`, false},
		{"on the chains", `ALTER TABLE agent_checkpoints_chains ENABLE ROW LEVEL SECURITY`, true},
		{"with a policy there", `CREATE POLICY ours ON agent_checkpoints_chains USING (true)`, false},
	} {
		mustExec(t, db, tt.change)
		b := open(t, as(t, dsn, role, "x"))
		err := b.Ping(t.Context())
		if refused := errors.Is(err, driver.ErrUnavailable) && strings.Contains(err.Error(), "row level security"); refused != tt.refused || !refused && err != nil {
			t.Errorf("%s: Ping: got %v, refused should be %v", tt.name, err, tt.refused)
		}
		if _, err := load(t.Context(), b, "thread"); (err != nil) != tt.refused {
			t.Errorf("%s: Load: got %v, refused should be %v", tt.name, err, tt.refused)
		}
	}
}

// TestOddTimes: any time that a row of another program holds is read, or the
// nearest that Go can show, and the thread can be saved.
func TestOddTimes(t *testing.T) {
	t.Parallel()
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	first := time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	odd := map[string]time.Time{
		"infinity": last, "-infinity": first, "0001-01-01 00:00:00+00": first, "4713-01-01 00:00:00+00 BC": first,
		"294276-12-31 23:59:59+00": last, "2020-02-29 12:00:00.123456+00": time.Date(2020, 2, 29, 12, 0, 0, 123456000, time.UTC),
	}
	for _, zone := range []string{"UTC", "Asia/Kathmandu", "America/St_Johns"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			dsn := words(testserver.Postgres(t), "timezone="+zone)
			db := plain(t, dsn)
			mustExec(t, db, seedTable("agent_checkpoints"))
			for text := range odd {
				mustExec(t, db, `INSERT INTO agent_checkpoints VALUES ('`+text+`', '{"n": 1}', '`+text+`', '`+text+`')`)
			}
			b := openReady(t, dsn)
			infos, err := drain(b.List(t.Context(), driver.ListRequest{Namespace: "agents", Now: time.Now()}))
			if err != nil || len(infos) != len(odd) {
				t.Errorf("List: %d threads, %v, want %d", len(infos), err, len(odd))
			}
			for text, want := range odd {
				c, err := load(t.Context(), b, text)
				if err != nil || !c.CreatedAt.Equal(want) || !c.SavedAt.Equal(want) || c.ID == "" {
					t.Errorf("%s: got %v, %v, want the time %v", text, c, err, want)
				}
				for version, keep := range []int{0, 1, 3, 3} {
					if keep == 0 {
						continue
					}
					req := save(text, `{"n": 2}`)
					req.Keep = keep
					if info, err := b.Save(t.Context(), req); err != nil || info.Version != int64(version+1) || !info.CreatedAt.Equal(want) {
						t.Errorf("%s: Save: %v, %v, want version %d created at %v", text, info, err, version+1, want)
					}
				}
				if got := history(t, b, text); len(got) != 3 {
					t.Errorf("%s: %d versions, want 3", text, len(got))
				}
				req := save(text, `{"n": 3}`)
				req.Match = driver.Match{Absent: true}
				var conflict *driver.ConflictError
				if _, err := b.Save(t.Context(), req); !errors.As(err, &conflict) || conflict.Current.Version != 4 {
					t.Errorf("%s: conditional Save: got %v, want a conflict with version 4", text, err)
				}
			}
		})
	}
}

// TestQuotedIdentifiers: a role whose server quotes every name finds its tables.
func TestQuotedIdentifiers(t *testing.T) {
	t.Parallel()
	dsn := words(testserver.Postgres(t), "options=-c%20quote_all_identifiers%3Don")
	for range 2 {
		mustSave(t, openReady(t, dsn), save("thread", `1`))
	}
}
