package testserver

import (
	"strings"
	"testing"
)

// mustSelect checks the one value a query returns.
func mustSelect(t *testing.T, want, database, query string) {
	t.Helper()
	got, err := selectValue(database, query)
	if err != nil || got != want {
		t.Errorf("%s: got %q, %v, want %q", query, got, err, want)
	}
}

func selectValue(database, query string) (string, error) {
	program, err := findPostgres("psql")
	if err != nil {
		return "", err
	}
	out, err := output("/", false, program, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", query)
	return strings.TrimSpace(string(out)), err
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
	if _, err := selectValue(dropped, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "does not exist") {
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
