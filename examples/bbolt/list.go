package bbolt

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"math"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// pageSize is how many threads or versions are read in one transaction.
const pageSize = driver.VersionsPage

// A pager is an iteration under way. It returns what comes next from a transaction,
// and nothing at the end.
type pager func(tx) ([]item, error)

// An item is what is yielded once: what could be read, or with an error the names.
type item struct {
	driver.Checkpoint
	err error
}

// pages yields what a new pager returns, each page read in a transaction of its own.
// The loop's body runs outside of them, so that it may write: bbolt must not begin to
// write while the same goroutine reads.
func pages(ctx context.Context, b *backend, begin func() pager) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		for next := begin(); ; {
			page, err := read(ctx, b, next)
			if err != nil {
				yield(driver.Checkpoint{}, err)
				return
			}
			for _, item := range page {
				if !yield(item.Checkpoint, item.err) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// infos leaves the payloads out.
func infos(all iter.Seq2[driver.Checkpoint, error]) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		for c, err := range all {
			if !yield(c.Info, err) {
				return
			}
		}
	}
}

// lowestName returns the lowest name that is not lower than s. Names have no NUL, so
// that s and NUL is lower than all names that come after s.
func lowestName(s string) string {
	before, _, found := strings.Cut(s, "\x00")
	if found {
		return before + "\x01"
	}
	return s
}

// following returns the latest version of the first thread whose name is not lower
// than from and starts with prefix, nil where there is none.
func (t tx) following(namespace, prefix, from string) (*version, error) {
	if strings.Contains(prefix, "\x00") {
		return nil, nil // which would look like a name and the numbers behind it
	}
	key, value := t.versions.Cursor().Seek([]byte(namespace + "\x00" + from))
	if !bytes.HasPrefix(key, []byte(namespace+"\x00"+prefix)) {
		return nil, nil
	}
	v, err := parse(key, value)
	return &v, err
}

// listing begins a List.
func listing(req driver.ListRequest) pager {
	from, left := lowestName(req.Prefix), cmp.Or(req.Limit, math.MaxInt)
	if req.After != "" {
		from = max(from, lowestName(req.After+"\x00"))
	}
	return func(t tx) (page []item, err error) {
		for len(page) < pageSize && left > 0 {
			v, err := t.following(req.Namespace, req.Prefix, from)
			if v == nil || v.Thread == "" { // the end, or a key that was not written here
				return page, err
			}
			from = lowestName(v.Thread + "\x00")
			if err != nil {
				v.Info = driver.Info{Key: v.Key}
			}
			if err != nil || !v.Expired(req.Now) {
				page = append(page, item{driver.Checkpoint{Info: v.Info}, err})
				left--
			}
		}
		return page, nil
	}
}

// history begins a History.
func history(req driver.HistoryRequest) pager {
	all := driver.VersionsRequest{Key: req.Key, Newest: true, To: driver.MaxVersion, Limit: req.Limit, Now: req.Now}
	if req.Before != 0 {
		all.To = req.Before - 1
	}
	return inOneLife(all, func(v version) driver.Checkpoint { return driver.Checkpoint{Info: v.Info} })
}

// versions begins a Versions.
func versions(req driver.VersionsRequest) pager {
	if req.To == 0 {
		req.To = driver.MaxVersion
	}
	return inOneLife(req, version.checkpoint)
}

// inOneLife reads versions of the life that the loop begins in, as what is made of
// them. Versions have no gaps, so that their numbers are enough to find them.
func inOneLife(req driver.VersionsRequest, as func(version) driver.Checkpoint) pager {
	life, left := uint64(0), cmp.Or(req.Limit, math.MaxInt)
	return func(t tx) (page []item, err error) {
		latest, err := t.live(req.Key, req.Now)
		if err != nil || latest == nil || life != 0 && life != latest.Life {
			return nil, err
		}
		life = latest.Life
		req.From, req.To = max(req.From, latest.Lowest), min(req.To, latest.Version)
		for size := 0; req.From <= req.To && left > 0 && len(page) < pageSize; left-- {
			number := req.From
			if req.Newest {
				number = req.To
			}
			v, err := t.get(req.Key, number)
			if v == nil {
				return page, err
			}
			c := as(*v)
			if size += len(c.Payload); len(page) >= 2 && size > driver.VersionsBytes {
				return page, nil
			}
			page = append(page, item{c, err})
			if req.Newest {
				req.To--
			} else {
				req.From++
			}
		}
		return page, nil
	}
}
