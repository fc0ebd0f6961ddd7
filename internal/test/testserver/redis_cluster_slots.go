package testserver

import (
	"fmt"
	"net"
	"slices"
	"strconv"
)

// Masters returns the masters that the nodes agree on, in the order of their
// slots.
func (c *Cluster) Masters() []*Process {
	c.t.Helper()
	var masters []clusterNode
	for _, n := range c.view() {
		if n.master && !n.failed && len(n.slots) > 0 {
			masters = append(masters, n)
		}
	}
	slices.SortFunc(masters, func(a, b clusterNode) int { return a.slots[0].first - b.slots[0].first })
	var nodes []*Process
	for _, n := range masters {
		nodes = append(nodes, c.Node(n.addr))
	}
	return nodes
}

// Slot is the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.t.Helper()
	reply, err := askRedis(c.alive()[0].Addr, "CLUSTER", "KEYSLOT", key)
	c.must(err)
	return int(reply.(int64))
}

// MasterOf returns the master that serves a slot.
func (c *Cluster) MasterOf(slot int) *Process {
	c.t.Helper()
	return c.Node(c.owner(slot).addr)
}

func (c *Cluster) owner(slot int) clusterNode {
	c.t.Helper()
	for _, n := range c.view() {
		if n.master && !n.failed && n.serves(slot) {
			return n
		}
	}
	c.t.Fatalf("no node serves slot %d", slot)
	return clusterNode{}
}

// Failover makes the replica of a master the master in good order, and returns
// it when all nodes know.
func (c *Cluster) Failover(master *Process) *Process {
	c.t.Helper()
	view := c.view()
	old := view[slices.IndexFunc(view, func(n clusterNode) bool { return n.addr == master.Addr })]
	for _, n := range view {
		if n.masterID != old.id {
			continue
		}
		_, err := askRedis(n.addr, "CLUSTER", "FAILOVER")
		c.must(err)
		c.await(old.slots[0].first, n.addr)
		return c.Node(n.addr)
	}
	c.t.Fatalf("%s has no replica", master.Addr)
	return nil
}

// AwaitFailover returns the new master of a slot when it is no longer the
// server old, and all nodes that run know.
func (c *Cluster) AwaitFailover(slot int, old *Process) *Process {
	c.t.Helper()
	c.must(eventually(c.nodes, func() error {
		view, err := clusterView(c.alive()[0].Addr)
		for _, n := range view {
			if n.serves(slot) && n.addr != old.Addr {
				return c.ok()
			}
		}
		return fmt.Errorf("slot %d is still served by %s (%v)", slot, old.Addr, err)
	}))
	return c.MasterOf(slot)
}

// await returns when every node that runs says that addr serves the slot.
func (c *Cluster) await(slot int, addr string) {
	c.t.Helper()
	c.must(eventually(c.nodes, func() error {
		for _, p := range c.alive() {
			view, err := clusterView(p.Addr)
			if err != nil {
				return err
			}
			for _, n := range view {
				if n.serves(slot) != (n.addr == addr) {
					return fmt.Errorf("%s does not know yet that slot %d is served by %s", p.Addr, slot, addr)
				}
			}
		}
		return c.ok()
	}))
}

// MoveSlot moves a slot with its keys to another master, as the operators of a
// cluster do while it is used.
func (c *Cluster) MoveSlot(slot int, to *Process) {
	c.t.Helper()
	c.BeginMove(slot, to)
	c.MoveKeys(slot, to)
	c.EndMove(slot, to)
}

// BeginMove opens a slot for moving: from now on its master redirects commands
// on keys that it does not have with ASK, and those on several keys of which
// some have moved with TRYAGAIN.
func (c *Cluster) BeginMove(slot int, to *Process) {
	c.t.Helper()
	from := c.owner(slot)
	number := strconv.Itoa(slot)
	_, err := askRedis(to.Addr, "CLUSTER", "SETSLOT", number, "IMPORTING", from.id)
	c.must(err)
	_, err = askRedis(from.addr, "CLUSTER", "SETSLOT", number, "MIGRATING", c.id(to))
	c.must(err)
}

// MoveKeys moves the keys of a slot that BeginMove opened.
func (c *Cluster) MoveKeys(slot int, to *Process) {
	c.t.Helper()
	host, port, err := net.SplitHostPort(to.Addr)
	c.must(err)
	from := c.owner(slot).addr
	for {
		reply, err := askRedis(from, "CLUSTER", "GETKEYSINSLOT", strconv.Itoa(slot), "100")
		c.must(err)
		keys, _ := reply.([]any)
		if len(keys) == 0 {
			return
		}
		request := []string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}
		for _, key := range keys {
			request = append(request, key.(string))
		}
		_, err = askRedis(from, request...)
		c.must(err)
	}
}

// EndMove gives the slot to its new master, and returns when all nodes know.
func (c *Cluster) EndMove(slot int, to *Process) {
	c.t.Helper()
	id := c.id(to)
	nodes := c.Masters()
	// The new master first: a crash in between then loses no key.
	slices.SortFunc(nodes, func(a, b *Process) int { return boolean(b == to) - boolean(a == to) })
	for _, p := range nodes {
		_, err := askRedis(p.Addr, "CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
		c.must(err)
	}
	c.await(slot, to.Addr)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *Cluster) id(p *Process) string {
	c.t.Helper()
	id, err := askRedisText(p.Addr, "CLUSTER", "MYID")
	c.must(err)
	return id
}
