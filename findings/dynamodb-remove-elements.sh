#!/usr/bin/env bash
# dynalite 4.0.0 (npm) and ministack 1.5.33 (PyPI), REMOVE of several elements of a list
#
# Input:    the list 0, 1, 2, 3, 4 and the UpdateExpression "REMOVE l[1], l[3]".
# Expected: 0, 2, 4, as DynamoDB Local 1.25.1 and moto 5.2.5 answer: the expression
#           names elements of the list as it was. The developer guide's example,
#           "REMOVE RelatedItems[1], RelatedItems[2]", takes out two neighbours.
# Found:    both remove one element after the other, and count anew in between: the
#           second index hits the element behind the one it names, 4.
# Matters:  a program that removes two elements at once keeps another list in tests
#           than in production; which one is right is not seen from either alone.
#
# Needs Node.js with npm, Python 3 with venv, and their registries. Fails if the
# behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT && cd "$dir"
npm --silent --no-fund --no-audit --cache "$dir/cache" install dynalite@4.0.0 >/dev/null
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile ministack==1.5.33 boto3==1.43.106
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
client.put_item(TableName="lists", Item={"id": {"S": "a"}, "l": {"L": [{"N": str(i)} for i in range(5)]}})
answer = client.update_item(
    TableName="lists", Key={"id": {"S": "a"}}, UpdateExpression="REMOVE l[1], l[3]", ReturnValues="ALL_NEW")
print(f"{name}:", *(v["N"] for v in answer["Attributes"]["l"]["L"]))
END
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
first=$(port) second=$(port)
node node_modules/.bin/dynalite --host 127.0.0.1 --port "$first" --createTableMs 0 >log1 2>&1 &
BIND_HOST=127.0.0.1 GATEWAY_PORT=$second venv/bin/python -m ministack >log2 2>&1 &
venv/bin/python main.py dynalite "http://127.0.0.1:$first" | tee got
venv/bin/python main.py ministack "http://127.0.0.1:$second" | tee -a got
diff - got <<'END'
dynalite: 0 2 3
ministack: 0 2 3
END
echo 'as described'
