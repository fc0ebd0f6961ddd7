package redis

import (
	"container/heap"
	"context"
	"math"
	"slices"
)

// A merge yields the names of a range in order, from all shards of a
// namespace. It holds a few names of each shard, not more.
type merge struct {
	b      *backend
	shards int
	high   string
	empty  []*cursor // have no name at hand and may have more to read
	ready  cursors   // have names at hand
}

// A cursor is the state of one shard.
type cursor struct {
	index string
	from  string   // the lower bound of what was not read
	names []string // read and not taken
	done  bool     // nothing is left to read
}

func newMerge(b *backend, namespace, low, high string) *merge {
	from, to := lexRange(low, high)
	m := &merge{b: b, shards: b.layout.shards, high: to}
	for k := range m.shards {
		m.empty = append(m.empty, &cursor{index: b.layout.shard(namespace, k).index, from: from})
	}
	return m
}

// lexRange writes a range of names as ZRANGEBYLEX takes it: from low, to less
// than high; "" is open.
func lexRange(low, high string) (from, to string) {
	from, to = "-", "+"
	if low != "" {
		from = "[" + low
	}
	if high != "" {
		to = "(" + high
	}
	return from, to
}

// next returns up to want names; none means the end. It returns fewer where a
// shard must be read on before the next name is known.
func (m *merge) next(ctx context.Context, want int) ([]string, error) {
	if len(m.empty) > 0 {
		if err := m.fill(ctx, m.share(want)); err != nil {
			return nil, err
		}
	}
	var taken []string
	for len(taken) < want && len(m.empty) == 0 && len(m.ready) > 0 {
		c := m.ready[0]
		taken = append(taken, c.names[0])
		c.names = c.names[1:]
		switch {
		case len(c.names) > 0:
			heap.Fix(&m.ready, 0)
		default:
			heap.Pop(&m.ready)
			if !c.done {
				m.empty = append(m.empty, c)
			}
		}
	}
	return taken, nil
}

// share is how many names to read of one shard so that it rarely runs out
// before want names are taken: names fall on shards at random.
func (m *merge) share(want int) int {
	if m.shards == 1 {
		return want
	}
	mean := float64(want) / float64(m.shards)
	return min(want, int(math.Ceil(mean+3*math.Sqrt(mean)))+4)
}

// fill reads on in the shards that have run out, and in those that soon will,
// in one pipeline.
func (m *merge) fill(ctx context.Context, share int) error {
	low := m.empty
	for _, c := range m.ready {
		if !c.done && len(c.names) < share/2 {
			low = append(low, c)
		}
	}
	pages, err := do(ctx, m.b, always, func(ctx context.Context) ([][]string, error) {
		pipe := m.b.client.Pipeline()
		cmds := make([]onceStrings, len(low))
		for i, c := range low {
			cmds[i] = stringsOf(ctx, "zrangebylex", c.index, c.from, m.high, "limit", 0, share)
			pipe.Process(ctx, cmds[i])
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		pages := make([][]string, len(low))
		for i, cmd := range cmds {
			if err := cmd.Err(); err != nil {
				return nil, err
			}
			pages[i] = cmd.Val()
		}
		return pages, nil
	})
	if err != nil {
		return err
	}
	for i, c := range low {
		c.done = len(pages[i]) < share
		if n := len(pages[i]); n > 0 {
			c.from = "(" + pages[i][n-1]
		}
		fresh := len(c.names) == 0
		c.names = slices.Concat(c.names, pages[i])
		if fresh && len(c.names) > 0 {
			heap.Push(&m.ready, c)
		}
	}
	m.empty = nil
	return nil
}

// cursors are a heap by the next name.
type cursors []*cursor

func (h cursors) Len() int           { return len(h) }
func (h cursors) Less(i, j int) bool { return h[i].names[0] < h[j].names[0] }
func (h cursors) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)        { *h = append(*h, x.(*cursor)) }

func (h *cursors) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
