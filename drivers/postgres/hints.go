package postgres

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/lib/pq"
)

// foreignWords are words of other clients, as vendors print them, and what to
// write here.
var foreignWords = map[string]string{
	"pgbouncer":               "leave it out: a pooler is noticed (prepare=auto)",
	"schema":                  "write search_path",
	"currentSchema":           "write search_path",
	"connection_limit":        "write max_connections",
	"pool_max_conns":          "write max_connections",
	"pool_size":               "write max_connections",
	"pool_min_conns":          "write min_connections",
	"pool_timeout":            "leave it out: an operation waits as long as its context allows",
	"statement_cache_mode":    "write prepare=false, or leave it out",
	"default_query_exec_mode": "write prepare=false, or leave it out",
	"supa":                    "leave it out",
	"uselibpqcompat":          "leave it out",
	"ssl":                     "write sslmode=verify-full, or sslmode=require",
	"sslaccept":               "write sslmode=verify-full, or sslmode=require",
	"ssl_mode":                "write sslmode",
	"sslpassword":             "lib/pq takes keys without a password only",
	"sslcrl":                  "lib/pq does not read lists of revoked certificates: leave it out",
	"gssencmode":              "leave it out: lib/pq does not encrypt by GSSAPI",
	"keepalives":              "leave it out: connections are kept alive",
	"keepalives_idle":         "leave it out: connections are kept alive",
	"tcp_user_timeout":        "leave it out: contexts and a limit of 8.5 seconds bound the waiting",
	"serverTimezone":          "write timezone",
}

var (
	hostAndPort = regexp.MustCompile(`^[A-Za-z0-9_.-]+:[0-9]+(/[A-Za-z0-9_-]*)?$`)
	variable    = regexp.MustCompile(`\bPG[A-Z]+\b`)
)

// foreignForm returns a hint on a DSN that is another client's, and shows none of
// it: nil where it may be this one's.
func foreignForm(base string) error {
	scheme, _, found := strings.Cut(base, "://")
	switch {
	case strings.HasPrefix(base, "jdbc:"):
		return errors.New("want postgres://user:password@host:port/database; leave out jdbc:, and put user and password before the host")
	case found && strings.HasPrefix(scheme, "postgres") && strings.Contains(scheme, "+"):
		return errors.New("want postgres://user:password@host:port/database; leave out the '+' and the name after it, which chooses a client for another language")
	case found && !strings.ContainsAny(scheme, "= '"):
		return errors.New("want postgres://user:password@host:port/database; it has the scheme of another database")
	case hostAndPort.MatchString(base):
		return errors.New("want postgres://user:password@host:port/database; it is a host and a port alone")
	}
	return nil
}

// environmentError names the variable that keeps lib/pq from reading any DSN, and
// is nil if there is none. Values are not shown: they may be secrets.
func environmentError() error {
	_, err := pq.NewConfig("")
	if err == nil {
		return nil
	}
	name := variable.FindString(err.Error())
	if _, set := os.LookupEnv(name); name == "" || !set {
		return errors.New("an environment variable PG... or a service file has a value that lib/pq does not take")
	}
	if strings.Contains(err.Error(), "not supported") {
		return fmt.Errorf("lib/pq does not support the environment variable %s; unset it for this program", name)
	}
	return fmt.Errorf("the environment variable %s has a value that lib/pq does not take", name)
}
