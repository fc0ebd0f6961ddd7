package dynamodb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// A save that one conditional write cannot make takes several requests, in an
// order in which a crash between any two of them leaves the old checkpoint or
// the new one:
//
//  1. A journal, where there will be items to remove or parts to write: whoever
//     finds it later removes what nobody refers to.
//  2. What the new head refers to: the parts of its payload, and the present
//     head as an older version. All of them are immutable, and nobody knows
//     them yet.
//  3. The head, on condition that it is still the one that was read. This is
//     the save.
//  4. The removal of what the new head does not refer to any more, and of the
//     journal.
//
// Older versions that a longer history drops are removed ten at a time by a later
// save, in its step 2, from swept on: they need no journal.

// A sweep is the versions of a life below some version that are being removed.
type sweep struct {
	life  string
	below int64
}

// sweepBatch is how many versions a history has dropped before one save removes
// them.
const sweepBatch = 10

// maxSwept is how many versions of chains one save removes at most: a whole chain is
// dropped at a time, and the save that does so should take no longer than others. With
// the markers of their ids they are two requests.
const maxSwept = 2 * sweepBatch

// replace makes next the head in place of old, which is nil where there is
// none. If old is the head no more, nothing was done, and replace returns what it
// has begun, for startOver.
func (op *operation) replace(ctx context.Context, old, next *item, keep int) (begun *journal, err error) {
	goesOn := old != nil && next.life == old.life && next.Version == old.Version+1
	if goesOn && old.legacy {
		goesOn = keep > 1 // its item is no version of ours until it is copied
	}
	next.large = goesOn && old.large
	superseded := goesOn && (keep > 1 || next.Base != 0) // old becomes an older version
	copied := superseded && old.Base == 0                // and is not one already
	j := &journal{Key: next.Key}
	var before, swept []types.WriteRequest
	if superseded {
		if before, swept, err = op.supersede(ctx, old, next, keep); err != nil {
			return nil, err
		}
		if old.first == 0 && old.swept == 0 { // a head that knows of no older versions
			j.Life, j.From, j.To, j.Latest = old.life, old.Version, old.Version, old.Version
		}
	} else if old != nil && !old.childless() {
		j.drops(old)
	}
	parts := next.split(len(next.payload) > maxInline)
	if next.chunks != "" {
		j.Chunks = append(j.Chunks, chunkSet{next.chunks, next.parts})
	}
	if err := op.open(ctx, j); err != nil {
		return nil, err
	}
	if err := op.write(ctx, append(parts, before...)); err != nil {
		return nil, err
	}
	if err := op.write(ctx, swept); err != nil {
		return nil, err
	}
	if copied {
		if stale, err := op.putOlder(ctx, old); err != nil {
			return nil, err
		} else if stale {
			return j, nil
		}
	}
	if j.outlived() {
		return nil, fmt.Errorf("%w: this save was held up for too long and was given up; save again", driver.ErrUnavailable)
	}
	if err := op.putLatest(ctx, old, next); err != nil {
		if _, failed := conditionFailed(err); failed || next.Base != 0 && op.withoutTransactions(err) {
			// Who was quicker may have removed the thread, and not our copy of old.
			if copied {
				j.Life, j.From, j.To, j.Latest = old.life, old.Version, old.Version, old.Version
			}
			return j, nil
		}
		info, err := op.recognise(ctx, next.Key, next.ID, err)
		if err != nil {
			return nil, err
		}
		next.Info = info
	}
	j.keep(next.chunks)
	if j.Life == next.life && next.lowest() <= j.From { // the numbers of another life say nothing
		j.From = 0
	}
	return nil, op.cleanQuietly(ctx, j)
}

// supersede plans the history of the new head: the present one becomes an older
// version. It returns what is to be written before, and which versions are removed
// then.
func (op *operation) supersede(ctx context.Context, old, next *item, keep int) (requests, versions []types.WriteRequest, err error) {
	next.first = old.visible()
	if next.Version-next.first >= int64(keep) {
		next.first = next.Version - int64(keep) + 1
	}
	next.runs = old.goOn(next)
	ids := append([]string{old.ID}, old.ids...)
	next.ids = ids[:min(int64(len(ids)), next.Version-next.first, maxIDs)]
	if len(ids) > maxIDs {
		requests = append(requests, put(marker(old.life, ids[maxIDs], old.Version-maxIDs)))
	}
	low := old.lowest()
	if old.visible()-low >= sweepBatch {
		needed, err := op.needed(ctx, old)
		if err != nil {
			return nil, nil, err
		}
		if len(old.runs) > 0 {
			needed = min(needed, low+maxSwept)
		}
		if needed-low >= sweepBatch {
			if op.gone != (sweep{old.life, needed}) {
				swept, err := op.removals(ctx, old, low, needed-1)
				if err != nil {
					return nil, nil, err
				}
				requests, versions = append(requests, distinct(swept.named)...), swept.versions
				// Another attempt must not take so long again, or it would never be
				// quicker than those who change the head.
				op.gone = sweep{old.life, needed}
			}
			low = needed
		}
	}
	if low < next.first {
		next.swept = low
	}
	if next.first == next.Version {
		next.first = 0 // there is no older one
	}
	return requests, versions, nil
}

