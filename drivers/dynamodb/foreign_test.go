package dynamodb

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestForeignItems: what another program has written is version 1.
func TestForeignItems(t *testing.T) {
	credentials(t)
	table := plainTable(t)
	for thread, attributes := range map[string]map[string]types.AttributeValue{
		"complete": {"state": str(`{"n": 1}`), "updated_at": str("2026-01-02T03:04:05Z"), "ttl": num(testNow.Add(time.Hour).Unix())},
		"bare":     {"state": str(`[1]`)},
		"purged":   {"state": str(`[1]`), "updated_at": str("2026-01-02T03:04:05Z"), "ttl": num(testNow.Add(-time.Hour).Unix())},
		"expired":  {"state": str(`[1]`), "updated_at": str("2026-01-02T03:04:05Z"), "ttl": num(testNow.Add(-time.Hour).Unix())},
	} {
		attributes["thread_id"] = str(thread)
		if _, err := bare(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: attributes}); err != nil {
			t.Fatal(err)
		}
	}
	b := openTable(t, table, testserver.DynamoDB(t), "")
	s := checkpoint.New(b, checkpoint.WithClock(func() time.Time { return testNow }), checkpoint.WithHistory(3))
	var listed []string
	for info, err := range s.List(t.Context(), checkpoint.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, info.Thread)
	}
	if fmt.Sprint(listed) != "[bare complete]" {
		t.Errorf("List = %q, want bare and complete", listed)
	}
	var state map[string]int
	info, err := s.Load(t.Context(), "complete", &state)
	if err != nil || info.Version != 1 || state["n"] != 1 || info.SavedAt.Format(time.RFC3339) != "2026-01-02T03:04:05Z" || info.ID == "" {
		t.Fatalf("Load = %+v, %v, %v, want version 1 with n = 1", info, state, err)
	}
	if stat, err := s.Stat(t.Context(), "complete"); err != nil || stat.ID != info.ID || stat.Size != info.Size {
		t.Errorf("Stat = %+v, %v, want what Load gave", stat, err)
	}
	next, err := s.Save(t.Context(), "complete", 2, checkpoint.IfMatch(info.ID))
	if err != nil || next.Version != 2 || !next.CreatedAt.Equal(info.CreatedAt) {
		t.Errorf("Save = %+v, %v, want version 2 of the same life", next, err)
	}
	if _, err := s.LoadVersion(t.Context(), "complete", 1, &state); err != nil || state["n"] != 1 {
		t.Errorf("LoadVersion(1) = %v, %v, want the item as it was", state, err)
	}
	if info, err := s.Save(t.Context(), "expired", 1, checkpoint.IfAbsent()); err != nil || info.Version != 1 {
		t.Errorf("Save over an expired item = %+v, %v, want version 1", info, err)
	}
	if info, err := checkpoint.New(b).Save(t.Context(), "bare", 1); err != nil || info.Version != 2 {
		t.Errorf("Save = %+v, %v, want version 2", info, err)
	}
	if n, err := s.Purge(t.Context()); err != nil || n != 1 {
		t.Errorf("Purge = %d, %v, want the one that has expired", n, err)
	}
}

