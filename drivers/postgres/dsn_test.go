package postgres

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// A read is what a DSN says, in short.
func read(c Config) string {
	s := c.server
	hosts := fmt.Sprint(s.Host, ":", s.Port)
	for _, m := range s.Multi {
		hosts += fmt.Sprint(",", m.Host, ":", m.Port)
	}
	return fmt.Sprintf("%s %s:%s@%s/%s max=%d min=%d migrate=%v prepare=%v ssl=%s %v", c.Table, s.User, s.Password, hosts, s.Database,
		c.MaxConnections, c.MinConnections, !c.NoMigrate, !c.NoPrepare, s.SSLMode, s.Runtime)
}

func TestParseConfig(t *testing.T) {
	const rest = " max=10 min=2 migrate=true prepare=true ssl=prefer map[]"
	for _, tt := range []struct{ dsn, want string }{
		{"postgres://ann:secret@db.example:5433/agents", "agent_checkpoints ann:secret@db.example:5433/agents" + rest},
		{"postgresql://ann@db.example/agents?", "agent_checkpoints ann:@db.example:5432/agents" + rest},
		{"postgres://a%40n:s%3Fc%2F%25%3A@db.example/agents", "agent_checkpoints a@n:s?c/%:@db.example:5432/agents" + rest},
		{"postgres://ann:p@ss@db.example/agents", "agent_checkpoints ann:p@ss@db.example:5432/agents" + rest},
		{"postgres://ann:it's\\@db.example/agents", `agent_checkpoints ann:it's\@db.example:5432/agents` + rest},
		{"postgres://ann@[::1]:5433/agents", "agent_checkpoints ann:@::1:5433/agents" + rest},
		{"postgres://ann@one:1,two,[::1]:3/agents", "agent_checkpoints ann:@one:1,two:5432,::1:3/agents" + rest},
		{"postgres://ann@%2Fvar%2Frun/agents?host=db.example", ""},
		{"postgres://ann@%2Fvar%2Frun/agents", strings.Replace("agent_checkpoints ann:@/var/run:5432/agents"+rest, "prefer", "disable", 1)},
		{"postgres:///agents?user=ann&host=/tmp", strings.Replace("agent_checkpoints ann:@/tmp:5432/agents"+rest, "prefer", "disable", 1)},
		{"host=db.example user=ann dbname=agents", "agent_checkpoints ann:@db.example:5432/agents" + rest},
		{`host = db.example  user='an n' password='it\'s \\ ' dbname=agents`, `agent_checkpoints an n:it's \ @db.example:5432/agents` + rest},
		{"user=ann password='' dbname='' host=db.example", "agent_checkpoints ann:@db.example:5432/" + rest},
		{"user=ann host=db.example dbname=agents?table_name=a.b&max_connections=3&min_connections=0&migrate=false&prepare=false&sslmode=disable&search_path=x%2Cy",
			"a.b ann:@db.example:5432/agents max=3 min=-1 migrate=false prepare=false ssl=disable map[search_path:x,y]"},
		{"postgres://ann@db.example/agents?max_connections=1", "agent_checkpoints ann:@db.example:5432/agents max=1 min=1 migrate=true prepare=true ssl=prefer map[]"},
		{"postgres://ann@db.example/agents?password=s%26c", "agent_checkpoints ann:s&c@db.example:5432/agents" + rest},
		{"postgres://ann@db.example/agents?sslmode=verify-full&sslrootcert=system&channel_binding=prefer",
			"agent_checkpoints ann:@db.example:5432/agents max=10 min=2 migrate=true prepare=true ssl=verify-full map[]"},
		{"postgres://ann@db.example/agents?sslrootcert=/ca.pem", "agent_checkpoints ann:@db.example:5432/agents max=10 min=2 migrate=true prepare=true ssl= map[]"},
		{"postgres://ann@db.example/agents?statement_timeout=5s&role=app&timezone=UTC",
			"agent_checkpoints ann:@db.example:5432/agents max=10 min=2 migrate=true prepare=true ssl=prefer map[role:app statement_timeout:5s timezone:UTC]"},
	} {
		if tt.want == "" {
			continue
		}
		c, err := ParseConfig(tt.dsn)
		if err != nil {
			t.Errorf("%s: %v", tt.dsn, err)
			continue
		}
		if got := read(c); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.dsn, got, tt.want)
		}
	}
}

