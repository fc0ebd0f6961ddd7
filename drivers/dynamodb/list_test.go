package dynamodb

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
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
	heads := 0
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
	if most := limit + expired + 2; heads > most { // a page asks for one more
		t.Errorf("a page of %d threads beside %d expired ones read %d heads, want at most %d", limit, expired, heads, most)
	}
}
