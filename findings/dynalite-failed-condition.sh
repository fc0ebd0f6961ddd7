#!/usr/bin/env bash
# dynalite 4.0.0 (npm), ReturnValuesOnConditionCheckFailure=ALL_OLD
#
# Input:    an item, and a PutItem of the same key with the condition
#           attribute_not_exists(id) and ReturnValuesOnConditionCheckFailure=ALL_OLD.
# Expected: ConditionalCheckFailedException with the item that is there, as the API
#           reference says of this parameter and DynamoDB Local 1.25.1 does.
# Found:    the exception without an item: the parameter is accepted and ignored.
# Matters:  a program that tells its own repeated write from another's by the
#           returned item cannot on such a server, and has to read.
#
# Needs Node.js with npm, and its registry. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir"
npm --silent --no-fund --no-audit --cache "$dir/cache" install dynalite@4.0.0 @aws-sdk/client-dynamodb@3.600.0 >/dev/null
cat >main.mjs <<'END'
import dynalite from 'dynalite'
import { DynamoDBClient, CreateTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'

const server = dynalite({ createTableMs: 0 })
await new Promise(done => server.listen(0, '127.0.0.1', done))
const client = new DynamoDBClient({
  endpoint: `http://127.0.0.1:${server.address().port}`, region: 'eu-central-1',
  credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
})
await client.send(new CreateTableCommand({
  TableName: 'tab', BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
}))
const put = () => client.send(new PutItemCommand({
  TableName: 'tab', Item: { id: { S: 'a' } }, ConditionExpression: 'attribute_not_exists(id)',
  ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
}))
for (let ready = false; !ready;) {
  ready = await put().then(() => true, err => { if (err.name !== 'ResourceNotFoundException') throw err; return false })
}
await put().catch(err => console.log(`${err.name}: item ${JSON.stringify(err.Item)}`))
client.destroy()
server.close()
END
node main.mjs 2>/dev/null | tee got
diff - got <<'END'
ConditionalCheckFailedException: item undefined
END
echo 'as described'
