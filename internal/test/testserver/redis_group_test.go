package testserver

import (
	"net/url"
	"testing"
)

func TestSentinel(t *testing.T) {
	t.Parallel()
	s := StartRedisSentinel(t)
	if got, want := s.MasterAddr(), s.Master.Addr; got != want {
		t.Fatalf("master: got %s, want %s", got, want)
	}
	mustAsk(t, "OK", s.Master.Addr, "SET", "k", "1")

	master := s.Failover()
	if master != s.Replica {
		t.Errorf("after an orderly failover: got %s, want %s", master.Addr, s.Replica.Addr)
	}
	mustAsk(t, "1", master.Addr, "GET", "k")
	s.AwaitSettled()
	mustAsk(t, "OK", master.Addr, "SET", "k", "2")

	master.Kill()
	again := s.AwaitFailover(master.Addr)
	if again != s.Master {
		t.Errorf("after a crash: got %s, want %s", again.Addr, s.Master.Addr)
	}
	mustAsk(t, "OK", again.Addr, "SET", "k", "3")
	master.Restart()
	s.AwaitSettled()
	mustAsk(t, "3", master.Addr, "GET", "k")
}

func TestSharedSentinel(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(RedisSentinel(t))
	if err != nil {
		t.Fatal(err)
	}
	words := address.Query()
	for _, addr := range append(words["addr"], address.Host) {
		if _, err := askRedis(addr, "SENTINEL", "CKQUORUM", words.Get("master_name")); err != nil {
			t.Error(err)
		}
	}
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := StartRedisCluster(t)
	slot := c.Slot("k")
	first := c.MasterOf(slot)
	mustAsk(t, "OK", first.Addr, "SET", "k", "1")

	second := c.Failover(first)
	mustAsk(t, "1", second.Addr, "GET", "k")
	second.Kill()
	if got := c.AwaitFailover(slot, second); got != first {
		t.Errorf("after a crash: got %s, want %s", got.Addr, first.Addr)
	}
	mustAsk(t, "1", first.Addr, "GET", "k")
	second.Restart()
	c.AwaitOK()
	if got := len(c.Masters()); got != 3 {
		t.Errorf("got %d masters, want 3", got)
	}
}

func TestClusterMove(t *testing.T) {
	t.Parallel()
	c := StartRedisCluster(t)
	slot := c.Slot("{k}a")
	from := c.MasterOf(slot)
	var to *Process
	for _, p := range c.Masters() {
		if p != from {
			to = p
		}
	}
	mustAsk(t, "OK", from.Addr, "SET", "{k}a", "1")
	c.BeginMove(slot, to)
	mustAsk(t, "1", from.Addr, "GET", "{k}a")
	if _, err := askRedis(from.Addr, "GET", "{k}b"); err == nil {
		t.Error("a key that is not there: want ASK")
	}
	c.MoveKeys(slot, to)
	c.EndMove(slot, to)
	mustAsk(t, "1", to.Addr, "GET", "{k}a")
	c.MoveSlot(slot, from)
	mustAsk(t, "1", from.Addr, "GET", "{k}a")
}

func TestSharedCluster(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(RedisCluster(t))
	if err != nil {
		t.Fatal(err)
	}
	addrs := append(address.Query()["addr"], address.Host)
	if len(addrs) != 6 {
		t.Fatalf("got %d addresses, want 6", len(addrs))
	}
	for _, addr := range addrs {
		if err := expect("cluster_known_nodes", "6", addr, "CLUSTER", "INFO"); err != nil {
			t.Error(err)
		}
	}
}
