package checkpointtest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A table is a second implementation of the contract that is right and as
// different from the memory driver as it can be: one sorted list of rows whose
// keys join namespace, thread and the version from the highest down, JSON
// respelled as a database with a type for it would, times as integers. The
// backends of these tests are broken copies of it.
type table struct {
	mu    sync.Mutex
	rows  []row // in the order of their keys
	lives int64 // how many there have been
}

// A row is one version.
type row struct {
	key                     string
	life                    int64 // which life of the thread it belongs to
	id, encoding            string
	payload                 []byte
	size                    int
	metadata                map[string]string
	created, saved, expires int64 // microseconds since 1970; never is no expiry
}

const never = math.MinInt64

// threadKey begins the keys of a thread's rows. Neither name holds a NUL.
func threadKey(k driver.Key) string { return k.Namespace + "\x00" + k.Thread + "\x00" }

func rowKey(k driver.Key, version int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(threadKey(k)), uint64(math.MaxInt64-version)))
}

func (r *row) version() int64 {
	return math.MaxInt64 - int64(binary.BigEndian.Uint64([]byte(r.key[len(r.key)-8:])))
}

func (r *row) expired(now time.Time) bool { return r.expires != never && now.UnixMicro() >= r.expires }

func (r *row) info() driver.Info {
	namespace, rest, _ := strings.Cut(r.key, "\x00")
	info := driver.Info{
		Key: driver.Key{Namespace: namespace, Thread: rest[:len(rest)-9]}, ID: r.id, Version: r.version(),
		Size: r.size, Encoding: r.encoding, Metadata: maps.Clone(r.metadata),
		CreatedAt: time.UnixMicro(r.created).UTC(), SavedAt: time.UnixMicro(r.saved).UTC(),
	}
	if r.expires != never {
		info.ExpiresAt = time.UnixMicro(r.expires).UTC()
	}
	return info
}

func (r *row) checkpoint() driver.Checkpoint {
	return driver.Checkpoint{Info: r.info(), Payload: bytes.Clone(r.payload)}
}

// newRow is the row of a checkpoint in a life.
func newRow(c driver.Checkpoint, life int64) row {
	r := row{
		key: rowKey(c.Key, c.Version), life: life, id: c.ID, encoding: c.Encoding, payload: respelled(c.Encoding, c.Payload), size: len(c.Payload),
		created: c.CreatedAt.UnixMicro(), saved: c.SavedAt.UnixMicro(), expires: never,
	}
	if len(c.Metadata) > 0 {
		r.metadata = maps.Clone(c.Metadata)
	}
	if !c.ExpiresAt.IsZero() {
		r.expires = c.ExpiresAt.UnixMicro()
	}
	return r
}

// respelled is a copy of a payload, of JSON the same value in other words.
func respelled(encoding string, payload []byte) []byte {
	var b bytes.Buffer
	if encoding == "json" && json.Indent(&b, payload, "", " ") == nil {
		return b.Bytes()
	}
	return bytes.Clone(payload)
}

// The methods below are called with the lock held.

// seek returns the place of the first row whose key is not less.
func (t *table) seek(key string) int {
	return sort.Search(len(t.rows), func(i int) bool { return t.rows[i].key >= key })
}

// span returns the places of the thread's rows, the latest first, expired or not.
func (t *table) span(k driver.Key) (from, to int) {
	prefix := threadKey(k)
	return t.seek(prefix), t.seek(prefix[:len(prefix)-1] + "\x01")
}

// live returns the rows of a live thread, the latest first.
func (t *table) live(k driver.Key, now time.Time) []row {
	from, to := t.span(k)
	if from == to || t.rows[from].expired(now) {
		return nil
	}
	return t.rows[from:to]
}

func (t *table) drop(k driver.Key) {
	from, to := t.span(k)
	t.rows = slices.Delete(t.rows, from, to)
}

// add writes the latest version of a thread and drops those beyond keep.
func (t *table) add(r row, k driver.Key, keep int) {
	t.rows = slices.Insert(t.rows, t.seek(r.key), r)
	from, to := t.span(k)
	if to-from > keep {
		t.rows = slices.Delete(t.rows, from+keep, to)
	}
}

// find returns the row with an id, or nil.
func find(rows []row, id string) *row {
	for i := range rows {
		if rows[i].id == id {
			return &rows[i]
		}
	}
	return nil
}

