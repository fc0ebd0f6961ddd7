package dynamodb

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// list reads page by page: between two of them the loop's body may take as long
// as it likes.
func (b *backend) list(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		low, high, some := names.Range(req.Prefix, req.After)
		left := req.Limit
		for page, err := range b.pages(ctx, listing{req.Namespace, low, high, req.Limit, req.Now, !some}) {
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
		}
	}
}

// namespaces reads the keys of the whole index, or of the whole table.
func (b *backend) namespaces(ctx context.Context) ([]string, error) {
	op, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer op.end()
	index, err := op.listIndex(ctx)
	if err != nil {
		return nil, err
	}
	expression, aliases := projection([]string{keyAttribute, listAttribute})
	in := dynamodb.ScanInput{TableName: op.table, ProjectionExpression: expression, ExpressionAttributeNames: aliases}
	if index != NoIndex {
		in.IndexName = &index
	} else {
		in.ConsistentRead = aws.Bool(true)
	}
	seen := make(map[string]bool)
	err = op.scanAll(ctx, in, func(a attributes) error {
		r := &reader{a: a}
		ns, key := r.text(listAttribute), r.text(keyAttribute)
		switch {
		case ns == "" && !strings.HasPrefix(key, reserved):
			seen[plainNamespace] = true
		case ns != "" && !strings.HasPrefix(ns, reserved):
			seen[ns] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found := make([]string, 0, len(seen))
	for ns := range seen {
		found = append(found, ns)
	}
	slices.Sort(found)
	return found, nil
}

// history reads page by page, as list does.
func (b *backend) history(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
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
	op, err := b.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer op.end()
	if limit == 0 || limit > maxGet {
		limit = maxGet
	}
	var last *item
	for attempt := 0; ; attempt++ {
		head, err := op.head(ctx, key, infoNames...)
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
		versions, complete, err := op.older(ctx, head, low, high)
		if err != nil {
			return nil, false, err
		}
		if !complete {
			if err := op.missed(ctx, last, head, attempt); err != nil {
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

// older reads older versions of a life, without payloads, lowest first, and
// reports whether all of them were there.
func (op *operation) older(ctx context.Context, head *item, low, high int64) ([]*item, bool, error) {
	var keys []string
	for v := low; v <= high; v++ {
		keys = append(keys, versionKey(head.life, v))
	}
	found, err := op.getAll(ctx, true, keys, infoNames...)
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
