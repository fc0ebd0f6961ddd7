#!/usr/bin/env bash
# moto 5.2.5 (PyPI), mock of DynamoDB, the server of moto.server
#
# Input:    8 clients that send at once, for an item of version 1, an UpdateItem
#           "SET version = :new" (2) on the condition "version = :old" (1); again with
#           another item until the answer is the one below, at most 1,000 times.
# Expected: one client succeeds and the others get a ConditionalCheckFailedException,
#           since the first one's write ends what the condition asks for: "a condition
#           that must be satisfied in order for a conditional update to succeed" (API
#           reference). DynamoDB Local 1.25.1 and dynalite 4.0.0 do so.
# Found:    several succeed. The server has a thread per request, and looks at the
#           condition and writes without a lock around both.
# Matters:  locks, leases, counters and versions that rest on conditions lose updates
#           in tests with moto's server, now and then, and seem to be what is broken;
#           nothing that moto acknowledged says that a condition was decided.
#
# Needs Python 3 with venv, and PyPI. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile 'moto[dynamodb,server]==5.2.5'
cat >main.py <<'END'
import logging
import threading
import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
endpoint = "http://%s:%d" % server.get_host_and_port()
clients = [boto3.session.Session().client(
    "dynamodb", "eu-central-1", endpoint_url=endpoint,
    aws_access_key_id="x", aws_secret_access_key="x") for _ in range(8)]
clients[0].create_table(
    TableName="t", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])

def update(client, id):
    client.update_item(
        TableName="t", Key={"id": {"S": id}}, ConditionExpression="version = :old", UpdateExpression="SET version = :new",
        ExpressionAttributeValues={":old": {"N": "1"}, ":new": {"N": "2"}})

def successes(id):
    begin, succeeded = threading.Barrier(len(clients)), []
    def one(client):
        begin.wait()
        try:
            update(client, id)
            succeeded.append(client)
        except client.exceptions.ConditionalCheckFailedException:
            pass
    threads = [threading.Thread(target=one, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(succeeded)

for attempt in range(1000):
    id = str(attempt)
    clients[0].put_item(TableName="t", Item={"id": {"S": id}, "version": {"N": "1"}})
    if (n := successes(id)) != 1:
        break
print("of 8 updates", "several succeeded" if n > 1 else f"{n} succeeded")
server.stop()
END
venv/bin/python main.py | tee got
diff - got <<'END'
of 8 updates several succeeded
END
echo 'as described'
