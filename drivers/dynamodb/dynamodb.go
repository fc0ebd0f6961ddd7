package dynamodb

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

func init() { checkpoint.Register("dynamodb", Driver{}) }

// Driver implements driver.Driver. It is registered as "dynamodb".
type Driver struct{}

// Open implements driver.Driver; see [ParseConfig].
func (Driver) Open(source string) (driver.Backend, error) {
	cfg, err := ParseConfig(source)
	if err != nil {
		return nil, err
	}
	return newBackend(nil, cfg), nil
}

// ExampleDSN implements driver.Exampler.
func (Driver) ExampleDSN(name string) string { return name + "://agent-checkpoints?region=eu-west-1" }

// New returns a backend that uses a client that the caller has made, and keeps
// closing. Region, Endpoint and Profile of cfg are not looked at.
func New(client *dynamodb.Client, cfg Config) driver.Backend { return newBackend(client, cfg) }

// A backend is a handle on one table.
type backend struct {
	cfg      Config
	bad      error // of a Config that ParseConfig did not make
	inflight *backends.Inflight
	queue    *backends.Queue // of the operations under way
	budget   *ratelimit.TokenRateLimit
	log      *slog.Logger

	wholeOnly atomic.Bool // the server has no transactions
	known     *headMemory

	mu          sync.Mutex
	client      *dynamodb.Client      // nil until the first operation
	credentials *aws.CredentialsCache // of the client, if it has one
	transport   *http.Transport       // of a client that the backend has made
	index       string                // the index to list by, or NoIndex; "" until it is known
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
	_ driver.Collector       = (*backend)(nil)
	_ driver.LoggerSetter    = (*backend)(nil)
)

func newBackend(client *dynamodb.Client, cfg Config) *backend {
	b := &backend{cfg: cfg, bad: cfg.check(), index: cfg.Index, log: slog.Default()}
	b.inflight = backends.NewInflight(b.release)
	b.queue = backends.NewQueue(cfg.connections(), requestTime)
	b.known = newHeadMemory()
	b.budget = ratelimit.NewTokenRateLimit(budgetTokens)
	if client != nil {
		b.use(client)
	}
	return b
}

// SetLogger implements driver.LoggerSetter.
func (b *backend) SetLogger(l *slog.Logger) { b.log = l }

// Format implements fmt.Formatter: what the client holds is not printed.
func (b *backend) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "dynamodb(%s)", b.cfg.Table) }

// An operation is one call of a backend's method, or one page of an iterator. It
// sends one request at a time.
type operation struct {
	*backend
	client    *dynamodb.Client
	table     *string
	silence   time.Duration // of the database, while the operation waited for its turn
	since     time.Time     // when the first request was sent that is not answered
	answered  bool          // all requests are
	preparing bool          // the table is being made or looked at
	onKnown   bool          // a save goes by what is remembered of the head
	gone      sweep         // what a save has removed in an attempt that failed
}

// begin begins an operation: a closed backend is reported before anything else,
// and a context that has ended means that nothing happens. After a nil error end
// has to follow.
func (b *backend) begin(ctx context.Context) (*operation, error) {
	if !b.inflight.Enter() {
		return nil, driver.ErrClosed
	}
	op, err := b.ready(ctx)
	if err != nil {
		b.inflight.Leave()
		return nil, err
	}
	return op, nil
}

func (b *backend) ready(ctx context.Context) (*operation, error) {
	if b.bad != nil {
		return nil, b.bad
	}
	silence, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client == nil {
		client, err := b.connect(ctx)
		if err != nil {
			b.queue.Leave(false)
			return nil, err
		}
		b.use(client)
	}
	return &operation{backend: b, client: b.client, table: aws.String(b.cfg.Table), silence: silence}, nil
}

func (op *operation) end() {
	op.queue.Leave(false)
	op.inflight.Leave()
}

// Ping implements driver.Backend: it checks the table's key and looks for the
// index, and makes the table where it is missing and create_table asks for it.
func (b *backend) Ping(ctx context.Context) error {
	op, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer op.end()
	return op.prepare(ctx)
}

// Save implements driver.Backend: one conditional write of a state that fits into
// an item, where one version is kept.
func (b *backend) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	return b.SavePatch(ctx, driver.PatchRequest{SaveRequest: req})
}

// SavePatch implements driver.Patcher: a read of the head, which is small, and one
// write of the patch and the head together.
func (b *backend) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	unsettled := driver.Info{Key: req.Key, ID: req.ID}
	op, err := b.begin(ctx)
	if err != nil {
		return unsettled, err
	}
	defer op.end()
	info, err := op.save(ctx, req)
	if err != nil {
		return unsettled, err
	}
	return info, nil
}

// Import implements driver.Importer.
func (b *backend) Import(ctx context.Context, req driver.ImportRequest) error {
	op, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer op.end()
	return op.take(ctx, req)
}

// Rewrite implements driver.Rewriter.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	op, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer op.end()
	return op.rewrite(ctx, req)
}

// Load implements driver.Backend: one consistent read of the latest checkpoint,
// two of an older version, and more for a payload that is in parts.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	op, err := b.begin(ctx)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	defer op.end()
	return op.load(ctx, req)
}

// Delete implements driver.Backend: one request for a thread that has no other
// items. With them, the head goes first, which makes the thread absent at once.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	op, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer op.end()
	return op.delete(ctx, req)
}

// DeletePrefix implements driver.PrefixDeleter: a page of names as List reads it,
// and each of its threads as Delete removes it.
func (b *backend) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return b.deletePrefix(ctx, req)
}

// Purge implements driver.Purger. It looks at every thread of the namespace, and
// at the journals of writers that have died.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return b.purge(ctx, namespace, now)
}

// Collect implements driver.Collector. It reads the whole table, twice and, where it
// finds something, three times more.
func (b *backend) Collect(ctx context.Context, req driver.CollectRequest) (int64, error) {
	return b.collect(ctx, req, maxUnnamed)
}

// List implements driver.Backend. With an index, a page is one Query of names
// and one BatchGetItem of their heads without payloads. Without one it is a Scan
// of the table without payloads, sorted in memory, of which a page holds no more
// than it is long.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return b.list(ctx, req)
}

// History implements driver.Backend: one read for the head, and one request for
// each 100 older versions.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return b.history(ctx, req)
}

// Find implements driver.Finder: one read for the head, and one for the version;
// one more for an id that is not among the newest hundred.
func (b *backend) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	op, err := b.begin(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	defer op.end()
	return op.find(ctx, req)
}

// Versions implements driver.VersionReader: two requests a page, one for the head
// and one for the versions, and more for payloads that are in parts.
func (b *backend) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return b.readVersions(ctx, req)
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

// Close implements driver.Backend. Operations under way finish, and those that wait
// for their turn do not begin.
func (b *backend) Close() error {
	b.queue.Close()
	return b.inflight.Close()
}
