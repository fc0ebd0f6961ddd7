#!/usr/bin/env bash
# @electric-sql/pglite-socket 0.2.17 with @electric-sql/pglite 0.5.14 (npm),
# --max-connections=10
#
# Input:    two connections of the client pg 8.16.3. Both take the same advisory lock;
#           the first one sets search_path and prepares a statement, and ends.
# Expected: two sessions, as PostgreSQL has for two connections: the second one does
#           not get the lock ("only one session can hold it at a time"), and sees
#           neither setting nor statement.
# Found:    all connections are one session, with one process id: both get the lock,
#           the second one has the other's search_path and statement, and keeps them
#           and the lock when the first one has gone.
# Matters:  code that excludes others by pg_try_advisory_lock (migrations, leaders,
#           job queues) seems to work in such tests and excludes nobody; settings of
#           one test reach the next.
#
# Needs Node.js with npm, and its registry. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
npm --silent --no-fund --no-audit --cache "$dir/cache" install \
	@electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17 pg@8.16.3 >/dev/null
cat >main.mjs <<'END'
import net from 'node:net'
import pg from 'pg'
import { spawn } from 'node:child_process'

const port = await new Promise(done => {
  const s = net.createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)) })
})
const server = spawn('node', ['node_modules/.bin/pglite-server', '--db=memory://', '--host=127.0.0.1',
  `--port=${port}`, '--max-connections=10'], { stdio: 'ignore' })
async function connect() {
  for (;;) { // until it listens
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' })
    client.on('error', () => {})
    try { await client.connect(); return client } catch { await new Promise(done => setTimeout(done, 200)) }
  }
}
async function show(name, client, query) {
  const { rows } = await client.query(query)
  console.log(`${name}: ${query}: ${rows.length ? Object.values(rows[0])[0] : 'done'}`)
}
const first = await connect(), second = await connect()
await show('first', first, 'SELECT pg_try_advisory_lock(7)')
await show('second', second, 'SELECT pg_try_advisory_lock(7)')
await show('first', first, 'SET search_path = tenant')
await show('first', first, "PREPARE own AS SELECT 'of the first'")
await first.end()
await show('second', second, 'SHOW search_path')
await show('second', second, 'EXECUTE own')
await show('second', second, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
await second.end()
server.kill()
END
node main.mjs | tee got
diff - got <<'END'
first: SELECT pg_try_advisory_lock(7): true
second: SELECT pg_try_advisory_lock(7): true
first: SET search_path = tenant: done
first: PREPARE own AS SELECT 'of the first': done
second: SHOW search_path: tenant
second: EXECUTE own: of the first
second: SELECT count(*) FROM pg_locks WHERE locktype = 'advisory': 1
END
echo 'as described'
