package checkpointtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.Collector. Others' things that nothing names are left alone,
// and a database is not read whole where that takes long.
func collectCases() []testCase {
	return []testCase{
		{name: "Raw/Collect/Keeps", needs: "Collector", run: collectKeeps, alone: true,
			rule: 2, text: "Collect removes nothing of threads, be they live, expired, large, with a history or with patches, and asks Before first."},
		{name: "Raw/Collect/WhileSaving", needs: "Collector", run: collectWhileSaving, alone: true, heavy: true,
			rule: 2, text: "Collect removes nothing that saves beside it have written or are about to refer to."},
	}
}

// maxCollected bounds the bytes of a database that these cases read whole.
const maxCollected = 1 << 30

// collectable reports whether Collect may run: nothing of others would be removed.
func (t *trial) collectable(b *handle) bool {
	tooLarge := errors.New("too large")
	asked := 0
	n, err := b.Collect(t.ctx, driver.CollectRequest{DryRun: true, Before: func(p driver.CollectPlan) error {
		if asked++; p.Bytes > maxCollected {
			return tooLarge
		}
		return nil
	}})
	switch {
	case errors.Is(err, tooLarge):
		t.note("the database is not read: it has more than %d bytes", maxCollected)
		return false
	case err != nil:
		t.Fatalf("Collect: error %v, want nil", err)
	case asked != 1:
		t.Errorf("Collect called Before %d times, want once", asked)
	case n > 0:
		t.note("nothing is collected: the database has %d items that nothing names, which are not of this case", n)
	}
	return n == 0
}

func (t *trial) collect(b *handle, req driver.CollectRequest, when string) {
	if n, err := b.Collect(t.ctx, req); err != nil || n != 0 {
		t.Errorf("Collect %s = %d, %v, want 0: everything stored belongs to a thread", when, n, err)
	}
}

func collectKeeps(t *trial) {
	b := t.open()
	if !t.collectable(b) {
		return
	}
	stop := errors.New("stop")
	if n, err := b.Collect(t.ctx, driver.CollectRequest{Before: func(driver.CollectPlan) error { return stop }}); n != 0 || !errors.Is(err, stop) {
		t.Errorf("Collect whose Before returned an error = %d, %v, want 0 and that error", n, err)
	}
	large := `"` + strings.Repeat("state", 100<<10) + `"`
	versions := map[string]int64{"small": 1, "large": 1, "history": 13, "large history": 3, "ckpt#c#name": 2}
	for thread, n := range versions {
		for range n {
			req := t.request(thread)
			req.Keep = driver.KeepAll
			if strings.HasPrefix(thread, "large") {
				req.Payload = []byte(large)
			}
			t.save(b, req)
		}
	}
	expired := t.request("expired")
	for range 3 {
		expired.ID, expired.Keep, expired.ExpiresAt = rand.Text(), 3, t.now.Add(1000)
		t.save(b, expired)
	}
	var chained *chain
	if has[driver.Patcher](b.inner) {
		chained = t.chain(b, "chained", 2)
		for _, base := range []int64{0, 1, 1, 0, 4, 4} {
			chained.add(base)
		}
	}
	for _, dryRun := range []bool{true, false} {
		t.collect(t.open(), driver.CollectRequest{DryRun: dryRun}, fmt.Sprintf("(dry run %v) of threads alone", dryRun))
	}
	for thread, n := range versions {
		t.versions(b, thread, down(n, 1)...)
		for v := range n {
			if got := t.loadVersion(b, thread, v+1, t.now); strings.HasPrefix(thread, "large") && diffJSON(got.Payload, []byte(large)) != "" {
				t.Errorf("after Collect the payload of version %d of %q is another", v+1, thread)
			}
		}
	}
	for v := int64(1); v <= 3; v++ {
		t.loadVersion(b, "expired", v, t.now)
	}
	if chained != nil {
		chained.visible(5)
	}
}

func collectWhileSaving(t *trial) {
	const rounds, savers = 3, 2
	b := t.open()
	if !t.collectable(b) {
		return
	}
	collector := t.open()
	done := make(chan struct{})
	large := strings.Repeat("state", 100<<10)
	t.together(savers+1, func(i int) {
		if i == savers {
			for n := 0; n < savers; {
				t.collect(collector, driver.CollectRequest{}, "beside saves")
				select {
				case <-done:
					n++
				default:
				}
			}
			return
		}
		defer func() { done <- struct{}{} }()
		thread := fmt.Sprint("thread-", i)
		for n := range rounds {
			req := t.request(thread)
			req.Keep, req.Payload = 1+i, fmt.Appendf(nil, `"%s %d"`, large, n)
			info, err := b.Save(t.ctx, req)
			if err != nil {
				t.Errorf("Save beside Collect: %v", err)
				return
			}
			for v := max(1, info.Version-int64(i)); v <= info.Version; v++ {
				c, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Version: v, Now: t.now})
				if err != nil || v == info.Version && diffJSON(c.Payload, req.Payload) != "" {
					t.Errorf("beside Collect Load of version %d of %q = %d bytes, %v, want what was saved", v, thread, len(c.Payload), err)
				}
			}
		}
	})
}
