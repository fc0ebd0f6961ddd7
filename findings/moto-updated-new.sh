#!/usr/bin/env bash
# moto 5.2.5 (PyPI), mock of DynamoDB, UpdateItem with ReturnValues=UPDATED_NEW
#
# Input:    an item with created=1 and version=1, and an UpdateItem
#           "SET created = if_not_exists(created, :now), version = version + :one"
#           with :now = 2, which sets created to the value that it has.
# Expected: both attributes, as the API reference says ("Returns only the updated
#           attributes, as they appear after the UpdateItem operation") and DynamoDB
#           Local answers: an attribute that was set is an updated one.
# Found:    moto returns version alone: it compares old and new values, and leaves out
#           what came out equal.
# Matters:  a program that reads what its update has set gets nothing for
#           attributes that kept their value, in tests with moto only.
#
# Needs Python 3 with venv, and PyPI. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'moto[dynamodb]==5.2.5'
cat >main.py <<'END'
import boto3
from moto import mock_aws

with mock_aws():
    client = boto3.client("dynamodb", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    client.create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    client.put_item(TableName="t", Item={"id": {"S": "a"}, "created": {"N": "1"}, "version": {"N": "1"}})
    answer = client.update_item(
        TableName="t", Key={"id": {"S": "a"}}, ReturnValues="UPDATED_NEW",
        UpdateExpression="SET created = if_not_exists(created, :now), version = version + :one",
        ExpressionAttributeValues={":now": {"N": "2"}, ":one": {"N": "1"}})
    print("updated:", *sorted(answer["Attributes"]))
    print("created is still", client.get_item(TableName="t", Key={"id": {"S": "a"}})["Item"]["created"]["N"])
END
venv/bin/python main.py | tee got
diff - got <<'END'
updated: version
created is still 1
END
echo 'as described'
