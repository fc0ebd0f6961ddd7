#!/usr/bin/env bash
# DynamoDB Local 1.25.1 (in amplify-dynamodb-simulator 2.9.30, npm), Query of an index
# with the projection KEYS_ONLY
#
# Input:    40 items of 100 KB in a partition of the index, whose entries are keys of
#           some 30 bytes, and a Query with Limit=40.
# Expected: 40 entries in one answer. A Query ends at 1 MB of results, and what it reads
#           of an index has the size of the entries, not of the table's items, as the
#           developer guide says of its capacity. ministack 1.5.33 answers so.
# Found:    the answer ends when the table's items that it stands for come to 1 MB, after
#           11 entries, with a LastEvaluatedKey.
# Matters:  what lists by a narrow index and then reads the items by BatchGetItem takes
#           four rounds here instead of one, the more the larger the states are: numbers of
#           requests and times that are measured with it say nothing about the service.
#
# Needs Node.js with npm, Java, Python 3 with venv, and their registries. Fails if the
# behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT && cd "$dir"
npm pack --silent --cache "$dir/cache" amplify-dynamodb-simulator@2.9.30 >/dev/null
tar -xzf amplify-dynamodb-simulator-2.9.30.tgz package/emulator
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
    TableName="states", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", "kind", "name")],
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    GlobalSecondaryIndexes=[{
        "IndexName": "names", "Projection": {"ProjectionType": "KEYS_ONLY"},
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "name", "KeyType": "RANGE"}]}])
client.get_waiter("table_exists").wait(TableName="states")
for i in range(40):
    client.put_item(TableName="states", Item={
        "id": {"S": f"id-{i:02}"}, "kind": {"S": "agent"}, "name": {"S": f"name-{i:02}"}, "state": {"S": "x" * 102400}})
page = client.query(
    TableName="states", IndexName="names", Limit=40, KeyConditionExpression="kind = :k", ExpressionAttributeValues={":k": {"S": "agent"}})
print(f"{name}: {page['Count']} entries of {len(str(page['Items'][0]))} characters")
END
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
first=$(port) second=$(port)
java "-Djava.io.tmpdir=$dir" "-Djava.library.path=package/emulator/DynamoDBLocal_lib" \
	-jar package/emulator/DynamoDBLocal.jar -inMemory -port "$first" >log1 2>&1 &
BIND_HOST=127.0.0.1 GATEWAY_PORT=$second venv/bin/python -m ministack >log2 2>&1 &
venv/bin/python main.py 'DynamoDB Local' "http://127.0.0.1:$first" | tee got
venv/bin/python main.py ministack "http://127.0.0.1:$second" | tee -a got
diff - got <<'END'
DynamoDB Local: 11 entries of 72 characters
ministack: 40 entries of 72 characters
END
echo 'as described'
