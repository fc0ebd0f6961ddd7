#!/usr/bin/env bash
# fakeredis 2.40.0 (PyPI), the TCP server, and @redis/client 6.3.1 (npm)
#
# Input:    SET of two bytes that are no UTF-8, as compressed states have them, and GET.
# Expected: a bulk string, the answer of GET, also by Redis 7.0.15. A program that
#           has the client map bulk strings to buffers gets the two bytes.
# Found:    fakeredis answers with a simple string wherever the value has no CR or LF.
#           The mapping is not asked, the client makes text of it, and the bytes are
#           gone. With an LF among them they come as a bulk string and are right.
# Matters:  whether a test with fakeredis gets back the bytes it has saved depends on
#           whether there is a line break among them. Clients that treat both kinds of
#           strings alike, go-redis among them, do not notice.
#
# Needs Python 3 with venv, Node.js 20, PyPI and npm. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && cd "$dir"
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile fakeredis==2.40.0
npm --loglevel=error --no-fund --no-audit install @redis/client@6.3.1 >/dev/null
cat >server.py <<'END'
import os

from fakeredis import TcpFakeServer

server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
with open("port.new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename("port.new", "port")
server.serve_forever()
END
cat >main.js <<'END'
const net = require('node:net');
const { createClient, RESP_TYPES } = require('@redis/client');

const port = Number(process.argv[2]);

function raw(command) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(command));
    socket.once('data', (data) => { socket.destroy(); resolve(data); });
    socket.once('error', reject);
  });
}

(async () => {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  await client.connect();
  for (const value of [Buffer.from([0xb5, 0xfd]), Buffer.from([0xb5, 0x0a, 0xfd])]) {
    await client.set('state', value);
    const reply = await raw('*2\r\n$3\r\nGET\r\n$5\r\nstate\r\n');
    const got = await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get('state');
    console.log(`saved ${value.toString('hex')}: GET answers ${JSON.stringify(reply.toString('latin1')[0])}, ` +
      `the client returns a ${Buffer.isBuffer(got) ? 'buffer' : typeof got}: ${Buffer.from(got).toString('hex')}`);
  }
  client.destroy();
})();
END
venv/bin/python server.py &
server=$!
for _ in $(seq 100); do [ -e port ] && break; sleep 0.1; done
node main.js "$(cat port)" | tee got
diff - got <<'END'
saved b5fd: GET answers "+", the client returns a string: efbfbdefbfbd
saved b50afd: GET answers "$", the client returns a buffer: b50afd
END
echo 'as described'
