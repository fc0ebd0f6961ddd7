package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A server refuses a value beyond its proto-max-bulk-len as soon as it has read how
// long it is, and closes the connection. A client that is still sending then fails to
// write, and rarely gets to read why.

// leastBulkLimit is the lowest proto-max-bulk-len that a server can have.
const leastBulkLimit = 1 << 20

var errValueTooLarge = fmt.Errorf("%w: the server takes no value of that size (proto-max-bulk-len)", driver.ErrTooLarge)

// refusedWrite returns the reason why a write failed, where the server has told it, and
// otherwise err. The connection is of no use any more.
func (c *conn) refusedWrite(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	// What has arrived is there; a server that has sent nothing is not waited for.
	c.Conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	said := make([]byte, 4096)
	length := 0
	for length < len(said) {
		k, readErr := c.Conn.Read(said[length:])
		length += k
		if bytes.Contains(said[:length], []byte("-ERR Protocol error: invalid bulk length")) {
			return errValueTooLarge
		}
		if readErr != nil {
			break
		}
	}
	return err
}

// refusedSize reports whether the server refuses values of that size, where its user may
// ask: the reason is lost with what had not arrived when the connection ended, and of
// a client handed to New the driver does not see the connections.
func (b *backend) refusedSize(ctx context.Context, until time.Time, size int) bool {
	if size <= leastBulkLimit {
		return false
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	once := func() bool { return false }
	reply, err := do(ctx, b, once, func(ctx context.Context) (any, error) {
		cmd := anyOf(ctx, "config", "get", "proto-max-bulk-len")
		err := b.client.Process(ctx, cmd)
		return cmd.Val(), err
	})
	if err != nil {
		return false
	}
	limit, err := strconv.Atoi(helloWord(reply, "proto-max-bulk-len"))
	return err == nil && size > limit
}
