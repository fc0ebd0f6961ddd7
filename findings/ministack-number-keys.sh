#!/usr/bin/env bash
# ministack 1.5.33 (PyPI), emulator of DynamoDB, a key of a number that is spelled
# otherwise
#
# Input:    an item with the sort key 1, and a GetItem of the key 1.0.
# Expected: the item: keys are numbers, and 1.0 is 1. DynamoDB Local 1.25.1, dynalite
#           4.0.0, dynoxide 3.2.0 and moto 5.2.5 answer so.
# Found:    GetItem, BatchGetItem and a transaction's ConditionCheck find nothing, and
#           Query and the condition of a PutItem find the item.
# Matters:  a program whose numbers come from decimals (Python's Decimal keeps the
#           zeros that it was made with) does not load in tests what it has saved, and
#           a save on the condition that nothing is there is refused.
#
# Needs Python 3 with venv, and PyPI. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT && cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile ministack==1.5.33 boto3==1.43.106
cat >main.py <<'END'
import sys, time
import boto3

client = boto3.client("dynamodb", "eu-central-1", endpoint_url=sys.argv[1], aws_access_key_id="x", aws_secret_access_key="x")
for _ in range(300):  # until it listens
    try:
        client.list_tables()
        break
    except Exception:
        time.sleep(0.1)
client.create_table(
    TableName="steps", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "step", "AttributeType": "N"}],
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "step", "KeyType": "RANGE"}])
client.get_waiter("table_exists").wait(TableName="steps")
client.put_item(TableName="steps", Item={"id": {"S": "a"}, "step": {"N": "1"}})
for number in "1", "1.0":
    key = {"id": {"S": "a"}, "step": {"N": number}}
    get = "Item" in client.get_item(TableName="steps", Key=key, ConsistentRead=True)
    batch = len(client.batch_get_item(RequestItems={"steps": {"Keys": [key]}})["Responses"]["steps"]) > 0
    query = client.query(
        TableName="steps", KeyConditionExpression="id = :id AND step = :step",
        ExpressionAttributeValues={":id": key["id"], ":step": key["step"]})["Count"] > 0
    try:
        client.put_item(TableName="steps", Item=key, ConditionExpression="attribute_not_exists(id)")
        put = False
    except client.exceptions.ConditionalCheckFailedException:
        put = True
    try:
        client.transact_write_items(TransactItems=[{"ConditionCheck": {"TableName": "steps", "Key": key, "ConditionExpression": "attribute_not_exists(id)"}}])
        check = False
    except client.exceptions.TransactionCanceledException:
        check = True
    print(f"step {number}: GetItem {get}, BatchGetItem {batch}, Query {query}, PutItem {put}, ConditionCheck {check}")
END
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
BIND_HOST=127.0.0.1 GATEWAY_PORT=$port venv/bin/python -m ministack >log 2>&1 &
venv/bin/python main.py "http://127.0.0.1:$port" | tee got
diff - got <<'END'
step 1: GetItem True, BatchGetItem True, Query True, PutItem True, ConditionCheck True
step 1.0: GetItem False, BatchGetItem False, Query True, PutItem True, ConditionCheck False
END
echo 'as described'
