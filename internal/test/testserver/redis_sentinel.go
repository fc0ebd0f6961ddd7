package testserver

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const masterName = "main"

// A Sentinel is a master with one replica, watched by three sentinels that
// agree by two. A master that does not answer for a second is failed over.
// Its methods are for the test's goroutine.
type Sentinel struct {
	URL       string
	Master    *Process // at the start
	Replica   *Process // at the start
	Sentinels []*Process
	redisGroup
}

// RedisSentinel returns the URL of a master with a replica and sentinels that
// the tests of this binary share. They keep nothing on disk, and a busy machine makes
// the sentinels fail over nothing.
func RedisSentinel(t testing.TB) string {
	t.Helper()
	return share(t, "CHECKPOINT_TEST_REDIS_SENTINEL", func(o *owner) (string, error) {
		s, err := startSentinel(o, []string{"appendonly no"})
		if err != nil {
			return "", err
		}
		return s.URL, askAll(s.Sentinels, "SENTINEL", "SET", masterName, "down-after-milliseconds", "60000")
	})
}

// StartRedisSentinel starts a master, a replica and three sentinels of the
// test's own. config are further lines of redis.conf of master and replica.
// Acknowledged writes are on the master's disk, and not yet on the replica.
func StartRedisSentinel(t testing.TB, config ...string) *Sentinel {
	t.Helper()
	s, err := startSentinel(ownedBy(t), config)
	check(t, err)
	return s
}

func startSentinel(o *owner, config []string) (*Sentinel, error) {
	path, err := findRedis()
	if err != nil {
		return nil, err
	}
	nodes, err := startGroup(func() ([]*Process, error) { return sentinelNodes(o, path, config) })
	if err != nil {
		return nil, err
	}
	s := &Sentinel{
		Master:     nodes[0],
		Replica:    nodes[1],
		Sentinels:  nodes[2:],
		redisGroup: redisGroup{o.t, nodes},
	}
	words := url.Values{"master_name": {masterName}}
	for _, p := range s.Sentinels[1:] {
		words.Add("addr", p.Addr)
	}
	s.URL = fmt.Sprintf("redis+sentinel://%s/0?%s", s.Sentinels[0].Addr, words.Encode())
	return s, eventually(nodes, func() error { return s.settled() })
}

// sentinelNodes starts the five servers. The sentinels are told of each other
// and of the replica, as if they had written their files themselves: otherwise
// they find out within some seconds.
func sentinelNodes(o *owner, path string, config []string) ([]*Process, error) {
	var nodes []*Process
	add := func(name string, lines func(p *Process, port int) []string, args ...string) error {
		p, err := prepared(o, name, func(p *Process, port int) (command, error) {
			c, err := redisCommand(p.Dir, path, lines(p, port))
			c.args = append(c.args, args...)
			return c, err
		})
		nodes = append(nodes, p)
		return err
	}
	data := func(extra ...string) func(*Process, int) []string {
		return func(p *Process, port int) []string {
			return slices.Concat(redisLines(p.Dir, port), replicaLines, extra, config)
		}
	}
	if err := add("redis-master", data()); err != nil {
		return nodes, err
	}
	master := words(nodes[0].Addr)
	if err := add("redis-replica", data("replicaof "+master)); err != nil {
		return nodes, err
	}
	replica := words(nodes[1].Addr)

	var known []string
	for range 3 {
		id := randomID()
		err := add("redis-sentinel", func(p *Process, port int) []string {
			known = append(known, words(p.Addr)+" "+id)
			return []string{
				fmt.Sprintf("port %d", port), "bind 127.0.0.1", "dir " + p.Dir, "sentinel myid " + id,
				"sentinel monitor " + masterName + " " + master + " 2",
				"sentinel down-after-milliseconds " + masterName + " 1000",
				"sentinel failover-timeout " + masterName + " 5000",
				"sentinel known-replica " + masterName + " " + replica,
			}
		}, "--sentinel")
		if err != nil {
			return nodes, err
		}
	}
	for i, p := range nodes[2:] {
		p.command.ready = sentinelReady
		for j, other := range known {
			if i != j {
				if err := appendLine(filepath.Join(p.Dir, "redis.conf"), "sentinel known-sentinel "+masterName+" "+other); err != nil {
					return nodes, err
				}
			}
		}
	}
	for _, p := range nodes {
		if err := p.start(); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}

// sentinelReady also makes a sentinel look at the servers more often than every
// ten seconds, where it knows the command for it (Redis 7): until it has looked,
// it does not see that a replica follows its new master.
func sentinelReady(p *Process) error {
	if err := logged("+monitor master")(p); err != nil {
		return err
	}
	askRedis(p.Addr, "SENTINEL", "DEBUG", "info-period", "500", "ping-period", "200", "publish-period", "500")
	return nil
}

// words writes host:port as configuration files do.
func words(addr string) string { return strings.ReplaceAll(addr, ":", " ") }

// randomID returns a name as Redis gives its nodes, 40 hexadecimal digits.
func randomID() string {
	id := make([]byte, 20)
	rand.Read(id)
	return hex.EncodeToString(id)
}

// MasterAddr is the address that the sentinels name as that of the master.
func (s *Sentinel) MasterAddr() string {
	s.t.Helper()
	addr, err := s.masterAddr()
	s.must(err)
	return addr
}

func (s *Sentinel) masterAddr() (string, error) {
	err := fmt.Errorf("no sentinel answers")
	for _, p := range s.Sentinels {
		var reply any
		if reply, err = askRedis(p.Addr, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName); err == nil {
			if pair, ok := reply.([]any); ok && len(pair) == 2 {
				return fmt.Sprintf("%s:%s", pair...), nil
			}
		}
	}
	return "", err
}

// AwaitFailover returns the new master when the sentinels have made one in
// place of the server at the address old, and it takes writes.
func (s *Sentinel) AwaitFailover(old string) *Process {
	s.t.Helper()
	var addr string
	s.must(eventually(s.nodes, func() error {
		var err error
		if addr, err = s.masterAddr(); err != nil {
			return err
		}
		if addr == old {
			return fmt.Errorf("the master is still %s", old)
		}
		return expect("role", "master", addr, "INFO", "replication")
	}))
	return s.Node(addr)
}

// Failover makes the replica the master, and returns it. What the master
// acknowledged before the call is kept; Redis may lose what is written meanwhile.
func (s *Sentinel) Failover() *Process {
	s.t.Helper()
	old := s.MasterAddr()
	info, err := askRedisText(old, "INFO", "replication")
	s.must(err)
	s.must(eventually(s.nodes, func() error {
		return s.replicated(old, field(info, "master_repl_offset"))
	}))
	_, err = askRedis(s.Sentinels[0].Addr, "SENTINEL", "FAILOVER", masterName)
	s.must(err)
	return s.AwaitFailover(old)
}

// replicated checks that the servers other than the master have got what it had
// written at an offset.
func (s *Sentinel) replicated(master, offset string) error {
	want, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		return err
	}
	for _, p := range []*Process{s.Master, s.Replica} {
		if p.Addr == master {
			continue
		}
		info, err := askRedisText(p.Addr, "INFO", "replication")
		if err != nil {
			return err
		}
		if got, _ := strconv.ParseInt(field(info, "slave_repl_offset"), 10, 64); got < want {
			return fmt.Errorf("%s has replicated %d of %d bytes", p.Addr, got, want)
		}
	}
	return nil
}

