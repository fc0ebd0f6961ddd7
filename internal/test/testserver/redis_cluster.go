package testserver

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/testserver/freeport"
)

// slots is the number of slots of every cluster.
const slots = 16384

// A Cluster are three masters with a replica each. A master that does not
// answer for 1.5 s is failed over. Its methods are for the test's goroutine.
type Cluster struct {
	URL string
	redisGroup
}

// RedisCluster returns the URL of a cluster that the tests of this binary
// share. It keeps nothing on disk, and a busy machine makes it fail over no master.
func RedisCluster(t testing.TB) string {
	t.Helper()
	return share(t, "CHECKPOINT_TEST_REDIS_CLUSTER", func(o *owner) (string, error) {
		c, err := startCluster(o, []string{"appendonly no"})
		if err != nil {
			return "", err
		}
		return c.URL, askAll(c.nodes, "CONFIG", "SET", "cluster-node-timeout", "60000")
	})
}

// StartRedisCluster starts a cluster of the test's own. config are further
// lines of redis.conf of every node. Acknowledged writes are on the master's
// disk, and not yet on the replica.
func StartRedisCluster(t testing.TB, config ...string) *Cluster {
	t.Helper()
	c, err := startCluster(ownedBy(t), config)
	check(t, err)
	return c
}

func startCluster(o *owner, config []string) (*Cluster, error) {
	path, err := findRedis()
	if err != nil {
		return nil, err
	}
	nodes, err := startGroup(func() ([]*Process, error) { return clusterNodes(o, path, config) })
	if err != nil {
		return nil, err
	}
	words := url.Values{}
	for _, p := range nodes[1:] {
		words.Add("addr", p.Addr)
	}
	c := &Cluster{
		URL:        fmt.Sprintf("redis+cluster://%s?%s", nodes[0].Addr, words.Encode()),
		redisGroup: redisGroup{o.t, nodes},
	}
	return c, eventually(nodes, c.ok)
}

// clusterNodes starts six servers which find in their files what they would
// otherwise have to be told by CLUSTER MEET, ADDSLOTS and REPLICATE.
func clusterNodes(o *owner, path string, config []string) ([]*Process, error) {
	const masters, count = 3, 6
	var nodes []*Process
	var ids, lines []string
	for i := range count {
		bus, err := freeport.Get()
		if err != nil {
			return nodes, err
		}
		p, err := prepared(o, "redis-node", func(p *Process, port int) (command, error) {
			return redisCommand(p.Dir, path, slices.Concat(redisLines(p.Dir, port), replicaLines, []string{
				"cluster-enabled yes",
				"cluster-config-file nodes.conf",
				fmt.Sprintf("cluster-port %d", bus),
				"cluster-node-timeout 1500",
				"cluster-replica-validity-factor 0", // a late replica fails over too
			}, config))
		})
		nodes = append(nodes, p)
		if err != nil {
			return nodes, err
		}
		ids = append(ids, randomID())
		role := fmt.Sprintf("master - 0 0 %d connected %d-%d", i+1, i*slots/masters, (i+1)*slots/masters-1)
		if i >= masters {
			role = fmt.Sprintf("slave %s 0 0 %d connected", ids[i-masters], i-masters+1)
		}
		lines = append(lines, fmt.Sprintf("%s %s@%d %s", ids[i], p.Addr, bus, role))
	}
	for i, p := range nodes {
		known := slices.Clone(lines)
		for _, role := range []string{" master ", " slave "} {
			known[i] = strings.Replace(known[i], role, " myself,"+role[1:], 1)
		}
		known = append(known, fmt.Sprintf("vars currentEpoch %d lastVoteEpoch 0", masters), "")
		if err := os.WriteFile(filepath.Join(p.Dir, "nodes.conf"), []byte(strings.Join(known, "\n")), 0o600); err != nil {
			return nodes, err
		}
	}
	for _, p := range nodes {
		if err := p.start(); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}

// AwaitOK returns when all nodes that run agree on who serves which slot, every
// slot is served, and every replica follows its master.
func (c *Cluster) AwaitOK() {
	c.t.Helper()
	c.must(eventually(c.nodes, c.ok))
}

func (c *Cluster) ok() error {
	var agreed []string
	for _, p := range c.alive() {
		if err := expect("cluster_state", "ok", p.Addr, "CLUSTER", "INFO"); err != nil {
			return err
		}
		seen, err := clusterView(p.Addr)
		if err != nil {
			return err
		}
		var owners []string
		for _, n := range seen {
			if n.myself && !n.master {
				if err := expect("master_link_status", "up", p.Addr, "INFO", "replication"); err != nil {
					return err
				}
			}
			if n.master {
				owners = append(owners, fmt.Sprint(n.addr, n.slots))
			}
		}
		slices.Sort(owners)
		if agreed == nil {
			agreed = owners
		}
		if !slices.Equal(owners, agreed) {
			return fmt.Errorf("%s sees the masters %v, another node sees %v", p.Addr, owners, agreed)
		}
	}
	return nil
}

// A clusterNode is a line of CLUSTER NODES.
type clusterNode struct {
	id, addr, masterID     string
	myself, master, failed bool
	slots                  []slotRange
}

type slotRange struct{ first, last int }

func (n clusterNode) serves(slot int) bool {
	return slices.ContainsFunc(n.slots, func(r slotRange) bool { return r.first <= slot && slot <= r.last })
}

// clusterView returns the nodes as the one at an address sees them.
func clusterView(addr string) ([]clusterNode, error) {
	text, err := askRedisText(addr, "CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	var nodes []clusterNode
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 8 {
			return nil, fmt.Errorf("CLUSTER NODES: unexpected line %q", line)
		}
		host, _, _ := strings.Cut(words[1], "@")
		flags := strings.Split(words[2], ",")
		n := clusterNode{
			id:       words[0],
			addr:     host,
			masterID: words[3],
			myself:   slices.Contains(flags, "myself"),
			master:   slices.Contains(flags, "master"),
			failed:   slices.Contains(flags, "fail"),
		}
		for _, word := range words[8:] {
			if strings.HasPrefix(word, "[") {
				continue // a slot under way
			}
			low, high, found := strings.Cut(word, "-")
			if !found {
				high = low
			}
			first, err1 := strconv.Atoi(low)
			last, err2 := strconv.Atoi(high)
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("CLUSTER NODES: unexpected slots %q", word)
			}
			n.slots = append(n.slots, slotRange{first, last})
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// view returns the nodes as the first that answers sees them.
func (c *Cluster) view() []clusterNode {
	c.t.Helper()
	alive := c.alive()
	if len(alive) == 0 {
		c.t.Fatal("no node of the cluster answers")
	}
	nodes, err := clusterView(alive[0].Addr)
	c.must(err)
	return nodes
}
