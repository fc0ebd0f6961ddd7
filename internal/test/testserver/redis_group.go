package testserver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// replicaLines make replicas follow fast.
var replicaLines = []string{"repl-diskless-sync-delay 0", "repl-ping-replica-period 1"}

// A redisGroup are Redis servers that belong together.
type redisGroup struct {
	t     testing.TB // nil for the test binary
	nodes []*Process
}

// Node returns the server at an address.
func (g *redisGroup) Node(addr string) *Process {
	for _, p := range g.nodes {
		if p.Addr == addr {
			return p
		}
	}
	g.t.Helper()
	g.t.Fatalf("no server here has the address %q", addr)
	return nil
}

// alive are the nodes that answer.
func (g *redisGroup) alive() []*Process {
	var alive []*Process
	for _, p := range g.nodes {
		if _, err := askRedis(p.Addr, "PING"); err == nil {
			alive = append(alive, p)
		}
	}
	return alive
}

// must ends the test when a command to a server failed.
func (g *redisGroup) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// startGroup starts servers that must know each other's ports beforehand. make
// prepares and starts them all, and is called again when a port was taken.
func startGroup(make func() ([]*Process, error)) ([]*Process, error) {
	for attempt := 1; ; attempt++ {
		nodes, err := make()
		if err == nil || !errors.Is(err, errPortTaken) || attempt == 10 {
			return nodes, err
		}
		for _, p := range nodes {
			p.Kill()
		}
	}
}

// eventually waits until a condition of servers holds.
func eventually(nodes []*Process, condition func() error) error {
	var err error
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(pollTime) {
		if err = condition(); err == nil {
			return nil
		}
	}
	var logs strings.Builder
	for _, p := range nodes {
		fmt.Fprintf(&logs, "log of %s, %s:\n%s\n", p.command.name, p.Addr, tail(p.Log()))
	}
	return fmt.Errorf("after %v: %w\n%s", startTime, err, &logs)
}

// field returns the value of "name:value" in a reply of INFO or CLUSTER INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
