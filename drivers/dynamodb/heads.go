package dynamodb

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint/driver"
)

// A listing asks for the heads of a namespace whose names lie from low to below
// high; "" is no bound. Limit is how many are wanted that live at now, 0 for all, dead
// and alive.
type listing struct {
	namespace, low, high string
	limit                int
	now                  time.Time
	nothing              bool // no name can lie between the bounds
}

// holds reports whether a name is asked for.
func (l listing) holds(name string) bool {
	return name >= l.low && (l.high == "" || name < l.high)
}

// pages yields the heads of a listing, dead and alive, in the order of their
// names. Each page is an operation, and reads no more heads than are still wanted, for
// each costs what reading its state costs; twice as many where all were dead.
func (b *backend) pages(ctx context.Context, l listing) iter.Seq2[[]*item, error] {
	return func(yield func([]*item, error) bool) {
		var start attributes
		left := l.limit
		for {
			heads, next, err := b.page(ctx, l, start)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(heads) > 0 && !yield(heads, nil) || next == nil {
				return
			}
			start = next
			if l.limit > 0 {
				live := 0
				for _, head := range heads {
					if !head.Expired(l.now) {
						live++
					}
				}
				switch left -= live; {
				case left <= 0:
					return
				case live > 0:
					l.limit = left
				default: // among many dead ones
					l.limit = min(2*l.limit, maxGet)
				}
			}
		}
	}
}

// page returns the heads from start on, and where the next page begins, nil after
// the last.
func (b *backend) page(ctx context.Context, l listing, start attributes) ([]*item, attributes, error) {
	op, err := b.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer op.end()
	if l.nothing {
		return nil, nil, nil
	}
	index, err := op.listIndex(ctx)
	if err != nil {
		return nil, nil, err
	}
	if index == NoIndex {
		heads, err := op.scan(ctx, l)
		return heads, nil, err
	}
	found, next, err := op.queryNames(ctx, index, l, start)
	if err != nil {
		return nil, nil, err
	}
	heads, err := op.heads(ctx, l.namespace, found)
	return heads, next, err
}

