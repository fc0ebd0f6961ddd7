package dynamodb

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// List implements driver.Backend. With an index, a page is one Query of names
// and one BatchGetItem of their heads without payloads. Without one it is a Scan
// of the table, sorted in memory.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		s, err := b.enter(ctx)
		if err != nil {
			yield(driver.Info{}, err)
			return
		}
		// The loop's body may take as long as it likes, and close the backend.
		b.leave()
		low, high, ok := names.Range(req.Prefix, req.After)
		if !ok {
			return
		}
		left := req.Limit
		for page, err := range s.pages(ctx, listing{req.Namespace, low, high, req.Limit}) {
			if err != nil {
				yield(driver.Info{}, err)
				return
			}
			for _, head := range page {
				if head.Expired(req.Now) {
					continue
				}
				if !yield(head.Info, nil) {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			if b.isClosed() {
				yield(driver.Info{}, driver.ErrClosed)
				return
			}
		}
	}
}

func (b *backend) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// A listing asks for the heads of a namespace whose names lie from low to below
// high; "" is no bound. Limit is how many are wanted, 0 for all.
type listing struct {
	namespace, low, high string
	limit                int
}

// holds reports whether a name is asked for.
func (l listing) holds(name string) bool {
	return name >= l.low && (l.high == "" || name < l.high)
}

// pages yields the heads of a listing, dead and alive, in the order of their
// names.
func (s *session) pages(ctx context.Context, l listing) iter.Seq2[[]*item, error] {
	return func(yield func([]*item, error) bool) {
		index, err := s.listIndex(ctx)
		switch {
		case err != nil:
			yield(nil, err)
		case index == NoIndex:
			heads, err := s.scan(ctx, l)
			if err != nil || len(heads) > 0 {
				yield(heads, err)
			}
		default:
			s.query(ctx, index, l, yield)
		}
	}
}

// query yields pages from the index.
func (s *session) query(ctx context.Context, index string, l listing, yield func([]*item, error) bool) {
	var start attributes
	for {
		keys, next, err := s.queryNames(ctx, index, l, start)
		if err != nil {
			yield(nil, err)
			return
		}
		heads, err := s.heads(ctx, l.namespace, keys)
		if err != nil {
			yield(nil, err)
			return
		}
		if len(heads) > 0 && !yield(heads, nil) || next == nil {
			return
		}
		start = next
	}
}

// queryNames returns a page of names from the index, and where the next begins.
func (s *session) queryNames(ctx context.Context, index string, l listing, start attributes) ([]string, attributes, error) {
	condition := "#list = :list"
	in := &dynamodb.QueryInput{
		TableName: s.table, IndexName: &index,
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
	err := s.do(ctx, func(ctx context.Context) (err error) {
		out, err = s.client.Query(ctx, in)
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
func (s *session) heads(ctx context.Context, namespace string, threads []string) ([]*item, error) {
	if len(threads) == 0 {
		return nil, nil
	}
	var keys []string
	for _, thread := range threads {
		keys = append(keys, headKey(driver.Key{Namespace: namespace, Thread: thread}))
	}
	found, err := s.getAll(ctx, true, keys, infoNames...)
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
			head, err = s.head(ctx, key)
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

// scan reads the heads of a namespace from the whole table and sorts them.
func (s *session) scan(ctx context.Context, l listing) ([]*item, error) {
	var heads []*item
	filter := "#list = :list"
	values := attributes{":list": str(l.namespace)}
	extra := []string{listAttribute, nameAttribute, "state"}
	if l.namespace == plainNamespace {
		// Items of other programs have nothing but their key.
		filter = "#list = :list OR (attribute_not_exists(#list) AND NOT begins_with(#" + keyAttribute + ", :reserved))"
		values[":reserved"] = str(reserved)
	} else {
		extra = extra[:2]
	}
	err := s.scanAll(ctx, filter, values, append(extra, infoNames...), func(a attributes) error {
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
		head.payload, head.foreign = nil, nil
		heads = append(heads, head)
		return nil
	})
	slices.SortFunc(heads, func(a, b *item) int { return strings.Compare(a.Thread, b.Thread) })
	return heads, err
}

// scanAll reads the items of the table that a filter lets through.
func (s *session) scanAll(ctx context.Context, filter string, values attributes, attributeNames []string, each func(attributes) error) error {
	expression, aliases := projection(attributeNames)
	aliases["#list"] = listAttribute
	in := &dynamodb.ScanInput{
		TableName: s.table, FilterExpression: &filter, ProjectionExpression: expression, ConsistentRead: aws.Bool(true),
		ExpressionAttributeNames: aliases, ExpressionAttributeValues: values,
	}
	for {
		var out *dynamodb.ScanOutput
		err := s.do(ctx, func(ctx context.Context) (err error) {
			out, err = s.client.Scan(ctx, in)
			return err
		})
		if err != nil {
			return err
		}
		for _, a := range out.Items {
			if err := each(a); err != nil {
				return err
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return nil
		}
	}
}

// journals returns the journals of a namespace.
func (s *session) journals(ctx context.Context, namespace string) ([]*journal, error) {
	index, err := s.listIndex(ctx)
	if err != nil {
		return nil, err
	}
	var found []*journal
	take := func(a attributes) error {
		j, err := readJournal(a)
		if err == nil {
			found = append(found, j)
		}
		return err
	}
	if index == NoIndex {
		err := s.scanAll(ctx, "#list = :list", attributes{":list": str(journalList(namespace))}, []string{keyAttribute, "journal"}, take)
		return found, err
	}
	l := listing{namespace: journalList(namespace)}
	var start attributes
	for {
		ids, next, err := s.queryNames(ctx, index, l, start)
		if err != nil {
			return nil, err
		}
		var keys []string
		for _, id := range ids {
			keys = append(keys, journalKey(id))
		}
		items, err := s.getAll(ctx, true, keys)
		if err != nil {
			return nil, err
		}
		for _, a := range items {
			if err := take(a); err != nil {
				return nil, err
			}
		}
		if start = next; start == nil {
			return found, nil
		}
	}
}

// Namespaces implements driver.NamespaceLister. It reads the whole index, which
// holds names only, or without one the whole table.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		found, err := b.namespaces(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, ns := range found {
			if !yield(ns, nil) {
				return
			}
		}
	}
}

func (b *backend) namespaces(ctx context.Context) ([]string, error) {
	s, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer b.leave()
	index, err := s.listIndex(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	take := func(items []map[string]types.AttributeValue) {
		for _, a := range items {
			r := &reader{a: a}
			ns, key := r.text(listAttribute), r.text(keyAttribute)
			switch {
			case ns == "" && !strings.HasPrefix(key, reserved):
				seen[plainNamespace] = true
			case ns != "" && !strings.HasPrefix(ns, reserved):
				seen[ns] = true
			}
		}
	}
	expression, aliases := projection([]string{keyAttribute, listAttribute})
	in := &dynamodb.ScanInput{TableName: s.table, ProjectionExpression: expression, ExpressionAttributeNames: aliases}
	if index != NoIndex {
		in.IndexName = &index
	} else {
		in.ConsistentRead = aws.Bool(true)
	}
	for {
		var out *dynamodb.ScanOutput
		err := s.do(ctx, func(ctx context.Context) (err error) {
			out, err = s.client.Scan(ctx, in)
			return err
		})
		if err != nil {
			return nil, err
		}
		take(out.Items)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	found := make([]string, 0, len(seen))
	for ns := range seen {
		found = append(found, ns)
	}
	slices.Sort(found)
	return found, nil
}
