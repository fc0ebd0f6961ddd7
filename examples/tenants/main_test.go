package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// replicas starts two services with a store each on one database.
func replicas(t *testing.T) [2]string {
	t.Helper()
	var urls [2]string
	file := filepath.Join(t.TempDir(), "tenants.db")
	for i := range urls {
		store, err := checkpoint.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(NewHandler(store))
		t.Cleanup(func() {
			server.Close()
			store.Close()
		})
		urls[i] = server.URL
	}
	return urls
}

func do(t *testing.T, method, url, body, key string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(text)
}

// TestReplicas: what two replicas append to one conversation at once is there, all
// of it.
func TestReplicas(t *testing.T) {
	t.Parallel()
	urls := replicas(t)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if status, text := do(t, "POST", urls[i%2]+"/acme/conversations/7", fmt.Sprint("message ", i, "."), ""); status != 200 {
				t.Errorf("status %d: %s", status, text)
			}
		})
	}
	wg.Wait()
	_, got := do(t, "GET", urls[0]+"/acme/conversations/7", "", "")
	for i := range 10 {
		if !strings.Contains(got, fmt.Sprint("message ", i, ".")) {
			t.Errorf("message %d is not in %s", i, got)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	url := replicas(t)[0]
	for _, tt := range []struct {
		name, method, path, body, key string
		status                        int
		want                          string
	}{
		{"nothing yet", "GET", "/acme/conversations/1", "", "", 404, "Not Found"},
		{"a message", "POST", "/acme/conversations/1", "hello", "k1", 200, `{"version":1}`},
		{"the same again", "POST", "/acme/conversations/1", "hello", "k1", 200, `{"version":1}`},
		{"it is there once", "GET", "/acme/conversations/1", "", "", 200, `{"messages":["hello"]}`},
		{"another tenant sees nothing", "GET", "/other/conversations/1", "", "", 404, "Not Found"},
		{"no tenant of such a name", "GET", "/a%20b/conversations/1", "", "", 400, "Bad Request"},
		{"a key with a blank", "POST", "/acme/conversations/1", "hello", "k 2", 400, "Bad Request"},
		{"too long", "POST", "/acme/conversations/1", strings.Repeat("x", 1<<17), "", 413, "the message is too long"},
	} { // one after the other
		status, got := do(t, tt.method, url+tt.path, tt.body, tt.key)
		if got = strings.TrimSpace(got); status != tt.status || got != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, status, got, tt.status, tt.want)
		}
	}
}