// current is the Info of the latest row, the zero Info if there is none.
func current(rows []row) driver.Info {
	if len(rows) == 0 {
		return driver.Info{}
	}
	return rows[0].info()
}

// A reader is one handle on a table.
type reader struct {
	t      *table
	closed atomic.Bool
}

var _ full = (*reader)(nil)

// do runs f under the lock, unless the handle is closed or the context over.
func (b *reader) do(ctx context.Context, f func(*table) error) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	return f(b.t)
}

func (b *reader) Ping(ctx context.Context) error {
	return b.do(ctx, func(*table) error { return nil })
}

func (b *reader) Close() error { b.closed.Store(true); return nil }

func (b *reader) Save(ctx context.Context, req driver.SaveRequest) (info driver.Info, err error) {
	info = driver.Info{Key: req.Key, ID: req.ID}
	err = b.do(ctx, func(t *table) error {
		rows := t.live(req.Key, req.Now)
		if r := find(rows, req.ID); r != nil {
			info = r.info()
			return nil
		}
		last := current(rows)
		if !req.Match.Holds(last) {
			return &driver.ConflictError{Current: last}
		}
		if last.Version == driver.MaxVersion {
			return fmt.Errorf("%w save: the thread is at the highest version", driver.ErrInvalid)
		}
		c := driver.Checkpoint{Info: driver.Info{
			Key: req.Key, ID: req.ID, Version: last.Version + 1, Encoding: req.Encoding, Metadata: req.Metadata,
			CreatedAt: req.Now, SavedAt: req.Now, ExpiresAt: req.ExpiresAt,
		}, Payload: req.Payload}
		var life int64
		if last.Version > 0 {
			c.CreatedAt, life = last.CreatedAt, rows[0].life
		} else {
			t.drop(req.Key)
			t.lives++
			life = t.lives
		}
		r := newRow(c, life)
		info = r.info()
		t.add(r, req.Key, req.Keep)
		return nil
	})
	return info, err
}

func (b *reader) Load(ctx context.Context, req driver.LoadRequest) (c driver.Checkpoint, err error) {
	err = b.do(ctx, func(t *table) error {
		for _, r := range t.live(req.Key, req.Now) {
			if req.Version == 0 || r.version() == req.Version {
				c = r.checkpoint()
				return nil
			}
		}
		return driver.ErrNotFound
	})
	return c, err
}

func (b *reader) Find(ctx context.Context, req driver.FindRequest) (info driver.Info, err error) {
	err = b.do(ctx, func(t *table) error {
		r := find(t.live(req.Key, req.Now), req.ID)
		if r == nil {
			return driver.ErrNotFound
		}
		info = r.info()
		return nil
	})
	return info, err
}

func (b *reader) Delete(ctx context.Context, req driver.DeleteRequest) error {
	return b.do(ctx, func(t *table) error {
		last := current(t.live(req.Key, req.Now))
		if req.Match != (driver.Match{}) && (last.Version == 0 || !req.Match.Holds(last)) {
			return &driver.ConflictError{Current: last}
		}
		t.drop(req.Key)
		return nil
	})
}

// pages yields what next returns, until it returns nothing. The lock is held in
// next alone.
func pages[T any](ctx context.Context, b *reader, next func(*table) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for {
			var page []T
			if err := b.do(ctx, func(t *table) error { page = next(t); return nil }); err != nil {
				yield(none, err)
				return
			}
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

func (b *reader) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		from, left := max(req.Prefix, req.After+"\x00"), req.Limit
		if req.After == "" {
			from = req.Prefix
		}
		pages(ctx, b, func(t *table) (page []driver.Info) {
			for len(page) < 50 && (req.Limit == 0 || left > 0) {
				i := t.seek(req.Namespace + "\x00" + from)
				if i == len(t.rows) || !strings.HasPrefix(t.rows[i].key, req.Namespace+"\x00"+req.Prefix) {
					break
				}
				info := t.rows[i].info()
				from = info.Thread + "\x01"
				if !strings.HasPrefix(info.Thread, req.Prefix) || info.Thread <= req.After || t.rows[i].expired(req.Now) {
					continue
				}
				page = append(page, info)
				left--
			}
			return page
		})(yield)
	}
}