// queryNames returns a page of names from the index, and where the next begins.
func (op *operation) queryNames(ctx context.Context, index string, l listing, start attributes) ([]string, attributes, error) {
	condition := "#list = :list"
	in := &dynamodb.QueryInput{
		TableName: op.table, IndexName: &index,
		ExpressionAttributeNames:  map[string]string{"#list": listAttribute},
		ExpressionAttributeValues: attributes{":list": str(l.namespace)},
		ExclusiveStartKey:         start,
		Limit:                     aws.Int32(maxGet),
	}
	if l.limit > 0 && l.limit < maxGet {
		in.Limit = aws.Int32(int32(l.limit) + 1)
	}
	if l.low != "" || l.high != "" {
		in.ExpressionAttributeNames["#name"] = nameAttribute
	}
	switch {
	case l.low != "" && l.high != "":
		condition += " AND #name BETWEEN :low AND :high"
		in.ExpressionAttributeValues[":low"], in.ExpressionAttributeValues[":high"] = str(l.low), str(l.high)
	case l.low != "":
		condition += " AND #name >= :low"
		in.ExpressionAttributeValues[":low"] = str(l.low)
	case l.high != "":
		condition += " AND #name < :high"
		in.ExpressionAttributeValues[":high"] = str(l.high)
	}
	in.KeyConditionExpression = &condition
	var out *dynamodb.QueryOutput
	err := op.do(ctx, func(ctx context.Context) (err error) {
		out, err = op.client.Query(ctx, in)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var found []string
	for _, a := range out.Items {
		r := &reader{a: a}
		if name := r.text(nameAttribute); l.holds(name) {
			found = append(found, name)
		}
	}
	return found, out.LastEvaluatedKey, nil
}

// heads reads the heads of some threads, in their order, without payloads. The
// read is consistent: what is listed is what was saved last.
func (op *operation) heads(ctx context.Context, namespace string, threads []string) ([]*item, error) {
	if len(threads) == 0 {
		return nil, nil
	}
	var keys []string
	for _, thread := range threads {
		keys = append(keys, headKey(driver.Key{Namespace: namespace, Thread: thread}))
	}
	found, err := op.getAll(ctx, true, keys, infoNames...)
	if err != nil {
		return nil, err
	}
	var heads []*item
	for n, thread := range threads {
		a, ok := found[keys[n]]
		if !ok {
			continue // deleted since
		}
		key := driver.Key{Namespace: namespace, Thread: thread}
		head, err := readItem(key, a)
		if err == nil && head.legacy { // written since; its id and size are known by its state only
			head, err = op.head(ctx, key)
		}
		if err != nil {
			return nil, fmt.Errorf("thread %q: %w", thread, err)
		}
		if head != nil {
			head.payload, head.foreign = nil, nil
			heads = append(heads, head)
		}
	}
	return heads, nil
}

// scan reads the heads of a namespace from the whole table and sorts them. Where a
// number of them is wanted it holds twice as many at most, and a few.
func (op *operation) scan(ctx context.Context, l listing) ([]*item, error) {
	var heads []*item
	filter := "#list = :list"
	values := attributes{":list": str(l.namespace)}
	if l.namespace == plainNamespace {
		// Items of other programs have nothing but their key.
		filter = "#list = :list OR (attribute_not_exists(#list) AND NOT begins_with(#" + keyAttribute + ", :reserved))"
		values[":reserved"] = str(reserved)
	}
	err := op.scanAll(ctx, op.filtered(filter, values, append([]string{listAttribute, nameAttribute}, infoNames...)...), func(a attributes) error {
		r := &reader{a: a}
		thread := r.text(nameAttribute)
		if thread == "" {
			thread = r.text(keyAttribute)
		}
		if !l.holds(thread) {
			return nil
		}
		head, err := readItem(driver.Key{Namespace: l.namespace, Thread: thread}, a)
		if err != nil {
			return fmt.Errorf("thread %q: %w", thread, err)
		}
		if l.limit > 0 && head.Expired(l.now) {
			return nil
		}
		heads = append(heads, head)
		if l.limit > 0 && len(heads)/2 >= l.limit+spare {
			heads = l.first(heads)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return op.withStates(ctx, l.first(heads))
}

// spare is how many more heads are read than are wanted, for those that are gone
// before they are read again.
const spare = maxGet

// first sorts heads by their names and drops what is not wanted.
func (l listing) first(heads []*item) []*item {
	slices.SortFunc(heads, func(a, b *item) int { return strings.Compare(a.Thread, b.Thread) })
	if l.limit > 0 && len(heads) > l.limit+spare {
		clear(heads[l.limit+spare:])
		heads = heads[:l.limit+spare]
	}
	return heads
}

// withStates reads those heads again that another program has written: their id and
// their size are known by their state only. Ours are left as they are, so that a scan
// does not transfer all states of the table.
func (op *operation) withStates(ctx context.Context, heads []*item) ([]*item, error) {
	var foreign []int
	for n, head := range heads {
		if head.legacy {
			foreign = append(foreign, n)
		}
	}
	for some := range slices.Chunk(foreign, maxGet) {
		var keys []string
		for _, n := range some {
			keys = append(keys, headKey(heads[n].Key))
		}
		found, err := op.getAll(ctx, true, keys, append([]string{"state"}, infoNames...)...)
		if err != nil {
			return nil, err
		}
		for i, n := range some {
			key := heads[n].Key
			heads[n] = nil
			if a, ok := found[keys[i]]; ok {
				if heads[n], err = readItem(key, a); err != nil {
					return nil, fmt.Errorf("thread %q: %w", key.Thread, err)
				}
				heads[n].payload, heads[n].foreign = nil, nil
			}
		}
	}
	return slices.DeleteFunc(heads, func(head *item) bool { return head == nil }), nil
}
