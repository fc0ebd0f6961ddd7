package redis

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/redis/go-redis/v9"
)

// init registers the schemes. The DSN's own scheme decides what is opened.
func init() {
	for _, name := range schemes {
		checkpoint.Register(name, Driver{})
	}
}

// Driver opens backends on Redis and Valkey. It is registered as redis, rediss,
// valkey, valkeys, redis+sentinel, rediss+sentinel, redis+cluster and
// rediss+cluster.
type Driver struct{}

// Open implements driver.Driver. The package documentation describes the DSN.
func (Driver) Open(dsn string) (driver.Backend, error) {
	cfg, err := ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return open(cfg), nil
}

// ExampleDSN implements driver.Exampler.
func (Driver) ExampleDSN(name string) string {
	switch {
	case strings.HasSuffix(name, "+cluster"):
		return name + "://host1:7000?addr=host2:7000"
	case strings.HasSuffix(name, "+sentinel"):
		return name + "://host1:26379/0?addr=host2:26379&master_name=main"
	}
	return name + "://localhost:6379/0?ttl=24h"
}

// open returns a backend with a client of its own. It does no I/O.
func open(cfg Config) *backend {
	calls := newCalls()
	b := newBackend(cfg.client(calls), cfg)
	b.owned, b.calls, b.sentinel = true, calls, cfg.topology == sentinel
	b.within = cfg.within()
	calls.moved = func() {
		b.moved.Store(time.Now().UnixNano())
		b.queue.Answered()
	}
	return b
}

// New returns a backend on a client that the caller has made and closes: a
// *redis.Client, which may be one of NewFailoverClient, or a
// *redis.ClusterClient. Of cfg it takes Prefix and Shards.
//
// The client must talk to masters alone: with a ClusterClient that reads from
// replicas, or a Ring, every method returns driver.ErrInvalid. So that a
// cancelled context is obeyed at once, whatever the client's options, each
// operation runs in a goroutine of its own and Save copies the payload; backends
// that Open makes need neither. Give a cluster client a
// ClusterStateReloadInterval of a few seconds, or failovers take a minute.
func New(client redis.UniversalClient, cfg Config) driver.Backend {
	return newBackend(client, cfg)
}

// A backend is one client and what it knows of the database.
type backend struct {
	client   redis.UniversalClient
	owned    bool                 // Close closes the client
	sentinel bool                 // the client asks sentinels for the master
	cluster  *redis.ClusterClient // the client, if it is one
	calls    *calls               // nil if the client was handed to New
	layout   layout
	bad      error // of the configuration or the client

	within                      time.Duration // for the answer to one command
	retries                     int           // after a connection failed
	shortestPause, longestPause time.Duration

	queue       *backends.Queue // of the operations under way
	moved       atomic.Int64    // when the server last answered, in nanoseconds since 1970
	closed      atomic.Bool
	logger      atomic.Pointer[slog.Logger]
	warned      atomic.Bool
	crateWarned atomic.Bool // of the threads of the crate agents-persistence

	old      atomic.Bool // the server lacks EVALSHA_RO
	recorded atomic.Bool // the layout on record is ours
	enrolled sync.Map    // namespace → time.Time when it was last recorded
	told     sync.Map    // digests of the scripts that were sent with their source

	chains atomic.Int32 // how many of the next loads are to expect a patch
	large  atomic.Int32 // how many of the next loads are to expect a large state

	batches batches
	alone   sender // of the client, which takes a connection for each command
}

var (
	_ driver.Backend         = (*backend)(nil)
	_ driver.Purger          = (*backend)(nil)
	_ driver.Importer        = (*backend)(nil)
	_ driver.NamespaceLister = (*backend)(nil)
	_ driver.Rewriter        = (*backend)(nil)
	_ driver.Finder          = (*backend)(nil)
	_ driver.VersionReader   = (*backend)(nil)
	_ driver.PrefixDeleter   = (*backend)(nil)
	_ driver.Patcher         = (*backend)(nil)
	_ driver.LoggerSetter    = (*backend)(nil)
	_ driver.SelfPreparer    = (*backend)(nil)
)

func newBackend(client redis.UniversalClient, cfg Config) *backend {
	b := &backend{client: client, alone: client.Process, within: answerWithin}
	b.layout = layout{prefix: cfg.Prefix, shards: cfg.Shards}
	b.cluster, _ = client.(*redis.ClusterClient)
	b.bad = cfg.check(client)
	if b.layout.shards == 0 {
		b.layout.shards = 1
		if b.cluster != nil {
			b.layout.shards = defaultClusterShards
		}
	}
	b.queue = backends.NewQueue(atOnce(client), patience)
	b.retries, b.shortestPause, b.longestPause = cfg.repetitions()
	return b
}

