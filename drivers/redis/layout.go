package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The keys of a namespace ns lie in shards, each with a hash tag of its own so
// that a script finds all it needs in one slot of a cluster. Shard k has
//
//	{ns:k}:t:THREAD  list: payload and info of each kept version, newest first
//	{ns:k}:p:THREAD  hash: the infos of past versions by version, and id:ID with the version that has the id
//	{ns:k}:g:THREAD  the list, while a transaction that saves runs
//	{ns:k}:index     sorted set, every score 0: the names of the shard's threads
//	{ns:k}:expiry    sorted set: the names of those that expire, by when, in milliseconds
//
// and the store as a whole has, under a tag that no namespace can have,
//
//	{checkpoint}:store       hash: format, shards
//	{checkpoint}:namespaces  sorted set, every score 0
//
// all behind the prefix. A thread's name ends its key and starts none, so
// nothing in it can mean anything.
type layout struct {
	prefix string
	shards int
}

// A shard names the keys that threads share.
type shard struct{ index, expiry string }

func (l layout) shard(namespace string, k int) shard {
	base := l.base(namespace, k)
	return shard{index: base + "index", expiry: base + "expiry"}
}

func (l layout) base(namespace string, k int) string {
	return l.prefix + "{" + namespace + ":" + strconv.Itoa(k) + "}:"
}

// thread returns the keys of a thread in the order that save.lua takes them;
// other scripts take the first ones.
func (l layout) thread(key driver.Key) []string {
	k := l.shardOf(key.Thread)
	base := l.base(key.Namespace, k)
	return []string{base + "t:" + key.Thread, base + "p:" + key.Thread, base + "index", base + "expiry", base + "g:" + key.Thread}
}

func (l layout) list(namespace, thread string) string {
	return l.prefix + "{" + namespace + ":" + strconv.Itoa(l.shardOf(thread)) + "}:t:" + thread
}

func (l layout) past(namespace, thread string) string {
	return l.prefix + "{" + namespace + ":" + strconv.Itoa(l.shardOf(thread)) + "}:p:" + thread
}

func (l layout) store() string      { return l.prefix + "{checkpoint}:store" }
func (l layout) namespaces() string { return l.prefix + "{checkpoint}:namespaces" }

// shardOf is FNV-1a of 64 bits, modulo the number of shards. It must never
// change: it decides where a thread is looked for.
func (l layout) shardOf(thread string) int {
	if l.shards == 1 {
		return 0
	}
	hash := uint64(14695981039346656037)
	for i := range len(thread) {
		hash = (hash ^ uint64(thread[i])) * 1099511628211
	}
	return int(hash % uint64(l.shards))
}

// ready makes sure that the store on record is laid out as this backend takes
// it to be. It asks once.
func (b *backend) ready(ctx context.Context) error {
	if b.recorded.Load() {
		return nil
	}
	shards, err := do(ctx, b, always, func(ctx context.Context) (string, error) {
		cmd := stringOf(ctx, "hget", b.layout.store(), "shards")
		err := b.beside(ctx, cmd)
		return cmd.Val(), err
	})
	if err == nil && shards != strconv.Itoa(b.layout.shards) {
		shards, err = b.register(ctx, "", true) // anew, if nothing was saved under it
	}
	return b.settle(ctx, "", shards, err)
}

// settle goes on from what is on record: it makes a record where there is none, and
// compares it with this backend.
func (b *backend) settle(ctx context.Context, namespace, shards string, err error) error {
	if isNil(err) {
		if err := b.checkMode(ctx); err != nil {
			return err
		}
		shards, err = b.register(ctx, namespace, true)
	}
	if err == nil {
		err = b.compare(shards)
	}
	if err == nil && !b.recorded.Swap(true) && b.cluster != nil {
		b.inspectCluster(ctx)
	}
	return err
}

// renewal is after how long a namespace is recorded again: a failover may have
// lost the record, or an operator the database, while the backend goes on.
const renewal = time.Minute

// enroll records the namespace before the first save in it, so that a crash
// between the two leaves a namespace without threads and no thread without a
// namespace. The record lies in another slot than the thread, where save.lua
// cannot reach it. It does what ready does too, in the same round trip.
func (b *backend) enroll(ctx context.Context, namespace string) error {
	recorded := b.recorded.Load()
	if at, ok := b.enrolled.Load(namespace); ok && recorded && time.Since(at.(time.Time)) < renewal {
		return nil
	}
	shards, err := b.register(ctx, namespace, recorded)
	if err := b.settle(ctx, namespace, shards, err); err != nil {
		return err
	}
	b.enrolled.Store(namespace, time.Now())
	return nil
}

// register runs register.lua, which makes a record where there is none only if told
// so, and answers with redis.Nil otherwise.
func (b *backend) register(ctx context.Context, namespace string, create bool) (string, error) {
	keys := []string{b.layout.store(), b.layout.namespaces()}
	sample := b.layout.list(namespace, "thread")
	return do(ctx, b, always, func(ctx context.Context) (string, error) {
		cmd, err := process(ctx, b, registerScript, b.beside, func(bySource bool) onceString {
			return stringOf(ctx, registerScript.args(bySource, false, keys, b.layout.shards, namespace, sample, create)...)
		})
		return cmd.Val(), err
	})
}

func (b *backend) compare(shards string) error {
	if shards != strconv.Itoa(b.layout.shards) {
		return fmt.Errorf("%w number of shards: the store in this database was made with %s, and this one is opened with %d; add shards=%s to the DSN, or copy the threads to another database or prefix",
			driver.ErrInvalid, shorten(shards), b.layout.shards, shorten(shards))
	}
	return nil
}