// putOlder stores a head as an older version, and reports whether that is one
// already which Rewrite has changed since the head was read. A save that was
// overtaken must not bring back what that has replaced.
func (op *operation) putOlder(ctx context.Context, old *item) (stale bool, err error) {
	condition := "attribute_not_exists(" + keyAttribute + ") OR attribute_not_exists(#rewrite)"
	in := &dynamodb.PutItemInput{
		TableName: op.table, Item: old.stored(versionKey(old.life, old.Version)),
		ConditionExpression: &condition, ExpressionAttributeNames: map[string]string{"#rewrite": "rewrite"},
	}
	if old.rewrite != "" {
		condition += " OR #rewrite <= :rewrite"
		in.ExpressionAttributeValues = attributes{":rewrite": str(old.rewrite)}
	}
	err = op.do(ctx, func(ctx context.Context) error {
		_, err := op.client.PutItem(ctx, in)
		if _, stale = conditionFailed(err); stale {
			return nil
		}
		return err
	})
	return stale, err
}

func marker(life, id string, version int64) attributes {
	a := keyOf(markerKey(life, id))
	a["version"] = num(version)
	return a
}

// split puts a large payload into parts and returns the writes of them.
func (i *item) split(large bool) []types.WriteRequest {
	if !large {
		return nil
	}
	sum := sha256.Sum256(i.payload)
	i.chunks, i.digest, i.large = rand.Text(), hex.EncodeToString(sum[:]), true
	var requests []types.WriteRequest
	for rest := i.payload; len(rest) > 0; i.parts++ {
		n := min(chunkSize, len(rest))
		part := keyOf(chunkKey(i.chunks, i.parts))
		part["data"] = bin(rest[:n])
		requests = append(requests, put(part))
		rest = rest[n:]
	}
	return requests
}

// putHead writes a head on condition that the one before it is still there as it
// was read. The error is DynamoDB's own.
func (op *operation) putHead(ctx context.Context, old, next *item) error {
	in := &dynamodb.PutItemInput{TableName: op.table, Item: next.head()}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = unchanged(old)
	return op.onceOn(ctx, old, func(ctx context.Context, once func(*dynamodb.Options)) error {
		_, err := op.client.PutItem(ctx, in, once)
		return err
	})
}

// unchanged is the condition that an item is as it was read; nil is none.
func unchanged(old *item) (*string, map[string]string, attributes) {
	condition := "attribute_not_exists(" + keyAttribute + ")"
	if old == nil {
		return &condition, nil, nil
	}
	names, values := map[string]string{"#id": "id"}, attributes{}
	if old.legacy {
		condition = "attribute_exists(" + keyAttribute + ") AND attribute_not_exists(#id)"
		for _, name := range foreignNames {
			names["#"+name] = name
			if v, ok := old.foreign[name]; ok {
				condition += " AND #" + name + " = :" + name
				values[":"+name] = v
			} else {
				condition += " AND attribute_not_exists(#" + name + ")"
			}
		}
		if len(values) == 0 {
			values = nil
		}
		return &condition, names, values
	}
	values[":id"] = str(old.ID)
	names["#rewrite"] = "rewrite"
	condition = "#id = :id AND attribute_not_exists(#rewrite)"
	if old.rewrite != "" {
		condition = "#id = :id AND #rewrite = :rewrite"
		values[":rewrite"] = str(old.rewrite)
	}
	if old.life != "" { // a head; an id alone may be saved again, in another life or when it is kept no more
		condition += " AND #life = :life AND #version = :version"
		names["#life"], values[":life"] = "life", str(old.life)
		names["#version"], values[":version"] = "version", num(old.Version)
	}
	return &condition, names, values
}
