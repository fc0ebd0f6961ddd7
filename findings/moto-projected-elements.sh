#!/usr/bin/env bash
# moto 5.2.5 (PyPI), mock of DynamoDB, a ProjectionExpression of two elements of a list
#
# Input:    the list 0, 1, 2 and a GetItem with the ProjectionExpression "l[0], l[2]".
# Expected: both elements, in the order of the list: 0, 2. DynamoDB Local 1.25.1,
#           dynalite 4.0.0, dynoxide 3.2.0 and ministack 1.5.33 answer so.
# Found:    the element that is named last, alone. Of two keys of a map, moto returns
#           both.
# Matters:  a program that reads some steps of a history, as the first and the last,
#           gets one of them in tests with moto, and no error.
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
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    client.put_item(TableName="steps", Item={
        "id": {"S": "a"}, "l": {"L": [{"N": str(n)} for n in range(3)]}, "m": {"M": {k: {"S": k} for k in "xyz"}}})

    def get(expression, name):
        item = client.get_item(TableName="steps", Key={"id": {"S": "a"}}, ProjectionExpression=expression)["Item"]
        return item[name]

    for expression in "l[0]", "l[0], l[2]", "l[2], l[0]":
        print(f"{expression}: {', '.join(e['N'] for e in get(expression, 'l')['L'])}")
    print(f"m.x, m.z: {', '.join(sorted(get('m.x, m.z', 'm')['M']))}")
END
venv/bin/python main.py | tee got
diff - got <<'END'
l[0]: 0
l[0], l[2]: 2
l[2], l[0]: 0
m.x, m.z: x, z
END
echo 'as described'