func TestParseConfigErrors(t *testing.T) {
	const (
		wantURL      = `invalid DSN: want postgres://user:password@host:port/database?word=value; write %40 for '@', %2F for '/', %3A for ':', %3F for '?' and %25 for '%' inside a name or password`
		wantKeywords = `invalid DSN: want postgres://user:password@host:port/database or libpq's host=… dbname=… with single quotes around a value that holds a space, and a backslash before a quote or backslash in it`
	)
	for _, tt := range []struct{ dsn, want string }{
		{"postgres://ann:s3cret%zz@db/agents", wantURL},
		{"postgres://ann:s3cret@db:1:2/agents", wantURL},
		{"postgres://ann:s3cret@[db]/agents", wantURL},
		{"postgres:///ann:s3cret@db/agents", wantURL},
		{"postgres://db/a/b", wantURL},
		{"postgres://ann:s3cret@db:port/agents", wantURL},
		{"postgres://ann:s3cret", wantURL},
		{"postgres://ann:s3cret/agents", wantURL},
		{"postgres://ann:s3cret@db:70000/agents", `invalid DSN: word "port" is "70000": want one or more port numbers, with commas between`},
		{"agents", wantKeywords},
		{"password='s3cret", wantKeywords},
		{`password=s3cret\`, wantKeywords},
		{"host=db s3cret", wantKeywords},
		{"host=db user= password=s3cret", `invalid DSN: word "user" has no value before the next word; write user='' for none, or put the value into quotes`},
		{"host=db host=other", `invalid DSN: word "host" is given twice`},
		{"host=db?host=other", `invalid DSN: word "host" is given twice, before and after the '?'`},
		{"postgres://ann:s3cret@db/agents?password=x", `invalid DSN: word "password" is given twice, before and after the '?'`},
		{"host=db?sslmode=disable&sslmode=disable", `invalid DSN: word "sslmode" is given twice`},
		{"host=db passwrd=s3cret", `invalid DSN: unknown word "passwrd" before the '?'; libpq's words here: ` + strings.Join(serverWordNames(), ", ")},
		{"host=db table_name=x", `invalid DSN: unknown word "table_name" before the '?'; libpq's words here: ` + strings.Join(serverWordNames(), ", ")},
		{"host=db?passwrd=s3cret", `invalid DSN: unknown word "passwrd"; this driver's words: application_name, channel_binding, connect_timeout, dbname, fallback_application_name, host, hostaddr, idle_session_timeout, krbspn, krbsrvname, load_balance_hosts, lock_timeout, max_connections, max_protocol_version, migrate, min_connections, min_protocol_version, options, passfile, password, port, prepare, role, search_path, ssl_max_protocol_version, ssl_min_protocol_version, sslcert, sslinline, sslkey, sslmode, sslnegotiation, sslrootcert, sslsni, statement_timeout, table_name, target_session_attrs, timezone, user; every driver's: compress, history, incremental, max_state_size, namespace, ttl`},
		{"host=db?binary_parameters=no", ""},
		{"host=db?sslmode=on", `invalid DSN: word "sslmode" is "on": want disable, allow, prefer, require, verify-ca or verify-full`},
		{"host=db?connect_timeout=5s", `invalid DSN: word "connect_timeout" is "5s": want a number of seconds`},
		{"host=db?target_session_attrs=writable", `invalid DSN: word "target_session_attrs" is "writable": want any, read-write, read-only, primary, standby or prefer-standby`},
		{"host=db?channel_binding=require", `invalid DSN: word "channel_binding" is "require": lib/pq cannot bind channels; in its place write sslmode=verify-full&sslrootcert=system, which verifies the server's certificate`},
		{"host=db?sslnegotiation=direct&sslmode=prefer", `invalid DSN: the settings of the connection do not go together, or a service file has a value that lib/pq does not take; check the numbers of hosts and ports, and sslmode`},
		{"host=a,b?port=1,2,3", `invalid DSN: the settings of the connection do not go together, or a service file has a value that lib/pq does not take; check the numbers of hosts and ports, and sslmode`},
		{"host=db?max_connections=0", `invalid DSN: word "max_connections" is "0": want a whole number from 1 to 10000`},
		{"host=db?max_connections=3&min_connections=4", `invalid DSN: word "min_connections" is 4, more than max_connections, which is 3`},
		{"host=db?migrate=no", `invalid DSN: word "migrate" is "no": want true or false`},
		{"host=db?prepare=off", `invalid DSN: word "prepare" is "off": want auto, true or false`},
		{"host=db?table_name=a.b.c", `invalid DSN: word "table_name": invalid table name: it has 3 parts, want table or schema.table (with double quotes around a part that holds a dot)`},
		{"host=db?table_name=" + strings.Repeat("x", 41), `invalid DSN: word "table_name": invalid table name: it has 41 bytes, at most 40 are allowed`},
		{"host=db?table_name=" + strings.Repeat("x", 64) + ".t", `invalid DSN: word "table_name": invalid table name: its schema has 64 bytes, at most 63 are allowed`},
		{`host=db?table_name="a`, `invalid DSN: word "table_name": invalid table name: want table or schema.table, with double quotes around a part that holds a dot or a quote (which is doubled)`},
		{`host=db?table_name=a..b`, `invalid DSN: word "table_name": invalid table name: want table or schema.table, with double quotes around a part that holds a dot or a quote (which is doubled)`},
		{`host=db?table_name=a%00`, `invalid DSN: word "table_name": invalid table name: it is not UTF-8 without NUL`},
		{"postgres://ann:s3cret@db?/agents", `invalid DSN: what follows '?' must be word=value pairs joined by '&' (write %3F for a '?' and %26 for a '&' that belong to a name or password)`},
	} {
		_, err := Driver{}.Open(tt.dsn)
		if !errors.Is(err, driver.ErrInvalid) || tt.want != "" && err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tt.dsn, err, tt.want)
		}
		if strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s: the error shows the password: %v", tt.dsn, err)
		}
	}
}

