#!/usr/bin/env bash
# moto 5.2.5 (PyPI), mock of DynamoDB, TransactWriteItems with a ClientRequestToken
#
# Input:    a transaction that adds 1 to a number, sent twice with the same token, as
#           a client does that has lost the first answer; and the same token with a
#           transaction that adds 5.
# Expected: 1 after both, since the token "makes the call to TransactWriteItems
#           idempotent" (API reference) for ten minutes, and an
#           IdempotentParameterMismatchException for the third call. DynamoDB Local
#           1.25.1 and ministack 1.5.33 do so.
# Found:    moto ignores the token, and applies all three.
# Matters:  a test of what a program does about lost answers counts twice with moto,
#           and a token that is used for two transactions by mistake goes unnoticed.
#
# Needs Python 3 with venv, and PyPI. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile 'moto[dynamodb]==5.2.5'
cat >main.py <<'END'
import boto3
from moto import mock_aws

with mock_aws():
    client = boto3.client("dynamodb", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    client.create_table(
        TableName="counters", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    for amount in "1", "1", "5":
        client.transact_write_items(ClientRequestToken="token", TransactItems=[{"Update": {
            "TableName": "counters", "Key": {"id": {"S": "a"}}, "UpdateExpression": "ADD n :amount",
            "ExpressionAttributeValues": {":amount": {"N": amount}}}}])
        item = client.get_item(TableName="counters", Key={"id": {"S": "a"}})["Item"]
        print(f"added {amount}: {item['n']['N']}")
END
venv/bin/python main.py | tee got
diff - got <<'END'
added 1: 1
added 1: 2
added 5: 7
END
echo 'as described'
