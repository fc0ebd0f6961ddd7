package dynamodb

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// save is one conditional write where one version is kept, of a payload that fits
// into an item, as long as the thread has no other items; everything else goes the
// long way of commit.go.
func (op *operation) save(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	if len(req.Payload) > maxParts*chunkSize {
		return driver.Info{}, fmt.Errorf("%w: %d bytes are more than this driver stores in one thread", driver.ErrTooLarge, len(req.Payload))
	}
	known := op.known.get(req.Key)
	if known != nil && !known.decides(req) {
		known = nil
	}
	if req.Base == 0 && req.Keep == 1 && len(req.Payload) <= maxInline {
		if known != nil && known.childless() {
			if info, done, err := op.saveOnKnown(ctx, req.SaveRequest, known); done {
				return info, err
			}
		}
		info, old, done, err := op.saveAtOnce(ctx, req.SaveRequest)
		if done {
			return info, err
		}
		return op.saveOver(ctx, req, old)
	}
	if known != nil && (known.Base != 0 || known.chunks != "") { // nothing asks for its payload
		op.onKnown = true
		return op.saveOver(ctx, req, known)
	}
	old, err := op.head(ctx, req.Key)
	if err != nil {
		return driver.Info{}, err
	}
	return op.saveOver(ctx, req, old)
}

// decides reports whether a head tells, as long as it is the thread's, that a save is
// to be made: it is live, meets the condition, is what a patch was made against, and
// no kept version has the id.
func (i *item) decides(req driver.PatchRequest) bool {
	return !i.Expired(req.Now) && i.Version < driver.MaxVersion && req.Match.Holds(i.Info) &&
		i.ID != req.ID && i.older() == int64(len(i.ids)) && !slices.Contains(i.ids, req.ID) &&
		(req.Base == 0 || i.takes(req))
}

// saveOnKnown saves by a put on condition that the head is the one that is remembered,
// which has no other items. DynamoDB returns nothing with the answer, where an update
// returns the whole state. It reports false if the head is another one.
func (op *operation) saveOnKnown(ctx context.Context, req driver.SaveRequest, old *item) (driver.Info, bool, error) {
	next := &item{Info: newInfo(req), payload: req.Payload, proof: req.Digest, life: old.life, large: old.large}
	next.Version, next.CreatedAt = old.Version+1, old.CreatedAt
	err := op.putHead(ctx, old, next)
	if _, failed := conditionFailed(err); failed {
		op.known.judge(req.Key, false)
		return driver.Info{}, false, nil
	}
	if err != nil {
		info, err := op.recognise(ctx, req.Key, req.ID, err)
		return info, true, err
	}
	op.known.judge(req.Key, true)
	op.known.put(next)
	return next.Info, true, nil
}

// saveAtOnce saves with one conditional update. When its condition did not hold
// it returns the head as it was, and false: then saveOver decides.
func (op *operation) saveAtOnce(ctx context.Context, req driver.SaveRequest) (driver.Info, *item, bool, error) {
	i := &item{Info: newInfo(req), payload: req.Payload, proof: req.Digest}
	e := newExpression()
	e.set("version", "if_not_exists(#version, :zero) + :one")
	e.values[":zero"], e.values[":one"] = num(0), num(1)
	e.set("created_at", "if_not_exists(#created_at, :saved_at)")
	e.set("life", "if_not_exists(#life, :life)")
	e.values[":life"] = str(rand.Text())
	a := checkpointAttributes(i)
	a[listAttribute], a[nameAttribute] = str(i.Namespace), str(i.Thread)
	a["rewrite"] = nil
	if t := i.ttl(); t != nil {
		a["ttl"] = t
	}
	e.assign(a)

	condition := "attribute_not_exists(" + keyAttribute + ")"
	if !req.Match.Absent {
		// The thread must have no other items, must not have expired, and must
		// have a version to go on to; an item of another program, which has no
		// id, is for saveOver too.
		alone := "attribute_exists(#id) AND #id <> :id AND attribute_not_exists(" + e.name("first") +
			") AND attribute_not_exists(" + e.name("swept") + ") AND attribute_not_exists(" + e.name("chunks") +
			") AND #version < :highest AND " + e.alive(req.Now)
		e.values[":highest"] = num(driver.MaxVersion)
		if req.Match == (driver.Match{}) {
			condition += " OR (" + alone + ")"
		} else {
			condition = e.matches(req.Match) + " AND " + alone
		}
	}
	var out *dynamodb.UpdateItemOutput
	err := op.once(ctx, func(ctx context.Context, once func(*dynamodb.Options)) (err error) {
		out, err = op.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: op.table, Key: keyOf(headKey(req.Key)),
			UpdateExpression: e.update(), ConditionExpression: &condition,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValues:                        types.ReturnValueUpdatedNew,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, once)
		return err
	})
	if before, failed := conditionFailed(err); failed {
		old, err := op.headBefore(ctx, req.Key, before)
		return driver.Info{}, old, err != nil, err
	}
	if err != nil {
		info, err := op.recognise(ctx, req.Key, req.ID, err)
		return info, nil, true, err
	}
	r := &reader{a: out.Attributes}
	i.Version, i.CreatedAt, i.life = r.number("version"), r.time("created_at"), r.text("life")
	if r.bad != "" || i.Version < 1 {
		return driver.Info{}, nil, true, fmt.Errorf("%w: the attribute %q of its item is not what this driver writes", driver.ErrCorrupt, r.bad)
	}
	if i.CreatedAt.IsZero() {
		// Not every server that speaks DynamoDB's protocol returns what kept its value.
		if i.CreatedAt, err = op.createdAt(ctx, i); err != nil {
			return driver.Info{}, nil, true, err
		}
	}
	op.known.put(i)
	return i.Info, nil, true, nil
}

