package checkpointtest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.Finder.
func findCases() []testCase {
	return []testCase{
		{name: "Raw/Find/Kept", needs: "Finder", run: findKept,
			rule: 3, text: "Find returns the Info of the kept version that was saved with the id."},
		{name: "Raw/Find/Missing", needs: "Finder", run: findMissing,
			rule: 3, text: "Find is ErrNotFound for an id that no kept version of the live thread has."},
		{name: "Raw/Find/NextLife", needs: "Finder", run: findNextLife,
			rule: 5, text: "Find finds nothing of a former life, and an id that was used again is that of the present one."},
	}
}

// findNothing checks that no version is found.
func (t *trial) findNothing(b *handle, what string, req driver.FindRequest) {
	if info, err := b.Find(t.ctx, req); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Find of %s = %s, %v, want ErrNotFound", what, show(info), err)
	}
}

func findKept(t *trial) {
	b := t.open()
	var want []driver.Info
	for i := range 6 {
		req := t.request("thread")
		req.Keep = 4
		req.Now = t.now.Add(time.Duration(i) * time.Second)
		req.Metadata = map[string]string{"number": fmt.Sprint(i)}
		req.Payload = fmt.Appendf(nil, `{"pad":"%s"}`, strings.Repeat("x", i))
		if i == 3 {
			req.ID = "ABCdef019._~-" + strings.Repeat("z", 51) // what callers may choose, at its longest
		}
		want = append(want, t.save(b, req))
	}
	for _, w := range want[2:] {
		got, err := b.Find(t.ctx, driver.FindRequest{Key: w.Key, ID: w.ID, Now: t.now})
		if err != nil {
			t.Fatalf("Find of the id of version %d: error %v, want its Info", w.Version, err)
		}
		t.same(fmt.Sprintf("Find of the id of version %d", w.Version), got, w)
	}
}

func findMissing(t *trial) {
	b := t.open()
	infos := t.grow(b, "thread", 4, 2)
	other := t.grow(b, "other thread", 1, 2)[0]
	gone := t.grow(b, "deleted", 1, 2)[0]
	t.remove(b, "deleted")
	mortal := t.mortal(b, "expired")
	last := infos[3]
	for what, req := range map[string]driver.FindRequest{
		"an id that was dropped":       {Key: last.Key, ID: infos[1].ID},
		"an id of another thread":      {Key: last.Key, ID: other.ID},
		"an id of another namespace":   {Key: driver.Key{Namespace: t.namespace + "a", Thread: "thread"}, ID: last.ID},
		"part of an id":                {Key: last.Key, ID: last.ID[:len(last.ID)-1]},
		"an id and more":               {Key: last.Key, ID: last.ID + "0"},
		"an id in another case":        {Key: last.Key, ID: strings.ToLower(last.ID)},
		"a pattern":                    {Key: last.Key, ID: "%"},
		"an id of a deleted thread":    {Key: gone.Key, ID: gone.ID},
		"an id of an expired thread":   {Key: mortal.Key, ID: mortal.ID, Now: mortal.ExpiresAt},
		"an id of a thread that isn't": {Key: t.key("never there"), ID: last.ID},
	} {
		if req.Now.IsZero() {
			req.Now = t.now
		}
		t.findNothing(b, what, req)
	}
}

func findNextLife(t *trial) {
	b := t.open()
	former := t.grow(b, "thread", 3, 5)
	t.remove(b, "thread")
	t.grow(b, "thread", 1, 5)
	again := t.request("thread")
	again.ID, again.Keep = former[0].ID, 5
	t.save(b, again) // version 2 of the present life
	for _, info := range former[1:] {
		t.findNothing(b, "an id of a former life", driver.FindRequest{Key: info.Key, ID: info.ID, Now: t.now})
	}
	if got, err := b.Find(t.ctx, driver.FindRequest{Key: again.Key, ID: again.ID, Now: t.now}); err != nil || got.Version != 2 {
		t.Errorf("Find of an id that two lives have had = %s, %v, want version 2", show(got), err)
	}
}
