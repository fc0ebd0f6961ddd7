package dynamodb

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

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

// History implements driver.Backend: one read for the head, and one request for
// each 100 older versions.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		before, left := req.Before, req.Limit
		for {
			infos, more, err := b.historyPage(ctx, req.Key, before, left, req.Now)
			if err != nil {
				yield(driver.Info{}, err)
				return
			}
			for _, info := range infos {
				if !yield(info, nil) {
					return
				}
			}
			if left > 0 {
				if left -= len(infos); left <= 0 {
					return
				}
			}
			if !more || len(infos) == 0 {
				return
			}
			before = infos[len(infos)-1].Version
		}
	}
}

// historyPage returns versions lower than before (0: all), newest first, and
// whether there are more.
func (b *backend) historyPage(ctx context.Context, key driver.Key, before int64, limit int, now time.Time) ([]driver.Info, bool, error) {
	s, err := b.enter(ctx)
	if err != nil {
		return nil, false, err
	}
	defer b.leave()
	if limit == 0 || limit > maxGet {
		limit = maxGet
	}
	var last *item
	for attempt := 0; ; attempt++ {
		head, err := s.head(ctx, key, infoNames...)
		if err != nil || head == nil || head.Expired(now) {
			return nil, false, err
		}
		var infos []driver.Info
		high := before - 1
		if before == 0 || before > head.Version {
			infos = append(infos, head.Info)
			high = head.Version - 1
		}
		low := head.first
		if low == 0 {
			return infos, false, nil
		}
		more := high-low+1 > int64(limit-len(infos))
		low = max(low, high-int64(limit-len(infos))+1)
		if low > high {
			return infos, more, nil
		}
		versions, complete, err := s.versions(ctx, head, low, high)
		if err != nil {
			return nil, false, err
		}
		if !complete {
			if err := s.missed(ctx, last, head, attempt); err != nil {
				return nil, false, err
			}
			last = head
			continue
		}
		for n := len(versions) - 1; n >= 0; n-- {
			infos = append(infos, versions[n].Info)
		}
		return infos, more, nil
	}
}

// versions reads older versions of a life, without payloads, lowest first, and
// reports whether all of them were there.
func (s *session) versions(ctx context.Context, head *item, low, high int64) ([]*item, bool, error) {
	var keys []string
	for v := low; v <= high; v++ {
		keys = append(keys, versionKey(head.life, v))
	}
	found, err := s.getAll(ctx, true, keys, infoNames...)
	if err != nil {
		return nil, false, err
	}
	var items []*item
	complete := true
	for _, key := range keys {
		a, ok := found[key]
		if !ok {
			complete = false
			continue
		}
		i, err := readItem(head.Key, a)
		if err != nil {
			return nil, false, err
		}
		items = append(items, i)
	}
	return items, complete, nil
}