// createdAt returns when the life of a thread began that was just saved.
func (op *operation) createdAt(ctx context.Context, saved *item) (time.Time, error) {
	head, err := op.head(ctx, saved.Key, infoNames...)
	if err != nil {
		return time.Time{}, err
	}
	if head == nil || saved.life != "" && head.life != saved.life {
		return saved.SavedAt, nil // deleted meanwhile
	}
	return head.CreatedAt, nil
}

// recognise looks whether a write whose answer was lost has been applied. Where the
// thread has gone on since then and keeps no version with the id nobody can tell, and
// that is the error.
func (op *operation) recognise(ctx context.Context, key driver.Key, id string, err error) (driver.Info, error) {
	explained := op.explain(ctx, err)
	if ctx.Err() == nil && ambiguous(err) {
		if head, err := op.head(ctx, key, infoNames...); err == nil && head != nil {
			if info, found, err := op.repeated(ctx, head, id); found && err == nil {
				return info, nil
			}
		}
	}
	return driver.Info{}, explained
}

// newInfo is the Info of a save that starts a life.
func newInfo(req driver.SaveRequest) driver.Info {
	info := driver.Info{
		Key: req.Key, ID: req.ID, Version: 1, Size: len(req.Payload), Encoding: req.Encoding,
		CreatedAt: req.Now, SavedAt: req.Now, ExpiresAt: req.ExpiresAt,
	}
	if len(req.Metadata) > 0 {
		info.Metadata = make(map[string]string, len(req.Metadata))
		for k, v := range req.Metadata {
			info.Metadata[k] = v
		}
	}
	return info
}

// saveOver decides and writes a save from the head as it was read; nil is none.
// When the head has changed meanwhile it starts over.
func (op *operation) saveOver(ctx context.Context, req driver.PatchRequest, old *item) (driver.Info, error) {
	for attempt := 0; ; attempt++ {
		live := old != nil && !old.Expired(req.Now)
		if live {
			// Rule 3 comes before the condition: a repeated save is no conflict.
			if info, found, err := op.repeated(ctx, old, req.ID); found || err != nil {
				return info, err
			}
		}
		if err := check(req.Match, old, live); err != nil {
			return driver.Info{}, err
		}
		if req.Base != 0 && (op.wholeOnly.Load() || !live || !old.takes(req)) {
			return driver.Info{}, driver.ErrBase
		}
		// An id may start another life, when it is saved again after a deletion,
		// and what the first has left must not be taken for the second's.
		next := &item{Info: newInfo(req.SaveRequest), payload: req.Payload, proof: req.Digest, life: rand.Text()}
		next.Base = req.Base
		if live {
			if old.Version == driver.MaxVersion {
				return driver.Info{}, backends.ErrHighestVersion
			}
			next.Version, next.CreatedAt, next.life = old.Version+1, old.CreatedAt, old.life
		}
		begun, err := op.replace(ctx, old, next, req.Keep)
		if err != nil {
			return next.Info, err
		}
		if op.onKnown {
			op.onKnown = false
			op.known.judge(req.Key, begun == nil)
		}
		if begun == nil {
			op.known.put(next)
			return next.Info, nil
		}
		if old, err = op.startOver(ctx, begun, attempt); err != nil {
			return driver.Info{}, err
		}
	}
}

// startOver reads the head again after somebody else has changed it, and removes
// what replace had begun.
func (op *operation) startOver(ctx context.Context, begun *journal, attempt int) (*item, error) {
	head, err := op.reread(ctx, begun.Key, attempt)
	if err != nil {
		return nil, err
	}
	return head, op.finishBeside(ctx, begun, head)
}

// reread reads the head again after somebody else has changed it.
func (op *operation) reread(ctx context.Context, key driver.Key, attempt int) (*item, error) {
	if attempt == rivalries {
		return nil, fmt.Errorf("%w: too many others are saving this thread", driver.ErrUnavailable)
	}
	if attempt > 0 {
		if err := pause(ctx, min(attempt, 3)); err != nil {
			return nil, err
		}
	}
	return op.head(ctx, key)
}

// check decides a condition.
func check(m driver.Match, old *item, live bool) error {
	var current driver.Info
	if live {
		current = old.Info
	}
	if !m.Holds(current) {
		return &driver.ConflictError{Current: current}
	}
	return nil
}

// headBefore returns the head that did not meet a condition, nil if there is none.
// Not every server that speaks DynamoDB's protocol returns it.
func (op *operation) headBefore(ctx context.Context, key driver.Key, before attributes) (*item, error) {
	if len(before) == 0 {
		return op.head(ctx, key)
	}
	return readItem(key, before)
}