// AwaitSettled returns when a master takes writes, the other server follows it,
// and all three sentinels agree. All servers must run.
func (s *Sentinel) AwaitSettled() {
	s.t.Helper()
	s.must(eventually(s.nodes, s.settled))
}

func (s *Sentinel) settled() error {
	master, err := s.masterAddr()
	if err != nil {
		return err
	}
	for _, p := range []*Process{s.Master, s.Replica} {
		if p.Addr != master {
			if err := expect("master_link_status", "up", p.Addr, "INFO", "replication"); err != nil {
				return err
			}
		}
	}
	for _, p := range s.Sentinels {
		if _, err := askRedis(p.Addr, "SENTINEL", "CKQUORUM", masterName); err != nil {
			return err
		}
		for _, about := range []struct {
			command string
			want    map[string]string
			count   int
		}{
			{"MASTERS", map[string]string{"flags": "master"}, 1},
			{"REPLICAS", map[string]string{"flags": "slave", "master-link-status": "ok"}, 1},
			{"SENTINELS", map[string]string{"flags": "sentinel"}, 2},
		} {
			if err := sentinelSees(p.Addr, about.command, about.want, about.count); err != nil {
				return err
			}
		}
	}
	return nil
}

// sentinelSees checks what a sentinel says about the servers of one kind.
func sentinelSees(addr, command string, want map[string]string, count int) error {
	request := []string{"SENTINEL", command}
	if command != "MASTERS" {
		request = append(request, masterName)
	}
	reply, err := askRedis(addr, request...)
	if err != nil {
		return err
	}
	servers, _ := reply.([]any)
	if len(servers) != count {
		return fmt.Errorf("sentinel %s knows %d %s, want %d", addr, len(servers), command, count)
	}
	for _, server := range servers {
		pairs, _ := server.([]any)
		for i := 0; i+1 < len(pairs); i += 2 {
			if value, ok := want[fmt.Sprint(pairs[i])]; ok && pairs[i+1] != value {
				return fmt.Errorf("sentinel %s, %s: %s is %s, want %s", addr, command, pairs[i], pairs[i+1], value)
			}
		}
	}
	return nil
}

// expect checks a field of an INFO reply.
func expect(name, want, addr string, command ...string) error {
	info, err := askRedisText(addr, command...)
	if err != nil {
		return err
	}
	if got := field(info, name); got != want {
		return fmt.Errorf("%s: %s is %q, want %q", addr, name, got, want)
	}
	return nil
}