// TestForeignWrites: another program that writes twice in one second has made two
// checkpoints, and a save on condition of the first is a conflict.
func TestForeignWrites(t *testing.T) {
	credentials(t)
	table := plainTable(t)
	const second = "2026-01-02T03:04:05Z"
	write := func(thread string, a attributes) {
		t.Helper()
		a["thread_id"] = str(thread)
		if _, err := bare(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: a}); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range map[string]func(state string) attributes{
		"dated":   func(state string) attributes { return attributes{"state": str(state), "updated_at": str(second)} },
		"undated": func(state string) attributes { return attributes{"state": str(state)} },
	} {
		for _, keep := range []int{1, 3} {
			thread := fmt.Sprintf("%s/%d", name, keep)
			write(thread, a("[1]"))
			b := openTable(t, table, testserver.DynamoDB(t), "")
			seen, err := loadThread(t.Context(), b, thread)
			if err != nil {
				t.Fatal(err)
			}
			write(thread, a("[2]"))
			req := request(thread, "[3]", keep)
			req.Match.ID = seen.ID
			if info, err := b.Save(t.Context(), req); !errors.Is(err, driver.ErrConflict) {
				t.Errorf("%s: Save on condition of the first write = %+v, %v, want a conflict", thread, info, err)
			}

			// And one that comes between the driver's read and its write.
			late := openTable(t, table, between(t, func(_ http.ResponseWriter, action string, _ []byte) bool {
				if action == "PutItem" {
					write(thread, a("[4]"))
				}
				return false
			}), "")
			seen, err = loadThread(t.Context(), b, thread)
			if err != nil {
				t.Fatal(err)
			}
			req = request(thread, "[5]", keep)
			req.Match.ID = seen.ID
			if info, err := late.Save(t.Context(), req); !errors.Is(err, driver.ErrConflict) {
				t.Errorf("%s: Save that was overtaken = %+v, %v, want a conflict", thread, info, err)
			}
			if cp, err := loadThread(t.Context(), b, thread); err != nil || string(cp.Payload) != "[4]" {
				t.Errorf("%s: Load = %s, %v, want what the other program wrote last", thread, cp.Payload, err)
			}
		}
	}
}

// TestScanWithoutStates lists without an index what this driver and another program
// have written: states are read of the latter alone, and a page holds no more threads
// than it may.
func TestScanWithoutStates(t *testing.T) {
	credentials(t)
	table := plainTable(t)
	var mu sync.Mutex
	asked := make(map[string]int) // requests that ask for states, by their action
	b := openTable(t, table, between(t, func(_ http.ResponseWriter, action string, body []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if bytes.Contains(body, []byte(`"#state"`)) {
			asked[action]++
		} else {
			asked[action] += 0
		}
		return false
	}), "")
	s := inside(t, b)
	const threads = 500
	var writes []types.WriteRequest
	want := make(map[string]string) // ids
	for i := range threads {
		req := request(fmt.Sprintf("thread-%03d", i), "x", 1)
		if i%5 == 0 {
			req.ExpiresAt = testNow
		} else {
			want[req.Thread] = req.ID
		}
		writes = append(writes, put((&item{Info: newInfo(req), payload: req.Payload, life: "life"}).head()))
	}
	for i := range 3 {
		writes = append(writes, put(attributes{"thread_id": str(fmt.Sprint("thread-0-", i)), "state": str(`[1]`)}))
	}
	if err := s.write(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		cp, err := loadThread(t.Context(), b, fmt.Sprint("thread-0-", i))
		if err != nil {
			t.Fatal(err)
		}
		want[cp.Thread] = cp.ID
	}
	all := slices.Sorted(maps.Keys(want))
	for _, limit := range []int{0, 1, 50, 402, 403, 1000} {
		var got []string
		for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Limit: limit, Now: testNow}) {
			if err != nil {
				t.Fatal(err)
			}
			if info.ID != want[info.Thread] {
				t.Errorf("%s has the id %q, want %q", info.Thread, info.ID, want[info.Thread])
			}
			got = append(got, info.Thread)
		}
		expect := all
		if limit > 0 {
			expect = all[:min(limit, len(all))]
		}
		if !slices.Equal(got, expect) {
			t.Errorf("with limit %d List yields %d threads: %.300q, want %d", limit, len(got), got, len(expect))
		}
	}
	mu.Lock()
	if n, scanned := asked["Scan"]; !scanned || n != 0 || asked["BatchGetItem"] == 0 {
		t.Errorf("requests that ask for states: %v, want no Scan", asked)
	}
	mu.Unlock()
	heads, err := s.scan(t.Context(), listing{namespace: "agents", limit: 10, now: testNow})
	if err != nil || len(heads) > 10+spare {
		t.Errorf("a page of 10 holds %d threads, %v; want %d at most", len(heads), err, 10+spare)
	}
}
