package dynamodb

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
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

type backend struct {
	cfg Config
	bad error // of a Config that ParseConfig did not make

	mu        sync.Mutex
	client    *dynamodb.Client // nil until the first request
	transport *http.Transport  // of the client that the backend has made

	credentials *aws.CredentialsCache // of the client, if it has one

	index  string // the index to list by, or NoIndex; "" until it is known
	closed bool
	inside int // operations under way
}

var (
	_ driver.Backend         = (*backend)(nil)
	_ driver.Purger          = (*backend)(nil)
	_ driver.Importer        = (*backend)(nil)
	_ driver.NamespaceLister = (*backend)(nil)
	_ driver.Rewriter        = (*backend)(nil)
)

func newBackend(client *dynamodb.Client, cfg Config) *backend {
	b := &backend{cfg: cfg, bad: cfg.check(), index: cfg.Index}
	if client != nil {
		b.use(client)
	}
	return b
}

func (b *backend) use(client *dynamodb.Client) {
	b.client = client
	b.credentials, _ = client.Options().Credentials.(*aws.CredentialsCache)
}

// Format implements fmt.Formatter: what the client holds is not printed.
func (b *backend) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "dynamodb(%s)", b.cfg.Table) }

// enter begins an operation, which leave ends.
func (b *backend) enter(ctx context.Context) (*session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, driver.ErrClosed
	}
	if b.bad != nil {
		return nil, b.bad
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.client == nil {
		client, err := b.connect(ctx)
		if err != nil {
			return nil, err
		}
		b.use(client)
	}
	b.inside++
	return &session{backend: b, client: b.client, table: aws.String(b.cfg.Table)}, nil
}

func (b *backend) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inside--
	b.release()
}

// release closes idle connections once the backend is closed and nothing is
// under way.
func (b *backend) release() {
	if b.closed && b.inside == 0 && b.transport != nil {
		b.transport.CloseIdleConnections()
	}
}

// Close implements driver.Backend.
func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.release()
	return nil
}

// A session is one operation of a backend.
type session struct {
	*backend
	client    *dynamodb.Client
	table     *string
	preparing bool  // the table is being made or looked at
	gone      sweep // what a save has removed in an attempt that failed
}

// A sweep is the versions of a life below some version, which are no more.
type sweep struct {
	life  string
	below int64
}

// Limits of what goes into one request.
const (
	requestTime = 9 * time.Second // for one request with its repetitions, where ctx allows longer
	onceTime    = 6 * time.Second // for one that is applied once, since
	lookTime    = 3 * time.Second // a look at what became of it follows
	maxGet      = 100             // items of a BatchGetItem
	maxWrite    = 25              // items of a BatchWriteItem
	maxInline   = 395_000         // bytes of payload beside the rest of an item, which has 409,600 at most
	chunkSize   = 390_000         // bytes of a part of a larger payload
	maxParts    = 4096
	attempts    = 50 // to change a thread that others change at the same time, a tenth of a second apart
	sweepBatch  = 10 // versions that a history has dropped before one save removes them
)
