#!/usr/bin/env bash
# moto 5.2.5 (PyPI), mock of DynamoDB, Query with a Limit that the items just fill
#
# Input:    three items with the same partition key, and a Query with Limit=3.
# Expected: three items and a LastEvaluatedKey, after which a further Query answers
#           an empty page: DynamoDB stops at the limit, and does not look whether
#           something follows. DynamoDB Local 1.25.1, dynalite 4.0.0 and ministack
#           1.5.33 do so.
# Found:    moto looks ahead, and leaves the LastEvaluatedKey out.
# Matters:  no test with moto ever meets an empty last page. A program that shows
#           "more" for a LastEvaluatedKey, or takes the first item of each page, fails
#           with the service alone.
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
        TableName="steps", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}])
    for n in range(3):
        client.put_item(TableName="steps", Item={"id": {"S": "a"}, "n": {"N": str(n)}})
    for limit in 2, 3:
        page = client.query(TableName="steps", Limit=limit, KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": "a"}})
        print(f"limit {limit}: {page['Count']} items, goes on: {'LastEvaluatedKey' in page}")
END
venv/bin/python main.py | tee got
diff - got <<'END'
limit 2: 2 items, goes on: True
limit 3: 3 items, goes on: False
END
echo 'as described'
