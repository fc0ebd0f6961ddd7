package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	defaultClusterShards = 64
	maxShards            = 4096
	maxPrefix            = 64
)

// A Config says how a store lies in a database. It prints without passwords.
type Config struct {
	// Prefix starts every key: at most 64 of the printable ASCII characters
	// but space and braces. Stores with different prefixes share a database
	// without seeing each other.
	Prefix string

	// Shards is how many parts each namespace is split into, 1 to 4096; 0 is
	// 64 on a cluster and 1 elsewhere. The first store in a database fixes it
	// for all.
	Shards int

	// What a DSN says besides.
	topology topology
	options  redis.UniversalOptions
	unixAddr bool
	numbered bool // the URL has the number of a database
}

type topology int

const (
	single topology = iota
	sentinel
	cluster
)

func (t topology) String() string { return [...]string{"single server", "sentinel", "cluster"}[t] }

// check returns why a client handed to New, or a Config made by hand, cannot
// be used.
func (c Config) check(client redis.UniversalClient) error {
	switch cl := client.(type) {
	case *redis.Ring:
		return fmt.Errorf("%w client: a Ring keeps threads on servers that it forgets when they are down; use a cluster", driver.ErrInvalid)
	case *redis.ClusterClient:
		if o := cl.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return fmt.Errorf("%w client: it reads from replicas, which may lag behind what was saved; make it without ReadOnly, RouteByLatency and RouteRandomly", driver.ErrInvalid)
		}
	}
	if err := checkPrefix(c.Prefix); err != nil {
		return err
	}
	if c.Shards < 0 || c.Shards > maxShards {
		return fmt.Errorf("%w Config: Shards is %d, want 1 to %d, or 0", driver.ErrInvalid, c.Shards, maxShards)
	}
	return nil
}

func checkPrefix(s string) error {
	if len(s) > maxPrefix || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }) {
		return fmt.Errorf("%w prefix: want at most %d printable ASCII characters, no space and no braces", driver.ErrInvalid, maxPrefix)
	}
	return nil
}

// client makes the client that the DSN describes. It connects to nothing.
func (c Config) client(calls *calls) redis.UniversalClient {
	o := c.options
	dial := dialer{
		timeout: o.DialTimeout,
		tls:     o.TLSConfig,
		calls:   calls,
	}
	if c.topology != cluster {
		dial.hello, dial.again = helloRequest(c.protocol()), c.topology == single
		o.OnConnect = onConnect(c.protocol())
	}
	o.Dialer = dial.dial
	o.DisableIdentity = true // telling the library's name takes a round trip for each connection
	o.MaxRetries = -1        // see script.go
	o.ContextTimeoutEnabled = true
	// Later than the deadlines that calls have, and in time for what the client
	// does by itself, such as reading the map of a cluster.
	o.ReadTimeout = c.within() + time.Second
	o.WriteTimeout = o.ReadTimeout
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch c.topology {
	case sentinel:
		return redis.NewFailoverClient(o.Failover())
	case cluster:
		co := o.Cluster()
		// A refused connection does not make the client look for the new master.
		co.ClusterStateReloadInterval = 2 * time.Second
		return redis.NewClusterClient(co)
	}
	return redis.NewClient(o.Simple())
}

// protocol is the version of the protocol.
func (c Config) protocol() int {
	if c.options.Protocol == 0 {
		return 3
	}
	return c.options.Protocol
}

// atOnce is how many operations a client takes at once, so that none waits long
// for a connection: as many as its pool has connections. On a cluster each node
// has a pool, and those that wait for a node that is down should not keep others
// from the rest.
func atOnce(client redis.UniversalClient) int {
	switch c := client.(type) {
	case *redis.Client:
		return connections(c.Options().PoolSize, c.Options().MaxActiveConns)
	case *redis.ClusterClient:
		return 10 * connections(c.Options().PoolSize, c.Options().MaxActiveConns)
	}
	return 10 * runtime.GOMAXPROCS(0)
}

func connections(size, most int) int {
	if most > 0 {
		return min(size, most)
	}
	return size
}

// within is how long one command may take.
func (c Config) within() time.Duration {
	within := c.options.ReadTimeout
	if w := c.options.WriteTimeout; within == 0 || w > 0 && w < within {
		within = w
	}
	if within == 0 {
		within = answerWithin
	}
	return within
}

// repetitions are how often a command is repeated after a connection failed,
// and how long the pauses are.
func (c Config) repetitions() (retries int, shortest, longest time.Duration) {
	retries, shortest, longest = 3, 10*time.Millisecond, 500*time.Millisecond
	if c.options.MaxRetries != 0 {
		retries = max(0, c.options.MaxRetries)
	}
	if c.options.MinRetryBackoff > 0 {
		shortest = c.options.MinRetryBackoff
	}
	if c.options.MaxRetryBackoff > 0 {
		longest = c.options.MaxRetryBackoff
	}
	return retries, shortest, max(shortest, longest)
}

// A dialer makes connections that know their calls.
type dialer struct {
	timeout time.Duration
	tls     *tls.Config
	calls   *calls
	hello   []byte // see role
	again   bool
}

func (d dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{
		Timeout:         d.timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	nc, err := plain.DialContext(ctx, network, addr)
	if err != nil {
		return nil, dialError(network, addr, "", err)
	}
	if d.tls != nil {
		// A server that does not speak TLS may wait for more of what it takes
		// for a command.
		ctx, cancel := context.WithTimeout(ctx, d.timeout)
		defer cancel()
		secure := tls.Client(nc, d.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, dialError(network, addr, "TLS handshake: ", err)
		}
		nc = secure
	}
	return d.calls.wrap(nc, d.hello, d.again), nil
}

// dialError is what go-redis and judges of errors take for a failed dial.
func dialError(network, addr, stage string, err error) error {
	text := err.Error()
	var failed *net.OpError
	var timeout net.Error
	var foreign tls.RecordHeaderError
	silent := errors.As(err, &timeout) && timeout.Timeout()
	if stage != "" && (silent || errors.As(err, &foreign)) {
		// Not worth another attempt.
		cause := fmt.Errorf("%w: the server does not take part in the TLS handshake (if it speaks no TLS on this port, the scheme is redis)", driver.ErrUnavailable)
		return &net.OpError{Op: "dial", Net: network, Addr: endpoint{network, addr}, Err: cause}
	}
	switch {
	case silent:
		text = "no answer"
	case errors.As(err, &failed) && failed.Err != nil:
		text = failed.Err.Error()
	}
	return &net.OpError{Op: "dial", Net: network, Addr: endpoint{network, addr}, Err: errors.New(stage + text)}
}

// An endpoint is the address of a server that was not reached.
type endpoint struct{ network, addr string }

func (e endpoint) Network() string { return e.network }
func (e endpoint) String() string  { return e.addr }

// String implements fmt.Stringer.
func (c Config) String() string {
	return fmt.Sprintf("{%s %s db=%d tls=%t prefix=%q shards=%d}",
		c.topology, strings.Join(c.options.Addrs, ","), c.options.DB, c.options.TLSConfig != nil, c.Prefix, c.Shards)
}

// Format implements fmt.Formatter: every verb prints what String returns.
func (c Config) Format(f fmt.State, verb rune) { io.WriteString(f, c.String()) }

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
