package memory

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/go-ckpt/checkpoint/driver"
)

// versions collects a page under the lock and yields it without. A page refers
// to the stored payloads, which never change, and each is copied when its turn
// has come.
func (b *backend) versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		var life *thread // the one that the first page was of
		left := req      // what is still to be yielded
		for {
			s, err := b.begin(ctx)
			if err != nil {
				yield(driver.Checkpoint{}, err)
				return
			}
			page, t := s.versionsPage(left)
			if life != nil && t != life {
				return // deleted, or another life
			}
			life = t
			for _, c := range page {
				if !yield(driver.Checkpoint{Info: cloneInfo(c.Info), Payload: bytes.Clone(c.Payload)}, nil) {
					return
				}
			}
			if len(page) == 0 || req.Limit > 0 && len(page) == left.Limit {
				return
			}
			left.Limit = max(0, left.Limit-len(page))
			if last := page[len(page)-1].Version; !req.Newest {
				left.From = last + 1
			} else if left.To = last - 1; left.To == 0 {
				return
			}
		}
	}
}

// versionsPage returns the first versions that req asks for, in its order, and
// the thread that they are of, nil if there is none.
func (s *store) versionsPage(req driver.VersionsRequest) ([]*driver.Checkpoint, *thread) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.live(req.Key, req.Now)
	if t == nil {
		return nil, nil
	}
	oldest, end := t.versions[0].Version, t.latest().Version+1
	from := min(max(req.From, oldest), end)
	if 0 < req.To && req.To < end {
		end = req.To + 1
	}
	if from >= end {
		return nil, t
	}
	page := t.versions[from-oldest : end-oldest]
	limit := min(len(page), driver.VersionsPage)
	if req.Limit > 0 {
		limit = min(limit, req.Limit)
	}
	if !req.Newest {
		return slices.Clone(page[:limit]), t
	}
	page = slices.Clone(page[len(page)-limit:])
	slices.Reverse(page)
	return page, t
}
