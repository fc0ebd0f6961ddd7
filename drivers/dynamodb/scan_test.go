package dynamodb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestScanInSegments: without an index a table of several pages is read in segments
// at the same time, each thread of it is listed once, in order, and of no more
// segments than max_connections allows, also after one of them was refused.
func TestScanInSegments(t *testing.T) {
	credentials(t)
	const threads = 16
	var (
		mu      sync.Mutex
		scans   []string // the segment of each
		refused string   // the segment that is refused
	)
	endpoint := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if action != "Scan" {
			return false
		}
		var in struct{ Segment, TotalSegments *int }
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		segment := "whole"
		if in.TotalSegments != nil {
			segment = fmt.Sprint(*in.Segment, "/", *in.TotalSegments)
		}
		scans = append(scans, segment)
		if segment == refused {
			fail(w, http.StatusBadRequest, "AccessDeniedException")
			return true
		}
		return false
	})
	table := plainTable(t)
	direct := openTable(t, table, testserver.DynamoDB(t), "&index=none")
	// list returns how the table was read, a word for each segment; one is refused.
	list := func(b driver.Backend, limit int, without string) (names, read []string, err error) {
		mu.Lock()
		scans, refused = nil, without
		mu.Unlock()
		for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Limit: limit, Now: testNow}) {
			if err != nil {
				return nil, nil, err
			}
			names = append(names, info.Thread)
		}
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(scans)
		return names, slices.Compact(scans), nil
	}
	var want []string
	for n := range threads {
		want = append(want, fmt.Sprintf("thread-%02d", n))
		mustSave(t, direct, request(want[n], "small", 1))
	}
	b := openTable(t, table, endpoint, "&index=none")
	if names, read, err := list(b, 0, ""); err != nil || !slices.Equal(names, want) || !slices.Equal(read, []string{"whole"}) {
		t.Errorf("a small table: %v, %v, read as %v, want all %d threads from one request", names, err, read, threads)
	}
	for _, name := range want {
		mustSave(t, direct, request(name, strings.Repeat("x", 300<<10), 1))
		other := request(name, strings.Repeat("x", 1<<10), 1)
		other.Namespace = "other"
		mustSave(t, direct, other)
	}
	for _, c := range []struct {
		words string
		read  []string
	}{
		{"", []string{"0/4", "1/4", "2/4", "3/4", "whole"}},
		{"&max_connections=3", []string{"0/3", "1/3", "2/3", "whole"}},
		{"&max_connections=1", []string{"whole"}},
	} {
		b := openTable(t, table, endpoint, "&index=none"+c.words)
		for _, limit := range []int{0, 7} {
			names, read, err := list(b, limit, "")
			wanted := want
			if limit > 0 {
				wanted = want[:limit]
			}
			if err != nil || !slices.Equal(names, wanted) {
				t.Errorf("%s: List of %d: %v, %v, want %v", c.words, limit, names, err, wanted)
			}
			if !slices.Equal(read, c.read) {
				t.Errorf("%s: the table was read as %v, want %v", c.words, read, c.read)
			}
		}
		var found []string
		for name, err := range b.(driver.NamespaceLister).Namespaces(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, name)
		}
		if !slices.Equal(found, []string{"agents", "other"}) {
			t.Errorf("%s: Namespaces = %v, want agents and other", c.words, found)
		}
	}
	b = openTable(t, table, endpoint, "&index=none&max_connections=3")
	for range 3 {
		if _, _, err := list(b, 0, "1/3"); err == nil || !strings.Contains(err.Error(), "dynamodb:Scan") {
			t.Fatalf("List, one of whose segments is refused: %v, want an error that names dynamodb:Scan", err)
		}
	}
	if names, read, err := list(b, 0, ""); err != nil || len(names) != threads || len(read) != 4 {
		t.Errorf("List after one that was refused: %d threads, %v, read as %v: the places of its segments are not free again", len(names), err, read)
	}
}
