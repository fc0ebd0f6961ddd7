package dynamodb

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestHeadsOfAPage: each head costs what reading its whole item costs, so that a page
// in which some threads have expired goes on with as many as are missing.
func TestHeadsOfAPage(t *testing.T) {
	credentials(t)
	const threads, expired, limit = 80, 7, 30
	var mu sync.Mutex
	heads, requests := 0, 0
	endpoint := between(t, func(_ http.ResponseWriter, action string, body []byte) bool {
		if action != "BatchGetItem" {
			return false
		}
		var in struct {
			RequestItems map[string]struct{ Keys []any }
		}
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		requests++
		for _, of := range in.RequestItems {
			heads += len(of.Keys)
		}
		return false
	})
	b := openTable(t, "pages-"+rand.Text(), endpoint, "&create_table=true")
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range threads {
		req := request(fmt.Sprintf("thread-%02d", n), "small", 1)
		if n < expired {
			req.ExpiresAt = testNow.Add(time.Minute)
		}
		mustSave(t, b, req)
	}
	var listed []string
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Limit: limit, Now: testNow.Add(time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, info.Thread)
	}
	if len(listed) != limit || listed[0] != "thread-07" || listed[limit-1] != "thread-36" {
		t.Errorf("listed %d threads, %v, want thread-07 to thread-36", len(listed), listed)
	}
	mu.Lock()
	defer mu.Unlock()
	if requests > 2 {
		t.Errorf("the page took %d requests for heads, want 2", requests)
	}
	if most := limit + expired + 2; heads > most { // a page asks for one more
		t.Errorf("a page of %d threads beside %d expired ones read %d heads, want at most %d", limit, expired, heads, most)
	}
}

// TestPageAmongTheDead: many expired threads in front of a page do not make it a request
// for each.
func TestPageAmongTheDead(t *testing.T) {
	credentials(t)
	var requests atomic.Int64
	endpoint := between(t, func(_ http.ResponseWriter, action string, _ []byte) bool {
		if action == "Query" {
			requests.Add(1)
		}
		return false
	})
	b := openTable(t, "dead-"+rand.Text(), endpoint, "&create_table=true")
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range 120 {
		req := request(fmt.Sprintf("thread-%03d", n), "small", 1)
		if n != 119 {
			req.ExpiresAt = testNow.Add(time.Minute)
		}
		mustSave(t, b, req)
	}
	before := requests.Load()
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Limit: 1, Now: testNow.Add(time.Hour)}) {
		if err != nil || info.Thread != "thread-119" {
			t.Errorf("listed %q, %v, want thread-119", info.Thread, err)
		}
	}
	if n := requests.Load() - before; n > 8 {
		t.Errorf("a page of one behind 119 expired threads took %d queries, want at most 8", n)
	}
}
