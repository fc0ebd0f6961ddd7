package testserver

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// PgBouncer starts a PgBouncer in transaction mode in front of the PostgreSQL
// server of a database URL. The URL of the process is that of the same database
// through it. config are further lines of the section [pgbouncer] of its
// configuration, such as "max_client_conn = 5".
func PgBouncer(t testing.TB, databaseURL string, config ...string) *Process {
	t.Helper()
	path, err := find("Debian: pgbouncer, macOS: brew install pgbouncer", []string{"pgbouncer"})
	check(t, err)
	database, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal("PgBouncer needs the URL of a database, postgres://user:password@host:port/database")
	}
	host, port, err := net.SplitHostPort(database.Host)
	if err != nil {
		host, port = database.Host, "5432"
	}
	p, err := launch(ownedBy(t), "pgbouncer", func(p *Process, ownPort int) (command, error) {
		through := *database
		through.Host, through.RawQuery = p.Addr, "sslmode=disable"
		p.URL = through.String()

		users, ini := filepath.Join(p.Dir, "users.txt"), filepath.Join(p.Dir, "pgbouncer.ini")
		password, found := database.User.Password()
		auth := "scram-sha-256"
		if !found {
			auth = "trust" // as the server does
		}
		quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		lines := []string{
			"[databases]",
			fmt.Sprintf("* = host=%s port=%s", host, port),
			"[pgbouncer]",
			"listen_addr = 127.0.0.1",
			fmt.Sprintf("listen_port = %d", ownPort),
			"unix_socket_dir =",
			"auth_type = " + auth,
			"auth_file = " + users,
			"pool_mode = transaction",
			"max_client_conn = 500",
			// Drivers ask for it at every start, and PgBouncer refuses what it
			// does not know.
			"ignore_startup_parameters = extra_float_digits",
		}
		for name, text := range map[string]string{
			users: quote(database.User.Username()) + " " + quote(password),
			ini:   strings.Join(append(lines, config...), "\n"),
		} {
			if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
				return command{}, err
			}
		}
		return command{
			path:     path,
			args:     []string{ini},
			dropRoot: true,
			ready:    logged("process up"),
			stop:     sigInt,
			abandon:  sigKill,
		}, nil
	})
	check(t, err)
	return p
}
