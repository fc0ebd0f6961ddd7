package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// askRedis sends one command on a connection of its own and returns the reply:
// a string, an int64, a []any, or nil. An error reply is an error.
func askRedis(addr string, command ...string) (any, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(c, request.String()); err != nil {
		return nil, err
	}
	reply, err := readReply(bufio.NewReader(c))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return reply, nil
}

func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, errors.New(rest)
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	switch {
	case err != nil:
		return nil, err
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$':
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	case kind == '*':
		array := make([]any, n)
		for i := range array {
			if array[i], err = readReply(r); err != nil {
				return nil, err
			}
		}
		return array, nil
	}
	return nil, fmt.Errorf("unknown reply %q", line)
}

// askRedisText is askRedis for a command whose reply is one string.
func askRedisText(addr string, command ...string) (string, error) {
	reply, err := askRedis(addr, command...)
	text, ok := reply.(string)
	if err == nil && !ok {
		err = fmt.Errorf("%s: unexpected reply %v", strings.Join(command, " "), reply)
	}
	return text, err
}

// askAll sends one command to each server.
func askAll(servers []*Process, command ...string) error {
	for _, p := range servers {
		if _, err := askRedis(p.Addr, command...); err != nil {
			return err
		}
	}
	return nil
}
