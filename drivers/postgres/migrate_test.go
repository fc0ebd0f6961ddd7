package postgres

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestProcessesStartAtOnce(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	const processes = 32
	ended := make(chan string, processes)
	for range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDSN+"="+words(dsn, "max_connections=2"))
		go func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				out = fmt.Appendf(out, " (%v)", err)
			}
			ended <- string(out)
		}()
	}
	for range processes {
		if out := <-ended; out != "" {
			t.Errorf("a process reports: %s", out)
		}
	}
	got, err := drain(open(t, dsn).List(t.Context(), driver.ListRequest{Namespace: "agents", Now: time.Now()}))
	if err != nil || len(got) != processes {
		t.Errorf("%d threads, %v, want %d", len(got), err, processes)
	}
}

// account makes a role that may connect and nothing else, and returns its DSN.
func account(t testing.TB, dsn string, db *sql.DB) (name, accountDSN string) {
	t.Helper()
	name = "app_" + strings.ToLower(save("", "").ID)
	mustExec(t, db, "CREATE ROLE "+name+" LOGIN PASSWORD 'secret'")
	t.Cleanup(func() {
		for _, s := range []string{"DROP OWNED BY " + name, "DROP ROLE " + name} {
			if _, err := plain(t, dsn).Exec(s); err != nil {
				t.Error(err)
			}
		}
	})
	return name, as(t, dsn, name, "secret")
}

// grants are what the documentation gives an application's account.
func grants(role string) []string {
	return []string{
		"GRANT SELECT, INSERT, UPDATE, DELETE ON agent_checkpoints, agent_checkpoints_history, agent_checkpoints_chains TO " + role,
	}
}

// TestSchemaByAnOwner is how a team works whose applications may not make
// tables.
func TestSchemaByAnOwner(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	owner := plain(t, dsn)
	app, appDSN := account(t, dsn, owner)

	err := open(t, appDSN).Ping(t.Context())
	const wantDenied = "database unavailable: the account may not make or change what the driver needs; have the owner of the tables run the statements that postgres.Schema returns, or one program with an account that may: pq: permission denied for schema public at position 1:14 (42501)"
	if !errors.Is(err, driver.ErrUnavailable) || err.Error() != wantDenied {
		t.Errorf("without tables and rights: got %v, want %s", err, wantDenied)
	}
	err = open(t, words(appDSN, "migrate=false")).Ping(t.Context())
	const wantForbidden = `database unavailable: the table "agent_checkpoints" is not there, or not as this version needs it, and migrations are forbidden (migrate=false); have its owner run the statements that postgres.Schema returns, or one program without migrate=false`
	if !errors.Is(err, driver.ErrUnavailable) || err.Error() != wantForbidden {
		t.Errorf("without tables and migrations: got %v, want %s", err, wantForbidden)
	}
	// The owner may make tables, and is not asked to.
	if err := open(t, words(dsn, "migrate=false")).Ping(t.Context()); err == nil || err.Error() != wantForbidden {
		t.Errorf("the owner without migrations: got %v, want %s", err, wantForbidden)
	}
	if got := selectText(t, owner, "SELECT count(*) FROM pg_class WHERE relname LIKE 'agent_checkpoints%'"); got != "0" {
		t.Errorf("%s tables were made", got)
	}

	mustExec(t, owner, Schema(Config{}))
	b := open(t, appDSN)
	if err := b.Ping(t.Context()); err != nil {
		t.Fatalf("Ping without rights: %v, want nil", err)
	}
	_, err = load(t.Context(), b, "thread")
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), "the account lacks a right") {
		t.Errorf("Load without rights: got %v, want ErrUnavailable", err)
	}
	mustExec(t, owner, grants(app)...)
	for _, word := range []string{"migrate=true", "migrate=false"} {
		b := openReady(t, words(appDSN, word))
		for range 3 {
			req := save("thread", `{"n": 1}`)
			req.Keep = 2
			mustSave(t, b, req)
		}
		if got := history(t, b, "thread"); len(got) != 2 {
			t.Errorf("%d versions, want 2", len(got))
		}
		if _, err := b.Purge(t.Context(), "agents", time.Now()); err != nil {
			t.Errorf("Purge: %v", err)
		}
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("thread")}); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
}

