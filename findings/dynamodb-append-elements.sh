#!/usr/bin/env bash
# moto 5.2.5 and ministack 1.5.33 (PyPI), SET of several elements behind a list's end
#
# Input:    the list 0, 1, 2 and the UpdateExpression "SET l[9] = :nine, l[5] = :five".
# Expected: 0, 1, 2, 5, 9: DynamoDB's guide has elements that one SET adds to a list
#           sorted by their numbers, as DynamoDB Local 1.25.1, dynalite 4.0.0 and
#           dynoxide 3.2.0 do.
# Found:    both append them as the expression names them: 0, 1, 2, 9, 5.
# Matters:  a program that makes the expression from a map, whose order is any, has
#           its steps in order in production and out of order in tests.
#
# Needs Python 3 with venv, and PyPI. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT && cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile 'moto[dynamodb,server]==5.2.5' ministack==1.5.33 boto3==1.43.106
cat >main.py <<'END'
import sys, time
import boto3

name, url = sys.argv[1:]
client = boto3.client("dynamodb", "eu-central-1", endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x")
for _ in range(300):  # until it listens
    try:
        client.list_tables()
        break
    except Exception:
        time.sleep(0.1)
client.create_table(
    TableName="lists", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
client.get_waiter("table_exists").wait(TableName="lists")
client.put_item(TableName="lists", Item={"id": {"S": "a"}, "l": {"L": [{"N": str(i)} for i in range(3)]}})
answer = client.update_item(
    TableName="lists", Key={"id": {"S": "a"}}, UpdateExpression="SET l[9] = :nine, l[5] = :five",
    ExpressionAttributeValues={":nine": {"N": "9"}, ":five": {"N": "5"}}, ReturnValues="ALL_NEW")
print(f"{name}:", *(v["N"] for v in answer["Attributes"]["l"]["L"]))
END
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
first=$(port) second=$(port)
venv/bin/python -m moto.server -H 127.0.0.1 -p "$first" >log1 2>&1 &
BIND_HOST=127.0.0.1 GATEWAY_PORT=$second venv/bin/python -m ministack >log2 2>&1 &
venv/bin/python main.py moto "http://127.0.0.1:$first" | tee got
venv/bin/python main.py ministack "http://127.0.0.1:$second" | tee -a got
diff - got <<'END'
moto: 0 1 2 9 5
ministack: 0 1 2 9 5
END
echo 'as described'