// TestEnvironment: lib/pq's variables stand in for what a DSN leaves out, and an
// error in them does not show a value.
func TestEnvironment(t *testing.T) {
	t.Setenv("PGHOST", "env.example")
	t.Setenv("PGPASSWORD", "s3cret")
	t.Setenv("PGSSLMODE", "verify-ca")
	c, err := ParseConfig("user=ann dbname=agents")
	if got, want := read(c), "agent_checkpoints ann:s3cret@env.example:5432/agents max=10 min=2 migrate=true prepare=true ssl=verify-ca map[]"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	t.Setenv("PGPORT", "s3cret")
	if _, err := ParseConfig("user=ann dbname=agents"); !errors.Is(err, driver.ErrInvalid) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v, want ErrInvalid without the value", err)
	}
	t.Setenv("PGPORT", "")
	for _, name := range []string{"PGCHANNELBINDING", "PGGSSENCMODE", "PGSSLCRL"} {
		t.Setenv(name, "s3cret")
		want := "invalid DSN: lib/pq does not support the environment variable " + name + "; unset it for this program"
		if _, err := ParseConfig("user=ann dbname=agents"); fmt.Sprint(err) != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
		os.Unsetenv(name)
	}
}

// TestNothingShowsThePassword prints what a program may print, in every way.
func TestNothingShowsThePassword(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://ann:s3cret@db.example/agents"
	cfg, err := ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, dsn)
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	text := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{cfg, &cfg, b, struct{ C Config }{cfg}, struct{ B driver.Backend }{b}, []any{cfg, b}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, _ := json.Marshal(v)
		out.Write(j)
		log.Info("m", "v", v)
		text.Info("m", "v", v)
	}
	if strings.Contains(out.String(), "s3cret") || strings.Contains(out.String(), fmt.Sprintf("%x", "s3cret")) {
		t.Errorf("the password shows in\n%s", out.String())
	}
	const want = "postgres.Config{table=agent_checkpoints host=db.example port=5432 database=agents user=ann max_connections=10 min_connections=2 migrate=true prepare=auto}"
	if got := fmt.Sprint(cfg); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRefusedAccounts: what a server says to a wrong password or database.