// begin begins every operation and every page of an iteration: a closed backend
// is reported before anything else, a context that has ended means that nothing
// happens, and the layout on record is compared with this one, unless this has
// been done.
func (b *backend) begin(ctx context.Context) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	if err := b.ready(ctx); err != nil {
		return b.report(ctx, err)
	}
	return nil
}

// beginSave is begin for what may be the first checkpoint of a namespace.
func (b *backend) beginSave(ctx context.Context, namespace string) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	if err := b.enroll(ctx, namespace); err != nil {
		return b.report(ctx, err)
	}
	return nil
}

// check reports what keeps any operation from being tried.
func (b *backend) check(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if err := backends.Ended(ctx); err != nil {
		return err
	}
	return b.bad
}

// Ping implements driver.Backend. It connects, records how the store is laid
// out or checks it against what is on record, and warns when the server may
// evict threads. It writes only to a database without a store.
func (b *backend) Ping(ctx context.Context) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	b.recorded.Store(false)
	if err := b.begin(ctx); err != nil {
		return err
	}
	return backends.Ended(ctx)
}

// PreparesItself implements driver.SelfPreparer: the first operation does what Ping
// does in the round trip in which it records its namespace or looks for the record.
func (b *backend) PreparesItself() {}

// Save implements driver.Backend.
func (b *backend) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	return b.SavePatch(ctx, driver.PatchRequest{SaveRequest: req})
}

// SavePatch implements driver.Patcher.
func (b *backend) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	info, err := driver.Info{}, b.beginSave(ctx, req.Namespace)
	if err == nil {
		info, err = b.save(ctx, req)
	}
	if err != nil {
		return driver.Info{Key: req.Key, ID: req.ID}, err
	}
	return info, nil
}

// Import implements driver.Importer.
func (b *backend) Import(ctx context.Context, req driver.ImportRequest) error {
	if err := b.beginSave(ctx, req.Namespace); err != nil {
		return err
	}
	return b.importCheckpoint(ctx, req)
}

// Rewrite implements driver.Rewriter.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	return b.rewrite(ctx, req)
}

// Load implements driver.Backend.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	if err := b.begin(ctx); err != nil {
		return driver.Checkpoint{}, err
	}
	return b.load(ctx, req)
}

// Find implements driver.Finder.
func (b *backend) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	if err := b.begin(ctx); err != nil {
		return driver.Info{}, err
	}
	return b.find(ctx, req)
}

// Versions implements driver.VersionReader.
func (b *backend) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return sequence(func(yield func(driver.Checkpoint, error) bool) error { return b.versions(ctx, req, yield) })
}

// Delete implements driver.Backend.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	return b.remove(ctx, req)
}

// DeletePrefix implements driver.PrefixDeleter.
func (b *backend) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	if err := b.begin(ctx); err != nil {
		return 0, err
	}
	return b.deletePrefix(ctx, req)
}

// Purge implements driver.Purger.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	if err := b.begin(ctx); err != nil {
		return 0, err
	}
	return b.purge(ctx, namespace, now)
}

// List implements driver.Backend.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return sequence(func(yield func(driver.Info, error) bool) error { return b.list(ctx, req, yield) })
}

// History implements driver.Backend.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return sequence(func(yield func(driver.Info, error) bool) error { return b.history(ctx, req, yield) })
}

// Namespaces implements driver.NamespaceLister.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return sequence(func(yield func(string, error) bool) error { return b.namespaces(ctx, yield) })
}

// sequence yields the error that ends an iteration.
func sequence[T any](iterate func(yield func(T, error) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := iterate(yield); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// SetLogger implements driver.LoggerSetter.
func (b *backend) SetLogger(l *slog.Logger) { b.logger.Store(l) }

func (b *backend) warn(ctx context.Context, msg string, args ...any) {
	l := b.logger.Load()
	if l == nil {
		l = slog.Default()
	}
	l.WarnContext(ctx, msg, args...)
}

// Close implements driver.Backend. What is under way fails at once and is
// reported as ErrClosed.
func (b *backend) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.queue.Close()
	if !b.owned {
		return nil
	}
	// An error of closing a socket is of no use to anyone.
	if b.sentinel {
		// Its Close waits while it asks the sentinels for the master, which the
		// dial timeout ends.
		go b.client.Close()
	} else {
		b.client.Close()
	}
	return nil
}

// String implements fmt.Stringer: the backend prints without its options.
func (b *backend) String() string { return "redis backend" }

// GoString implements fmt.GoStringer.
func (b *backend) GoString() string { return b.String() }

// LogValue implements slog.LogValuer.
func (b *backend) LogValue() slog.Value { return slog.StringValue(b.String()) }
