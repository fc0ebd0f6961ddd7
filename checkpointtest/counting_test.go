package checkpointtest_test

import (
	"context"
	"iter"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// A cost is what a run asks of a backend.
type cost struct{ opens, writes, reads, bytes atomic.Int64 }

func (c *cost) wrote(payload []byte) {
	c.writes.Add(1)
	c.bytes.Add(int64(len(payload)))
}

// A counted is a handle whose calls are counted.
type counted struct {
	full
	driver.Patcher
	cost *cost
}

func (c *counted) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	c.cost.wrote(req.Payload)
	return c.full.Save(ctx, req)
}

func (c *counted) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	c.cost.wrote(req.Payload)
	return c.Patcher.SavePatch(ctx, req)
}

func (c *counted) Import(ctx context.Context, req driver.ImportRequest) error {
	c.cost.wrote(req.Payload)
	return c.full.Import(ctx, req)
}

func (c *counted) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	c.cost.wrote(req.Payload)
	return c.full.Rewrite(ctx, req)
}

func (c *counted) Delete(ctx context.Context, req driver.DeleteRequest) error {
	c.cost.wrote(nil)
	return c.full.Delete(ctx, req)
}

func (c *counted) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	c.cost.wrote(nil)
	return c.full.DeletePrefix(ctx, req)
}

func (c *counted) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	c.cost.wrote(nil)
	return c.full.Purge(ctx, namespace, now)
}

func (c *counted) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	c.cost.reads.Add(1)
	return c.full.Load(ctx, req)
}

func (c *counted) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	c.cost.reads.Add(1)
	return c.full.Find(ctx, req)
}

func (c *counted) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	c.cost.reads.Add(1)
	return c.full.List(ctx, req)
}

func (c *counted) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	c.cost.reads.Add(1)
	return c.full.History(ctx, req)
}

func (c *counted) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	c.cost.reads.Add(1)
	return c.full.Versions(ctx, req)
}

func (c *counted) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	c.cost.reads.Add(1)
	return c.full.Namespaces(ctx)
}

// underway tells the cases that go on while others read or save, for a time or until
// that has happened often enough, and those that repeat a race that was none: how often
// they save depends on the machine.
var underway = regexp.MustCompile(`/(SeenWhole|FirstSeenWhole|DuringOperations|ReadersGoForward|WhileSaving|WhileWriting|LogUnderway|BehindWriters|InFront|OneOfMany\w*Wins)$`)

// TestCost holds the suite to the costs that the page for authors states: it asks for
// no more, and for not much less.
func TestCost(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/writing-a-driver.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, short := range map[string]bool{"-short": true, "the whole suite": false} {
		d, spent := new(memory.Driver), new(cost)
		report := checkpointtest.Verify(t.Context(), func() (driver.Backend, error) {
			spent.opens.Add(1)
			b, err := d.Open("memory:counted")
			if err != nil {
				return nil, err
			}
			return &counted{b.(full), b.(driver.Patcher), spent}, nil
		}, checkpointtest.Short(short), checkpointtest.Patience(time.Hour), checkpointtest.Cases(func(name string) bool {
			return !underway.MatchString(name) && !(short && heavy[name])
		}))
		if !report.OK() {
			t.Fatal(report)
		}
		row := regexp.MustCompile(`(?m)^\| ` + "`?" + name + "`?" + ` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) MB \|$`).FindStringSubmatch(string(page))
		if row == nil {
			t.Errorf("the page has no line about %s", name)
			row = []string{"", "0", "0", "0", "0"}
		}
		for i, count := range []struct {
			what string
			got  int64
			unit int64
		}{
			{"handles opened", spent.opens.Load(), 1},
			{"writes", spent.writes.Load(), 1},
			{"reads", spent.reads.Load(), 1},
			{"bytes of payloads", spent.bytes.Load(), 1_000_000},
		} {
			limit, err := strconv.ParseInt(strings.ReplaceAll(row[1+i], ",", ""), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if limit *= count.unit; count.got > limit || count.got < limit*3/4 {
				t.Errorf("%s: %d %s, want at most the %d that the page states, and three quarters of it at least", name, count.got, count.what, limit)
			}
		}
	}
}