// TestFailedMigrationChangesNothing makes the last statements of each way to the
// tables fail.
func TestFailedMigrationChangesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before string }{
		{"new table", ``},
		{"taken over", seedTable("agent_checkpoints") + `; INSERT INTO agent_checkpoints VALUES ('a', '{"n": 1}')`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			db := plain(t, dsn)
			// What stands in the way is met last, when the function is made.
			mustExec(t, db, tt.before, `CREATE FUNCTION agent_checkpoints_save_3(text, text, text, text, bytea, integer, text, text,
				timestamptz, timestamptz, timestamptz, bigint, boolean, boolean, text, bigint, bigint, timestamptz, text, bigint, bytea, text, text, oid) RETURNS void LANGUAGE sql AS ''`)
			describe := func() string {
				return selectText(t, db, `SELECT string_agg(concat_ws(' ', c.relname, c.relkind, a.attname, a.atttypid, a.attcollation, obj_description(c.oid)), e'\n' ORDER BY c.relname, a.attnum)
					FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace`) +
					selectText(t, db, `SELECT string_agg(proname || pronargs, ' ') FROM pg_proc WHERE pronamespace = 'public'::regnamespace`)
			}
			want := describe()
			if err := open(t, dsn).Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Ping: got %v, want ErrUnavailable", err)
			}
			if got := describe(); got != want {
				t.Errorf("after the failure there is\n%s\nwant\n%s", got, want)
			}
			mustExec(t, db, "DROP FUNCTION agent_checkpoints_save_3")
			b := openReady(t, dsn)
			mustSave(t, b, save("a", `{"n": 2}`))
		})
	}
}

func TestRefusedTables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, want string }{
		{"another program's table", `CREATE TABLE agent_checkpoints (id bigint PRIMARY KEY, note text)`,
			`"agent_checkpoints" is not a table of checkpoints, and not one that can be taken over`},
		{"a view", `CREATE VIEW agent_checkpoints AS SELECT 1 AS x`,
			`is not a table of checkpoints, and not one that can be taken over; it is left as it is: choose another table_name, or give this one another name (found: no table; )`},
		{"like the seed, with a column more", `CREATE TABLE agent_checkpoints (thread_id TEXT PRIMARY KEY, state JSONB NOT NULL,
			created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), owner int)`,
			`(found: columns thread_id, state, created_at, updated_at, owner; PRIMARY KEY (thread_id))`},
		{"like the seed, with another type", `CREATE TABLE agent_checkpoints (thread_id TEXT PRIMARY KEY, state JSON NOT NULL,
			created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW())`, `is not a table of checkpoints`},
		{"like the seed, without a key", `CREATE TABLE agent_checkpoints (thread_id TEXT NOT NULL, state JSONB NOT NULL,
			created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW())`, `is not a table of checkpoints`},
		{"a later version's", Schema(Config{}) + `COMMENT ON TABLE agent_checkpoints_history IS 'Older versions of checkpoints; schema 2 of github.com/go-ckpt/checkpoint'`,
			`the table "agent_checkpoints" has schema 2 of a later version of this package, which this one, with schema 1, does not know: update this program`},
		{"with a column that every row must fill in", Schema(Config{}) + `ALTER TABLE agent_checkpoints ADD COLUMN tenant int NOT NULL`, `is not a table of checkpoints`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			mustExec(t, plain(t, dsn), tt.before)
			b := open(t, dsn)
			for what, err := range map[string]error{"Ping": b.Ping(t.Context()), "Delete": b.Delete(t.Context(), driver.DeleteRequest{Key: key("a")})} {
				if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: got %v, want ErrInvalid: %s", what, err, tt.want)
				}
			}
		})
	}
}

// TestToleratedTables are what an operator may do to the table.
func TestToleratedTables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, after string }{
		{"comments gone, as pg_dump --no-comments leaves it", `COMMENT ON TABLE agent_checkpoints_history IS NULL`},
		{"a comment of one's own", `COMMENT ON TABLE agent_checkpoints_history IS 'Older versions of checkpoints; schema of ours'`},
		{"columns and indexes for analytics", `ALTER TABLE agent_checkpoints ADD COLUMN step int GENERATED ALWAYS AS ((state->>'step')::int) STORED, ADD COLUMN note text, ADD COLUMN tenant int NOT NULL DEFAULT 0;
			CREATE INDEX ON agent_checkpoints (updated_at); CREATE INDEX ON agent_checkpoints USING gin (state)`},
		{"function gone", `DROP FUNCTION agent_checkpoints_save_3`},
		{"chains gone", `DROP TABLE agent_checkpoints_chains`},
		{"history gone", `DROP TABLE agent_checkpoints_history`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			mustExec(t, plain(t, dsn), Schema(Config{}), tt.after)
			b := openReady(t, dsn)
			for range 3 {
				req := save("thread", `{"step": 1}`)
				req.Keep = 2
				mustSave(t, b, req)
			}
			if got := history(t, b, "thread"); len(got) != 2 || got[0].Version != 3 {
				t.Errorf("history %v, want versions 3 and 2", got)
			}
		})
	}
}

