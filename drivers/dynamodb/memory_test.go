package dynamodb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestKnownHead: a save goes by what the handle remembers of the head, with one
// request, and where that is wrong by now it is what it would have been without, with
// one request more.
func TestKnownHead(t *testing.T) {
	credentials(t)
	var mu sync.Mutex
	var sent []string
	endpoint := between(t, func(_ http.ResponseWriter, action string, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, strings.TrimSuffix(action, "Item"))
		return false
	})
	table := plainTable(t)
	b, other := openTable(t, table, endpoint, ""), openTable(t, table, testserver.DynamoDB(t), "")
	key := driver.Key{Namespace: "agents", Thread: "t"}
	var created driver.Info
	save := func(change func(*driver.SaveRequest)) func() (driver.Info, error) {
		return func() (driver.Info, error) {
			req := request("t", "state", 1)
			change(&req)
			return b.Save(t.Context(), req)
		}
	}
	nothing := func(*driver.SaveRequest) {}
	later := func(req *driver.SaveRequest) { req.Now = testNow.Add(1000) }
	for i, step := range []struct {
		before  func()
		save    func() (driver.Info, error)
		sent    string
		version int64
	}{
		{nil, save(nothing), "Update", 1},
		{nil, save(later), "Put", 2},
		{nil, save(later), "Put", 3},
		{func() { mustSave(t, other, request("t", "another's", 1)) }, save(later), "Put Update", 5},
		{nil, save(later), "Update", 6}, // once without, since it was wrong
		{nil, save(later), "Put", 7},
		{func() { // another form of the same state
			head := mustHead(t, inside(t, other), "t")
			err := other.(driver.Rewriter).Rewrite(t.Context(), driver.RewriteRequest{Key: key, Version: 7, ID: head.ID, Payload: []byte("anew"), Encoding: "bytes", Now: testNow})
			if err != nil {
				t.Fatal(err)
			}
		}, save(later), "Put Update", 8},
		{nil, save(later), "Update", 9},
		{nil, save(func(req *driver.SaveRequest) { later(req); req.ExpiresAt = testNow.Add(5000) }), "Put", 10},
		{nil, save(func(req *driver.SaveRequest) { req.Now = testNow.Add(5000) }), "Update Put", 1}, // its life was over
		{func() {
			if err := other.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
				t.Fatal(err)
			}
		}, save(later), "Put Update", 1},
	} {
		if step.before != nil {
			step.before()
		}
		mu.Lock()
		sent = nil
		mu.Unlock()
		info, err := step.save()
		if err != nil || info.Version != step.version || strings.Join(sent, " ") != step.sent {
			t.Errorf("step %d: version %d by %v, %v, want %d by %s", i, info.Version, sent, err, step.version, step.sent)
		}
		if info.Version == 1 {
			created = info
		}
		if stored := mustHead(t, inside(t, other), "t"); !info.CreatedAt.Equal(created.SavedAt) || !stored.CreatedAt.Equal(created.SavedAt) || stored.ID != info.ID || stored.Version != info.Version {
			t.Errorf("step %d: version %d created at %v, stored is version %d created at %v, want %v", i, info.Version, info.CreatedAt, stored.Version, stored.CreatedAt, created.SavedAt)
		}
	}
}

// TestKnownHeadOfAnotherVersion: an id that was saved again, when it was no longer kept,
// does not make a later version the one that the handle remembers.
func TestKnownHeadOfAnotherVersion(t *testing.T) {
	credentials(t)
	b, _, other := behind(t)
	req := request("t", "state", 1)
	mustSave(t, b, req)
	mustSave(t, other, request("t", "another", 1))
	mustSave(t, other, req)
	if info := mustSave(t, b, request("t", "next", 1)); info.Version != 4 {
		t.Errorf("the save after version 3 is version %d", info.Version)
	}
}

// TestHeadMemoryIsBounded: the memory keeps to its bytes and forgets what was used
// least.
func TestHeadMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newHeadMemory()
	head := func(i int) *item {
		req := request(fmt.Sprint("t-", i), strings.Repeat("x", 1000), 1)
		req.Metadata = map[string]string{"note": strings.Repeat("n", 1000)}
		return &item{Info: newInfo(req), payload: req.Payload, life: "life"}
	}
	const heads = 5000
	for i := range heads {
		m.put(head(i))
		m.get(head(0).Key)
	}
	used := 0
	for e := m.recent.Front(); e != nil; e = e.Next() {
		known := e.Value.(*knownHead)
		used += known.size()
		if known.head.payload != nil {
			t.Fatal("a payload is remembered")
		}
	}
	if used != m.used || used > maxKnown || used < maxKnown*9/10 || len(m.heads) != m.recent.Len() {
		t.Errorf("%d bytes in %d heads, and counted are %d in %d, want nearly %d", used, m.recent.Len(), m.used, len(m.heads), maxKnown)
	}
	if m.get(head(0).Key) == nil || m.get(head(heads-1).Key) == nil || m.get(head(1).Key) != nil {
		t.Error("the heads that were used last are not those that are remembered")
	}
}

// TestUpdatedNewOfOthers: a server may leave out of an update's answer what kept its
// value; CreatedAt is right all the same.
func TestUpdatedNewOfOthers(t *testing.T) {
	credentials(t)
	endpoint := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
		if action != "UpdateItem" {
			return false
		}
		var answer struct{ Attributes map[string]any }
		if err := json.Unmarshal(forward(t, action, body), &answer); err != nil {
			t.Error(err)
		}
		delete(answer.Attributes, "created_at")
		delete(answer.Attributes, "life")
		text, err := json.Marshal(answer)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Write(text)
		return true
	})
	table := plainTable(t)
	b := openTable(t, table, endpoint, "")
	mustSave(t, b, request("t", "1", 1))
	late := request("t", "2", 1)
	late.Now = testNow.Add(1000)
	for want := int64(2); want < 4; want++ {
		late.ID += "a"
		if info := mustSave(t, b, late); info.Version != want || !info.CreatedAt.Equal(testNow) {
			t.Errorf("version %d created at %v, want %d at %v", info.Version, info.CreatedAt, want, testNow)
		}
	}
}
