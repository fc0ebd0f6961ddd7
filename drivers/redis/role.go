package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A replica answers loads, with what its master had some time ago. So the role of
// the server is asked on each new connection, and on each connection to a single
// server again when it was not for a while: behind one name there may be another
// server since, or the same one with another role, and connections to it live on.
// A cluster's replicas send clients away by themselves.

// roleAge is for how long a connection is taken to lead to a master.
const roleAge = 2 * time.Second

var (
	// errReplica: nothing but the question was sent.
	errReplica = errors.New("the server is a replica, which may lag behind what was saved")
	// errNowReplica: a command was sent with the question.
	errNowReplica = errors.New("the server has become a replica, which may lag behind what was saved")
)

// onConnect asks for the role on a new connection.
func onConnect(protocol int) func(context.Context, *redis.Conn) error {
	return func(ctx context.Context, cn *redis.Conn) error {
		reply, err := cn.Do(ctx, "hello", protocol).Result()
		if err != nil {
			if _, answered := answer(err); answered {
				return nil // a server that does not tell
			}
			return err
		}
		if isReplica(helloWord(reply, "role"), helloWord(reply, "mode")) {
			return errReplica
		}
		return nil
	}
}

// isReplica judges what HELLO says. A replica of a cluster answers by itself who
// is to be asked.
func isReplica(role, mode string) bool {
	return (role == "replica" || role == "slave") && mode != "cluster"
}

// helloWord returns a word of the answer to HELLO, a map or a flat array.
func helloWord(reply any, name string) string {
	switch r := reply.(type) {
	case map[any]any:
		s, _ := r[name].(string)
		return s
	case []any:
		for i := 0; i+1 < len(r); i += 2 {
			if r[i] == name {
				s, _ := r[i+1].(string)
				return s
			}
		}
	}
	return ""
}

// checkMode refuses a server that belongs to a cluster, before anything is
// recorded in it. It asks for that where nothing is on record alone.
func (b *backend) checkMode(ctx context.Context) error {
	if b.cluster != nil {
		return nil
	}
	reply, err := do(ctx, b, always, func(ctx context.Context) (any, error) {
		cmd := anyOf(ctx, "hello")
		err := b.client.Process(ctx, cmd)
		return cmd.Val(), err
	})
	if _, answered := answer(err); answered {
		return nil // a server that does not tell
	}
	if err != nil {
		return err
	}
	if helloWord(reply, "mode") == "cluster" {
		return errClusterNode
	}
	return nil
}

// A role is what a connection knows of its server's.
type role struct {
	hello    []byte    // asks for it; nil where it is not looked after
	again    bool      // it is asked for again and again
	greeting greeting  // answers the first question, onConnect's
	verified time.Time // when the server was a master
	due      bool      // to be asked for with the next command
	reply    []byte    // to that question, and what follows it, as far as read
	pending  bool      // the reply is not read to its end
}

// A greeting is the server's answer to the HELLO by which go-redis begins a
// connection. It tells the role too, but go-redis does not show it: onConnect asks
// once more, and is answered with it, which saves a round trip.
type greeting struct {
	asked, read bool
	reply       []byte
}

// sent looks at what begins a connection.
func (g *greeting) sent(b []byte) {
	if !g.asked && !g.read {
		g.asked = true
		g.read = !bytes.Contains(b[:min(len(b), 20)], []byte("\r\n$5\r\nhello\r\n"))
	}
}

// received looks at what follows, until it has the answer. A refusal is none.
func (g *greeting) received(b []byte) {
	if g.read || len(b) == 0 {
		return
	}
	g.reply = append(g.reply, b...)
	if n := valueLength(g.reply); n > 0 {
		g.read, g.reply = true, g.reply[:n]
		if g.reply[0] == '-' {
			g.reply = nil
		}
	}
}

// take returns the answer, once.
func (g *greeting) take() []byte {
	reply := g.reply
	g.reply = nil
	return reply
}

// Write sends the question for the role before a command when it is due: it costs
// no round trip.
func (c *conn) Write(b []byte) (int, error) {
	if c.role.greeting.read && c.role.greeting.reply != nil && bytes.EqualFold(b, c.role.hello) {
		c.role.reply = c.role.greeting.take()
		return len(b), nil
	}
	c.role.greeting.sent(b)
	if c.role.due {
		c.role.due, c.role.pending = false, true
		n, err := c.write(slices.Concat(c.role.hello, b))
		return max(0, n-len(c.role.hello)), err
	}
	return c.write(b)
}

// largestWrite is how much is written at a time: what has left is progress, and of a
// large state go-redis makes one write.
const largestWrite = 256 << 10

func (c *conn) write(b []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(b[written:min(written+largestWrite, len(b))])
		written += n
		if err != nil {
			return written, c.refusedWrite(err)
		}
		if len(b) > largestWrite {
			c.progress(c.Conn.SetWriteDeadline)
		}
		if written == len(b) {
			return written, nil
		}
	}
}

// read reads a piece of an answer.
func (c *conn) read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.progress(c.Conn.SetReadDeadline)
	}
	return n, err
}

// Read takes the answer about the role out of what the server sends.
func (c *conn) Read(b []byte) (int, error) {
	r := &c.role
	for r.pending {
		if n := valueLength(r.reply); n > 0 {
			if isReplica(wordIn(r.reply[:n], "role"), wordIn(r.reply[:n], "mode")) {
				return 0, errNowReplica
			}
			r.verified, r.pending, r.reply = time.Now(), false, r.reply[n:]
			break
		}
		part := make([]byte, 1024)
		n, err := c.read(part)
		r.reply = append(r.reply, part[:n]...)
		if err != nil {
			return 0, err
		}
	}
	if len(r.reply) > 0 {
		n := copy(b, r.reply)
		if r.reply = r.reply[n:]; len(r.reply) == 0 {
			r.reply = nil
		}
		return n, nil
	}
	n, err := c.read(b)
	r.greeting.received(b[:n])
	return n, err
}

// wordIn finds a word in an answer to HELLO as it is on the wire.
func wordIn(reply []byte, name string) string {
	_, rest, _ := bytes.Cut(reply, []byte("\r\n"+name+"\r\n"))
	_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
	word, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return string(word)
}

// helloRequest is HELLO on the wire.
func helloRequest(protocol int) []byte {
	return fmt.Appendf(nil, "*2\r\n$5\r\nHELLO\r\n$1\r\n%d\r\n", protocol)
}

// valueLength returns how many bytes the first value in b has on the wire; 0 if it
// is not there to its end.
func valueLength(b []byte) int {
	at := 0
	for pending := 1; pending > 0; pending-- {
		end := bytes.Index(b[at:], []byte("\r\n"))
		if end < 1 {
			return 0
		}
		kind := b[at]
		n, err := strconv.Atoi(string(b[at+1 : at+end]))
		at += end + 2
		if err != nil || n < 0 {
			continue
		}
		switch kind {
		case '*', '~', '>':
			pending += n
		case '%':
			pending += 2 * n
		case '$', '=':
			if at += n + 2; at > len(b) {
				return 0
			}
		}
	}
	return at
}
