#!/usr/bin/env bash
# moto 5.2.5 (PyPI), mock of DynamoDB, an update that reads an attribute of the key
#
# Input:    an UpdateItem with "SET following = step + :one", where step is the sort key.
# Expected: one more than the key: an update may not write an attribute of the
#           key, and may read it. DynamoDB Local 1.25.1, dynalite 4.0.0, dynoxide 3.2.0
#           and ministack 1.5.33 do so.
# Found:    a ValidationException that says the key cannot be updated, wherever the
#           expression names it, on the right of the equals sign too.
# Matters:  links between steps that are made from their numbers cannot be tested with
#           moto, whose error is that of another mistake.
#
# Needs Python 3 with venv, and PyPI. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check --no-compile 'moto[dynamodb]==5.2.5'
cat >main.py <<'END'
import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

with mock_aws():
    client = boto3.client("dynamodb", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    client.create_table(
        TableName="steps", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "step", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "step", "KeyType": "RANGE"}])
    key = {"id": {"S": "a"}, "step": {"N": "3"}}
    client.put_item(TableName="steps", Item={**key, "origin": {"N": "3"}})
    for source in "origin", "step":
        try:
            got = client.update_item(
                TableName="steps", Key=key, UpdateExpression=f"SET following = {source} + :one", ReturnValues="ALL_NEW",
                ExpressionAttributeValues={":one": {"N": "1"}})["Attributes"]["following"]["N"]
        except ClientError as e:
            got = e.response["Error"]["Message"]
        print(f"from {source}: {got}")
END
venv/bin/python main.py | tee got
diff - got <<'END'
from origin: 4
from step: One or more parameter values were invalid: Cannot update attribute step. This attribute is part of the key
END
echo 'as described'
