package testserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The superuser of the PostgreSQL servers started here.
const postgresUser, postgresPassword = "postgres", "p@ss word"

// PostgresOptions configure a PostgreSQL server. The zero value is a server
// that survives Kill, though not the loss of power.
type PostgresOptions struct {
	Config []string // further lines of postgresql.conf, such as "max_connections = 5"
	Fsync  bool     // wait for the disk, as a server that is not a test's does
	TLS    bool     // offer TLS, with a certificate of an authority in the file Dir/ca.pem, and ask for it in URL
}

// Postgres returns the URL of a new, empty database, dropped when the test
// ends, in a PostgreSQL server that the tests of this binary share.
func Postgres(t testing.TB) string {
	t.Helper()
	return createDatabase(t, "")
}

// PostgresInEnglish is Postgres with a database that orders text as an English
// dictionary does ("a" < "B" < "c"), and not by its bytes.
func PostgresInEnglish(t testing.TB) string {
	t.Helper()
	return createDatabase(t, "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
}

func createDatabase(t testing.TB, how string) string {
	t.Helper()
	server := share(t, "CHECKPOINT_TEST_POSTGRES", func(o *owner) (string, error) {
		p, err := startPostgres(o, PostgresOptions{})
		if err != nil {
			return "", err
		}
		return p.URL, nil
	})
	name := "checkpoint_test_" + strings.ToLower(rand.Text())
	check(t, psql(server, "CREATE DATABASE "+name+" "+how))
	t.Cleanup(func() {
		if err := psql(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	database, err := url.Parse(server)
	if err != nil {
		t.Fatal("CHECKPOINT_TEST_POSTGRES must be a URL, postgres://user:password@host/database")
	}
	database.Path = "/" + name
	return database.String()
}

// StartPostgres starts a PostgreSQL server of the test's own. Its URL is that
// of the database postgres, which is empty, and of the superuser.
func StartPostgres(t testing.TB, options PostgresOptions) *Process {
	t.Helper()
	p, err := startPostgres(ownedBy(t), options)
	check(t, err)
	return p
}

func startPostgres(o *owner, options PostgresOptions) (*Process, error) {
	template, err := postgresTemplate()
	if err != nil {
		return nil, err
	}
	return launch(o, "postgres", func(p *Process, port int) (command, error) {
		data := filepath.Join(p.Dir, "data")
		if err := errors.Join(os.CopyFS(data, os.DirFS(template)), os.Chmod(data, 0o700)); err != nil {
			return command{}, err
		}
		lines := []string{
			"max_connections = 300",
			// Segments in the data folder are not left behind when it is killed.
			"dynamic_shared_memory_type = mmap",
		}
		if !options.Fsync {
			lines = append(lines, "fsync = off", "full_page_writes = off")
		}
		address := postgresURL(p.Addr)
		if options.TLS {
			cert, err := writeCertificates(p.Dir)
			if err != nil {
				return command{}, err
			}
			lines = append(lines, "ssl = on", "ssl_cert_file = '"+cert.server+"'", "ssl_key_file = '"+cert.key+"'")
			address.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {cert.authority}}.Encode()
		}
		p.URL = address.String()
		lines = append(lines, options.Config...)
		err := appendLine(filepath.Join(data, "postgresql.conf"), "\n"+strings.Join(lines, "\n"))
		return postgresCommand(data, port), err
	})
}

func postgresURL(addr string) *url.URL {
	return &url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(postgresUser, postgresPassword),
		Host:     addr,
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
}

// postgresCommand describes how a server is run. launch has seen that the
// programs are there.
func postgresCommand(data string, port int) command {
	path, _ := findPostgres("postgres")
	return command{
		path: path,
		args: []string{"-D", data, "-p", fmt.Sprint(port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="},
		dropRoot: true,
		ready:    logged("database system is ready to accept"),
		stop:     sigInt,
		abandon:  sigQuit,
	}
}

func findPostgres(program string) (string, error) {
	return find("Debian: postgresql, macOS: brew install postgresql", []string{program}, "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
}

// postgresTemplate makes the data folder that the servers of this test binary
// start from: copying it is several times faster than initdb.
func postgresTemplate() (string, error) {
	template := sharedOnce("initdb")
	template.Do(func() { template.url, template.err = initdb() })
	return template.url, template.err
}

func initdb() (string, error) {
	program, err := findPostgres("initdb")
	if err != nil {
		return "", err
	}
	dir, err := newDir("initdb")
	if err != nil {
		return "", err
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(postgresPassword), 0o600); err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	_, err = output(dir, true, program, "-D", data, "-U", postgresUser, "--pwfile", secret,
		"--auth=scram-sha-256", "--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions")
	return data, err
}

// psql runs one statement.
func psql(server, statement string) error {
	_, err := selectText(server, statement)
	return err
}

// selectText runs one statement and returns what it selects as text.
func selectText(server, statement string) (string, error) {
	program, err := findPostgres("psql")
	if err != nil {
		return "", err
	}
	out, err := output(os.TempDir(), false, program, "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", statement)
	if err != nil {
		return "", fmt.Errorf("%w (for: %s)", err, statement)
	}
	return strings.TrimSpace(string(out)), nil
}
