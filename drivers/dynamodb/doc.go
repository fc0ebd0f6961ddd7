// Package dynamodb keeps checkpoints in Amazon DynamoDB. Import it for its side
// effect:
//
//	import _ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
//
//	store, err := checkpoint.Open("dynamodb", "agent-checkpoints?region=eu-central-1")
//
// See [ParseConfig] for the words of a DSN. A table of another account is given by
// its ARN, arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE; its resource-based policy has
// to allow what is listed under Permissions. Credentials come from the AWS SDK's
// own chain: environment, shared files, roles; AWS_ENDPOINT_URL_DYNAMODB is
// heeded. [New] takes a client that is there already.
//
// # The table
//
// Any table will do whose only key is the string thread_id, as this makes it:
//
//	aws dynamodb create-table --table-name agent-checkpoints \
//	  --attribute-definitions AttributeName=thread_id,AttributeType=S \
//	  --key-schema AttributeName=thread_id,KeyType=HASH \
//	  --billing-mode PAY_PER_REQUEST
//	aws dynamodb update-time-to-live --table-name agent-checkpoints \
//	  --time-to-live-specification Enabled=true,AttributeName=ttl
//
// With create_table=true the driver makes it by itself, with time to live and
// the index checkpoint-threads: hash key list_namespace, range key list_name,
// both strings, projection KEYS_ONLY. The index serves List, Purge and
// Namespaces; without it they scan the table, in segments at the same time where it
// has more than 1 MB, and List sorts in memory.
//
// Items that another program wrote as {thread_id, state, updated_at, ttl}, state
// being a JSON string, updated_at RFC 3339 and ttl seconds since 1970, are the
// first version of their thread in the namespace agents. The index holds them
// from their next save on.
//
// # Layout
//
// The latest checkpoint of a thread is one item, its head: in the namespace
// agents under the thread's name, elsewhere under ckpt#h#NAMESPACE#THREAD. JSON
// states are in the string state, others in the binary data. Older versions have
// items of their own, and so have the parts of a payload of more than 395,000
// bytes, which the head names with their number and SHA-256. What a head refers
// to is written before it and removed after it, so that a crash between two
// requests leaves the old checkpoint or the new one. A patch (an incremental save)
// is in the item of its version from the beginning, and both are written by one
// transaction. A journal item, written
// first, tells Purge what a dead writer may have left.
//
// # Cost
//
// Requests for each operation on a thread that keeps one version below 395,000
// bytes:
//
//	save, conditional or not   1 PutItem or UpdateItem, 1 write unit a KB
//	load                       1 GetItem         1 read unit per 4 KB
//	stat                       1 GetItem         as load: DynamoDB counts whole items
//	delete                     1 DeleteItem      1 write unit a KB
//	find, by id                1 GetItem for the latest, 2 for an older one (3 beyond the newest hundred)
//	versions, page of 100      1 GetItem, 1 BatchGetItem; as 101 loads
//	list, page of 100          1 Query, 1 BatchGetItem; as 100 loads
//	delete prefix              a list, and 1 DeleteItem for each thread
//	collect                    2 Scans of the table, eventually consistent, and 3 consistent ones for what they find
//
// A backend remembers the heads of threads that were saved or loaded last, 4 MiB of
// them, without the states. A save goes by them as a condition that DynamoDB decides;
// where another process has saved in between it takes one request more.
//
// An incremental save is a TransactWriteItems of the patch and the head, which is
// small, and a GetItem of the head before it where that is not remembered; a load of
// one is a GetItem and a BatchGetItem of all that the patch needs.
//
// A save changes nothing that the index holds and costs no unit there, but for
// the first of a thread. With a history a save is a GetItem and two PutItem, of
// the present head as an older version and of the new one; every tenth is also a
// BatchWriteItem that removes the ten versions that have fallen out, which nobody
// could read any more. It consumes three times the units. A payload in parts
// costs a journal and one item for each 390,000 bytes more. The page
// docs/dynamodb-costs.md of this module has requests and units of every
// operation, for small and large states, as a test measures them.
//
// # Expiry
//
// An expired thread is absent from that moment on, whether DynamoDB has removed
// it or not. Heads without further items carry ttl, an hour after their expiry, or
// after they were written if that was later, and DynamoDB removes them in its own
// time. Threads with a history or with parts are left to
// [checkpoint.Store.Purge], which removes all their items: run it daily.
//
// # Permissions
//
// This policy allows what the driver sends, and nothing else. Only create_table
// needs the second statement. A table without an index needs no Query, and one
// with an index needs Scan for Namespaces only. An error of a refused request
// names the action that is missing.
//
//	{
//	  "Version": "2012-10-17",
//	  "Statement": [
//	    {
//	      "Sid": "Checkpoints",
//	      "Effect": "Allow",
//	      "Action": [
//	        "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:DeleteItem",
//	        "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:Query", "dynamodb:Scan",
//	        "dynamodb:DescribeTable"
//	      ],
//	      "Resource": [
//	        "arn:aws:dynamodb:*:*:table/agent-checkpoints",
//	        "arn:aws:dynamodb:*:*:table/agent-checkpoints/index/*"
//	      ]
//	    },
//	    {
//	      "Sid": "CreateTable",
//	      "Effect": "Allow",
//	      "Action": ["dynamodb:CreateTable", "dynamodb:DescribeTimeToLive", "dynamodb:UpdateTimeToLive"],
//	      "Resource": "arn:aws:dynamodb:*:*:table/agent-checkpoints"
//	    }
//	  ]
//	}
//
// # Overload
//
// A backend has at most max_connections requests under way at once, 64 if nothing
// else is said. Further operations wait in their order for as long as their contexts
// allow, without a deadline as long as one before them has been answered within 9
// seconds. Refused requests are repeated up to 8 times with growing pauses, within a
// budget of the backend: a hundred repetitions, and one more for each 5 requests that
// succeed. Reads are also repeated by the SDK, whose budget is alike.
//
// # Lost answers
//
// A write that must be applied once is repeated only where it cannot have been
// applied: no connection was made, or DynamoDB throttled it; or where it can be applied
// once only, for it is on condition that the item is still as the handle has read or
// written it: that is sent again up to twice. After the last answer was lost the driver
// looks at the head; where somebody else has saved by then, and the version is no older
// one that is kept, the error is checkpoint.ErrUnavailable. So it is where the answer to
// a deletion on a condition was lost: a thread that is absent then may have been removed
// by another.
//
// # What may stay behind
//
// A process that dies in a save or a deletion may leave items that no head
// refers to. Its journal lists them, and Purge removes them once it is an hour
// old. One kind has no journal, since it would cost each save with a history a
// request or two: a writer that has read a head with older versions, is held up
// while others save as many times as the history is long or delete the thread,
// then writes its copy of that head, and dies before its next request. That one
// item stays. It is never read, since a new life of the thread has other keys,
// and costs its storage only.
//
// [checkpoint.Store.Collect] (checkpoint gc) removes that item once the thread is
// deleted, and whatever else nothing names: parts of states that were left by a
// release that removed what names them first. It reads the whole table, two times,
// and three times more where it finds something. By the order in which items are
// written these readings prove that no writer, however slow, refers to what is
// removed. Where a global table is not strongly consistent, items arrive in any
// order, and it is refused.
//
// # Backups
//
// Turn on point-in-time recovery; the driver does not, as it has its price. A
// restored table is a new one, without time to live and without recovery, which
// are to be turned on again; the driver then uses it under its name in the DSN.
// A recovery is exact to a second, and not a snapshot of one moment over many
// items: with a history or with parts, saves of that second may be found half
// done. What was saved at least some seconds before is whole. On-demand backups
// are alike. The command copies a store too, thread by thread:
// checkpoint copy --history.
//
// # Several regions
//
// In a global table with multi-Region eventual consistency each region decides
// conditions by itself, and between regions the last writer of an item wins, by
// the clock: two saves on the same condition may both succeed, and one is lost.
// Items travel one by one, so that a reader elsewhere may find a head before its
// older versions or parts, and gets ErrCorrupt until they have arrived. Keep the
// readers and writers of a thread in one region, and move them to another when
// the first is down; the last second or so of saves may be missing there.
//
// With multi-Region strong consistency conditions and consistent reads hold
// across regions, as within one; a save then takes a round trip between regions.
// Two regions that write one item at once are told so, and the driver tries
// again. Where such a table has no time to live, Purge removes what has expired.
//
// # Streams
//
// Streams may be turned on and change nothing here. A save that keeps one
// version is one record of the head, INSERT or MODIFY, its payload in state
// (JSON) or data. Keys that begin with ckpt#v#, ckpt#i#, ckpt#c# and ckpt#j#
// are older versions, markers, parts and journals; a consumer that follows
// threads skips them. What time to live removes is a REMOVE by the principal
// dynamodb.amazonaws.com. Triggers MUST NOT write to the items.
package dynamodb
