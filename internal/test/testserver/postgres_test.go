package testserver

import (
	"strings"
	"testing"
)

// mustSelect checks the one value a query returns.
func mustSelect(t *testing.T, want, database, query string) {
	t.Helper()
	got, err := selectText(database, query)
	if err != nil || got != want {
		t.Errorf("%s: got %q, %v, want %q", query, got, err, want)
	}
}

func mustExec(t *testing.T, database, statement string) {
	t.Helper()
	if err := psql(database, statement); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresDatabasesAreApart(t *testing.T) {
	t.Parallel()
	var dropped string
	t.Run("one", func(t *testing.T) {
		a, b := Postgres(t), Postgres(t)
		mustExec(t, a, "CREATE TABLE only_in_a (x int)")
		mustSelect(t, "only_in_a", a, "SELECT to_regclass('only_in_a')")
		mustSelect(t, "", b, "SELECT to_regclass('only_in_a')")
		dropped = a
	})
	if _, err := selectText(dropped, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("after the test: got %v, want a database that does not exist", err)
	}
}

func TestPostgresOrder(t *testing.T) {
	t.Parallel()
	const query = "SELECT string_agg(x, '' ORDER BY x) FROM unnest(ARRAY['B', 'a', 'c']) x"
	mustSelect(t, "Bac", Postgres(t), query)
	mustSelect(t, "aBc", PostgresInEnglish(t), query)
}

func TestPostgresKeepsItsData(t *testing.T) {
	t.Parallel()
	p := StartPostgres(t, PostgresOptions{})
	mustExec(t, p.URL, "CREATE TABLE kept (x int)")
	for i, end := range []func(){p.Kill, p.Stop} {
		mustExec(t, p.URL, "INSERT INTO kept VALUES (1)")
		end()
		if !refused(p.Addr) {
			t.Error("the server still listens")
		}
		p.Restart()
		mustSelect(t, itoa(i+1), p.URL, "SELECT count(*) FROM kept")
	}
}

func TestPostgresOptions(t *testing.T) {
	t.Parallel()
	p := StartPostgres(t, PostgresOptions{Config: []string{"max_connections = 7"}, Fsync: true, TLS: true})
	mustSelect(t, "7", p.URL, "SHOW max_connections")
	mustSelect(t, "on", p.URL, "SHOW fsync")
	mustSelect(t, "t", p.URL, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
}

func TestPostgresReplica(t *testing.T) {
	t.Parallel()
	primary := StartPostgres(t, PostgresOptions{})
	mustExec(t, primary.URL, "CREATE TABLE copied (x int)")
	replica := StartPostgresReplica(t, primary)
	mustExec(t, primary.URL, "INSERT INTO copied VALUES (1)")
	AwaitPostgresReplica(t, primary, replica)
	mustSelect(t, "1", replica.URL, "SELECT count(*) FROM copied")
	if err := psql(replica.URL, "INSERT INTO copied VALUES (2)"); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("writing to a replica: got %v, want a read-only transaction", err)
	}
	primary.Kill()
	PromotePostgres(t, replica)
	mustExec(t, replica.URL, "INSERT INTO copied VALUES (2)")
	replica.Restart()
	mustSelect(t, "2", replica.URL, "SELECT count(*) FROM copied")
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	database := Postgres(t)
	mustExec(t, database, "CREATE TABLE behind (x int)")
	p := PgBouncer(t, database, "default_pool_size = 3")
	mustSelect(t, "0", p.URL, "SELECT count(*) FROM behind")
	p.Kill()
	if !refused(p.Addr) {
		t.Error("PgBouncer still listens")
	}
	p.Restart()
	mustSelect(t, "0", p.URL, "SELECT count(*) FROM behind")
}