func TestRefusedAccounts(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	u, _ := url.Parse(dsn)
	for _, tt := range []struct{ dsn, want string }{
		{as(t, dsn, "postgres", "wr0ng"), `ping (postgres): database unavailable: the server refuses this account: pq: password authentication failed for user "postgres" (28P01)`},
		{as(t, dsn, "nobody", "wr0ng"), `ping (postgres): database unavailable: the server refuses this account: pq: password authentication failed for user "nobody" (28P01)`},
		{strings.Replace(dsn, u.Path, "/nowhere", 1), `ping (postgres): database unavailable: there is no such database: pq: database "nowhere" does not exist (3D000)`},
		{strings.Replace(dsn, "sslmode=disable", "sslmode=require", 1), `ping (postgres): database unavailable: no connection: pq: SSL is not enabled on the server`},
	} {
		s, err := checkpoint.Open("postgres", tt.dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.Ping(t.Context())
		if !errors.Is(err, checkpoint.ErrUnavailable) || !strings.HasSuffix(err.Error(), tt.want) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// TestTransportSecurity: verified, required, and where it is there.
func TestTransportSecurity(t *testing.T) {
	t.Parallel()
	server := testserver.StartPostgres(t, testserver.PostgresOptions{TLS: true})
	u, _ := url.Parse(server.URL)
	u.RawQuery = ""
	for dsn, want := range map[string]string{
		server.URL:                      "true",
		u.String() + "?sslmode=require": "true",
		u.String():                      "true",
		u.String() + "?sslmode=disable": "false",
		strings.Replace(testserver.Postgres(t), "?sslmode=disable", "", 1): "false", // a server without TLS
	} {
		b := openReady(t, dsn)
		mustSave(t, b, save("thread", `1`))
		if got := selectText(t, b.db, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != want {
			t.Errorf("%s: with TLS: %s, want %s", u.Redacted(), got, want)
		}
	}
}

// TestUnverifiedWarning: a DSN that says nothing of TLS is warned of once, if the
// server is on another machine.
func TestUnverifiedWarning(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]bool{
		"postgres://app@db.example/agents":                     true,
		"postgres://app@10.0.0.7/agents":                       true,
		"postgres://app@localhost:5432,db.example:5432/agents": true,
		"host=localhost hostaddr=10.0.0.7 dbname=agents":       true,
		"postgres://app@db.example/agents?sslmode=prefer":      false,
		"postgres://app@db.example/agents?sslmode=verify-full": false,
		"postgres://app@localhost/agents":                      false,
		"postgres://app@127.0.0.1,[::1]:5433/agents":           false,
		"postgres://app@%2Fvar%2Frun%2Fpostgresql/agents":      false,
		"host=db.example hostaddr=127.0.0.1 dbname=agents":     false,
	} {
		cfg, err := ParseConfig(dsn)
		if err != nil || cfg.unverified != want {
			t.Errorf("ParseConfig(%q): unverified = %v, %v, want %v", dsn, cfg.unverified, err, want)
		}
	}
	for _, unverified := range []bool{false, true} {
		b := open(t, testserver.Postgres(t))
		b.cfg.unverified = unverified // the server is on this machine
		var log bytes.Buffer
		b.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			if err := b.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := 0
		if unverified {
			want = 1
		}
		if got := strings.Count(log.String(), "sslmode=verify-full"); got != want {
			t.Errorf("unverified %v: %d warnings, want %d: %s", unverified, got, want, log.String())
		}
	}
}

// TestConnections: some are opened by Ping and kept, and an attempt without TLS
// leaves no connection behind.
func TestConnections(t *testing.T) {
	t.Parallel()
	dsn := strings.Replace(testserver.Postgres(t), "?sslmode=disable", "?", 1) // tries TLS first
	proxy, through := behind(t, dsn)
	for _, tt := range []struct {
		word string
		want int
	}{{"min_connections=0", 1}, {"min_connections=2", 2}, {"min_connections=5", 5}, {"max_connections=1", 1}} {
		b := openReady(t, words(through, tt.word))
		if got := b.db.Stats().OpenConnections; got != tt.want {
			t.Errorf("%s: %d connections, want %d", tt.word, got, tt.want)
		}
		db := plain(t, words(dsn, "sslmode=disable"))
		await(t, func() bool {
			return selectText(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'checkpoint'") == fmt.Sprint(tt.want)
		})
		if got := proxy.Counts().Connections; got != int64(2*tt.want) {
			t.Errorf("%s: %d connections were made, want %d: each is tried with TLS first", tt.word, got, 2*tt.want)
		}
		b.Close()
		proxy.Close()
		proxy, through = behind(t, dsn)
	}
}
