package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/redis/go-redis/v9"
)

// A verdict says what an error of the client means for the command it answers.
type verdict int

const (
	refused     verdict = iota // the server answered: the command had no effect, and never will
	later                      // the server answered: the command had no effect, and may have one soon
	unreachable                // no answer; whether the command arrived is for the caller to know
)

// soon are the beginnings of answers that pass: a failover or the move of a
// slot is under way, or the server has just started or is busy.
var soon = []string{
	"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "NOREPLICAS ", "BUSY ",
	"ERR max number of clients reached",
}

func (b *backend) judge(err error) verdict {
	if errors.Is(err, errReplica) {
		return later
	}
	text, answered := answer(err)
	if !answered {
		return unreachable
	}
	if b.cluster != nil && (strings.HasPrefix(text, "MOVED ") || strings.HasPrefix(text, "ASK ")) {
		return later
	}
	for _, s := range soon {
		if strings.HasPrefix(text, s) {
			return later
		}
	}
	return refused
}

// errClusterNode is the error of a single server that is none.
var errClusterNode = fmt.Errorf("%w scheme: the server belongs to a cluster: open it with redis+cluster://", driver.ErrInvalid)

// answer returns the text of the error that the server answered with.
func answer(err error) (string, bool) {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return "", false
	}
	return reply.Error(), true
}

// cures are what an operator can do about answers, by their beginnings.
var cures = []struct {
	prefix string
	err    error
	cure   string
}{
	{"OOM ", driver.ErrUnavailable, "the server is full: raise maxmemory, or purge and delete threads"},
	{"MISCONF ", driver.ErrUnavailable, "the server cannot write to its disk and refuses changes until it can: see its log"},
	{"NOAUTH ", driver.ErrUnavailable, "the server refuses this client: it wants a password"},
	{"WRONGPASS ", driver.ErrUnavailable, "the server refuses this client: wrong user name or password"},
	{"ERR AUTH ", driver.ErrUnavailable, "the server refuses this client: a password was given, and the server has none for that user"},
	{"ERR invalid password", driver.ErrUnavailable, "the server refuses this client: wrong password"},
	{"NOPERM ", driver.ErrUnavailable, "the server refuses this client: its user lacks a permission that the package documentation lists"},
	{"ERR The user executing the script can't", driver.ErrUnavailable, "the server refuses this client: its user lacks a permission that the package documentation lists"},
	{"NOREPLICAS ", driver.ErrUnavailable, "too few replicas are connected (min-replicas-to-write)"},
	{"MOVED ", driver.ErrUnavailable, "the server belongs to a cluster: open it with redis+cluster://"},
	{"ERR This instance has cluster support disabled", driver.ErrInvalid, "the server is not a cluster: open it with redis://"},
	{"ERR SELECT is not allowed in cluster mode", driver.ErrInvalid, "a cluster has no numbered databases"},
	{"ERR DB index is out of range", driver.ErrInvalid, "the server has no database of that number"},
	{"ERR Protocol error: invalid bulk length", driver.ErrTooLarge, "the server takes no value of that size (proto-max-bulk-len)"},
	{"ERR string exceeds maximum allowed size", driver.ErrTooLarge, "the server takes no value of that size (proto-max-bulk-len)"},
	{"ERR unknown command", driver.ErrUnavailable, "the server lacks a command of Redis 6.0, or has renamed it"},
	{"WRONGTYPE ", driver.ErrCorrupt, "a key that belongs to the store holds something else: is another program using this database without a prefix?"},
}

// report turns an error of the client into one of package driver. It never
// wraps what it got: a timeout of the network would pass for one of the
// caller's context.
func (b *backend) report(ctx context.Context, err error) error {
	if b.closed.Load() || errors.Is(err, redis.ErrClosed) {
		return driver.ErrClosed
	}
	if err := backends.Ended(ctx); err != nil {
		return err
	}
	if backends.Classified(err) {
		return err
	}
	if b.sentinel && errors.Is(err, redis.Nil) {
		return fmt.Errorf("%w: the sentinels know no master of the name that the word master_name says", driver.ErrUnavailable)
	}
	text, answered := answer(err)
	if !answered {
		return fmt.Errorf("%w: %s", driver.ErrUnavailable, network(err))
	}
	for _, c := range cures {
		if strings.HasPrefix(text, c.prefix) {
			return fmt.Errorf("%w: %s (the server says: %s)", c.err, c.cure, shorten(text))
		}
	}
	return fmt.Errorf("%w: the server says: %s", driver.ErrUnavailable, shorten(text))
}

// network says what went wrong on the way to the server.
func network(err error) string {
	var timeout net.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return "all connections are busy (the word pool_size allows more)"
	case errors.As(err, &dial) && dial.Op == "dial":
		return shorten(err.Error())
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the server does not answer"
	case errors.Is(err, io.EOF):
		return "the server has closed the connection (where that happens at the first try, it may speak TLS on this port: the scheme is then rediss)"
	}
	return shorten(err.Error())
}

// shorten bounds a text that comes from elsewhere.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// isNil reports whether a command found nothing. It does not look into err: a
// client that finds no master wraps the same error.
func isNil(err error) bool { return err == redis.Nil }