func (b *reader) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	versions := driver.VersionsRequest{Key: req.Key, To: max(0, req.Before-1), Newest: true, Limit: req.Limit, Now: req.Now}
	if req.Before == 1 {
		versions.From, versions.To = 2, 1 // none
	}
	return func(yield func(driver.Info, error) bool) {
		for c, err := range b.Versions(ctx, versions) {
			if !yield(c.Info, err) {
				return
			}
		}
	}
}

func (b *reader) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		from, to, left := req.From, req.To, req.Limit
		if to == 0 {
			to = math.MaxInt64
		}
		var life int64
		pages(ctx, b, func(t *table) (page []driver.Checkpoint) {
			rows := slices.Clone(t.live(req.Key, req.Now))
			if len(rows) == 0 || life != 0 && rows[0].life != life {
				return nil
			}
			life = rows[0].life
			if !req.Newest {
				slices.Reverse(rows)
			}
			size := 0
			for _, r := range rows {
				if r.version() < from || r.version() > to || req.Limit > 0 && left == 0 {
					continue
				}
				if size += len(r.payload); len(page) == driver.VersionsPage || len(page) >= 2 && size > driver.VersionsBytes {
					break
				}
				page = append(page, r.checkpoint())
				left--
				if req.Newest {
					to = r.version() - 1
				} else {
					from = r.version() + 1
				}
			}
			return page
		})(yield)
	}
}

func (b *reader) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		from := ""
		pages(ctx, b, func(t *table) []string {
			i := t.seek(from)
			if i == len(t.rows) {
				return nil
			}
			namespace, _, _ := strings.Cut(t.rows[i].key, "\x00")
			from = namespace + "\x01"
			return []string{namespace}
		})(yield)
	}
}

// sweep removes threads of a namespace in batches of 100, those that which
// returns true for, and returns how many were counted.
func (b *reader) sweep(ctx context.Context, namespace, prefix string, which func(*row) (remove, count bool)) (n int64, err error) {
	from := prefix
	for more := true; more && err == nil; {
		err = b.do(ctx, func(t *table) error {
			for range 100 {
				i := t.seek(namespace + "\x00" + from)
				if more = i < len(t.rows) && strings.HasPrefix(t.rows[i].key, namespace+"\x00"+prefix); !more {
					break
				}
				r := &t.rows[i]
				key := r.info().Key
				from = key.Thread + "\x01"
				remove, count := which(r)
				if count {
					n++
				}
				if remove {
					t.drop(key)
				}
			}
			return nil
		})
	}
	return n, err
}

func (b *reader) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return b.sweep(ctx, namespace, "", func(r *row) (bool, bool) { return r.expired(now), r.expired(now) })
}

// Collect finds nothing: a table has rows alone, each of a thread.
func (b *reader) Collect(ctx context.Context, req driver.CollectRequest) (int64, error) {
	return 0, b.do(ctx, func(*table) error {
		if req.Before != nil {
			return req.Before(driver.CollectPlan{Cost: "nothing"})
		}
		return nil
	})
}

func (b *reader) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return b.sweep(ctx, req.Namespace, req.Prefix, func(r *row) (bool, bool) {
		inside := strings.HasPrefix(r.info().Thread, req.Prefix)
		return inside, inside && !r.expired(req.Now)
	})
}

func (b *reader) Import(ctx context.Context, req driver.ImportRequest) error {
	return b.do(ctx, func(t *table) error {
		rows := t.live(req.Key, req.Now)
		last := current(rows)
		r := find(rows, req.ID)
		var life int64
		switch {
		case r != nil && r.version() == req.Version:
			return nil
		case last.Version >= req.Version:
			return &driver.ConflictError{Current: last}
		case !req.Match.Holds(last):
			return &driver.ConflictError{Current: last}
		case last.Version > 0 && last.Version == req.Version-1:
			life = rows[0].life
		default: // absent, or separated by a gap
			t.drop(req.Key)
			t.lives++
			life = t.lives
		}
		t.add(newRow(req.Checkpoint, life), req.Key, req.Keep)
		return nil
	})
}

func (b *reader) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	return b.do(ctx, func(t *table) error {
		rows := t.live(req.Key, req.Now)
		r := find(rows, req.ID)
		if r == nil || r.version() != req.Version || !req.Holds(current(rows)) {
			return driver.ErrNotFound
		}
		r.payload, r.encoding, r.size = respelled(req.Encoding, req.Payload), req.Encoding, len(req.Payload)
		return nil
	})
}