// TestTableDroppedWhileInUse: the next operation makes it again.
func TestTableDroppedWhileInUse(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	b := openReady(t, dsn)
	mustSave(t, b, save("thread", `1`))
	mustExec(t, plain(t, dsn), `DROP TABLE agent_checkpoints_chains, agent_checkpoints_history, agent_checkpoints`)
	if _, err := load(t.Context(), b, "thread"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Load: got %v, want ErrNotFound", err)
	}
	if info := mustSave(t, b, save("thread", `1`)); info.Version != 1 {
		t.Errorf("version %d, want 1", info.Version)
	}
}

func TestTableNames(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	mustExec(t, db, `CREATE SCHEMA "Ten.ant; ""x"""`, `CREATE SCHEMA plain`, `CREATE SCHEMA "$body$"`)
	for _, name := range []string{
		`states`, `States`, `plain.states`, `select`, `it's; DROP TABLE states; --`, `a b`, `größe 😀`, `"with.dot"`, `plain."a""b"`,
		`"Ten.ant; ""x""".{table}`, `%s`, `$body$`, `"$body$".$body$1$`, `\`, strings.Repeat("x", 40),
	} {
		t.Run(name, func(t *testing.T) {
			b := New(db, Config{Table: name})
			info := mustSave(t, b, save("thread", `{"of": 1}`)) // made without Ping
			req := save("thread", `{"of": 2}`)
			req.Keep = 2
			mustSave(t, b, req)
			if got := history(t, b, "thread"); len(got) != 2 || info.Version != 1 {
				t.Errorf("history %v, want versions 2 and 1", got)
			}
			name, _ := parseTable(name)
			if got := selectText(t, db, "SELECT state::text FROM "+name.String()); got != `{"of": 2}` {
				t.Errorf("the table holds %s", got)
			}
			mustExec(t, db, "DROP TABLE "+name.sibling(chainsSuffix)+", "+name.sibling(historySuffix)+", "+name.String())
			mustExec(t, db, Schema(Config{Table: name.String()}))
			if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("thread")}); err != nil {
				t.Errorf("with a table by Schema: %v", err)
			}
		})
	}
	if got := selectText(t, db, `SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace <> 'information_schema'::regnamespace AND relname !~ '^(pg|sql)_'`); got != "45" {
		t.Errorf("%s tables, want 45", got)
	}
}

// TestSearchPath: without a schema the table is where the search_path says.
func TestSearchPath(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db := plain(t, dsn)
	mustExec(t, db, "CREATE SCHEMA a", "CREATE SCHEMA b")
	mustSave(t, open(t, words(dsn, "search_path=b,public")), save("in b", `1`))
	mustSave(t, open(t, words(dsn, "search_path=a,b")), save("found in b", `1`))
	mustSave(t, open(t, words(dsn, "table_name=b.agent_checkpoints")), save("named", `1`))
	mustSave(t, open(t, words(dsn, "search_path=a")), save("in a", `1`))
	if got := selectText(t, db, "SELECT string_agg(thread_id, ', ') FROM b.agent_checkpoints"); got != "in b, found in b, named" {
		t.Errorf("b has %s", got)
	}
	if got := selectText(t, db, "SELECT string_agg(thread_id, ', ') FROM a.agent_checkpoints"); got != "in a" {
		t.Errorf("a has %s", got)
	}
	for word, want := range map[string]string{
		"search_path=nowhere":        "no schema of the search_path exists",
		"table_name=nowhere.somehow": `the schema of table "nowhere"."somehow" does not exist`,
	} {
		if err := open(t, words(dsn, word)).Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", word, err, want)
		}
	}
}

func TestEncodingOfTheDatabase(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	name := "checkpoint_test_latin_" + strings.ToLower(save("", "").ID)
	mustExec(t, plain(t, dsn), "CREATE DATABASE "+name+" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	t.Cleanup(func() { plain(t, dsn).Exec("DROP DATABASE " + name + " WITH (FORCE)") })
	u, _ := url.Parse(dsn)
	u.Path = name
	const want = "invalid: the database's encoding is LATIN1, and the driver needs UTF8; make a database WITH ENCODING 'UTF8' TEMPLATE template0"
	if err := open(t, u.String()).Ping(t.Context()); !errors.Is(err, driver.ErrInvalid) || err.Error() != want {
		t.Errorf("Ping: got %v, want %s", err, want)
	}
}
