#!/usr/bin/env bash
# @electric-sql/pglite 0.5.14 (npm), PostgreSQL 18 in WebAssembly, in the process
#
# Input:    SET statement_timeout = '100ms', and a statement that takes 500 ms.
# Expected: "canceling statement due to statement timeout" (57014): "Abort any statement
#           that takes more than the specified amount of time" (manual, client
#           connection defaults). PostgreSQL 15.18 and 18.4 do so.
# Found:    SET and SHOW take and tell the value, and the statement goes on to its end
#           without an error.
# Matters:  what a program does about statements that take too long goes untested, and
#           a test that waits for the limit waits for the whole statement.
#
# Needs Node.js with npm, and its registry. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
npm --silent --no-fund --no-audit --cache "$dir/cache" install @electric-sql/pglite@0.5.14 >/dev/null
cat >main.mjs <<'END'
import { PGlite } from '@electric-sql/pglite'

const db = await PGlite.create()
await db.exec("SET statement_timeout = '100ms'")
const { rows } = await db.query('SHOW statement_timeout')
const outcome = await db.query('SELECT pg_sleep(0.5)').then(() => 'no error', err => `${err.code} ${err.message}`)
console.log(`statement_timeout ${rows[0].statement_timeout}: ${outcome}`)
await db.close()
END
node main.mjs | tee got
diff - got <<'END'
statement_timeout 100ms: no error
END
echo 'as described'
