package agentspersistence_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/go-ckpt/checkpoint/takeover"
	"github.com/go-ckpt/checkpoint/takeover/agentspersistence"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// TestTakeover brings into one server what the crate 0.0.30 has written there, as
// recorded: testdata/0.0.30.jsonl has its keys, a command of Redis a line. Threads
// are "user-1" and "a:b c/ü" for ever in agents, "user-1" for a day in tenant-b, where
// the set also names one whose key has expired.
func TestTakeover(t *testing.T) {
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	old := redis.NewClient(options)
	defer old.Close()
	recorded, err := os.Open("testdata/0.0.30.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer recorded.Close()
	for lines := bufio.NewScanner(recorded); lines.Scan(); {
		var command []any
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			t.Fatal(err)
		}
		if err := old.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	before, err := old.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}

	store, err := checkpoint.Open("redis", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	began := time.Now()
	for range 2 {
		for namespace, want := range map[string]takeover.Stats{"agents": {Threads: 2, States: 2}, "tenant-b": {Threads: 1, States: 1}} {
			stats, err := takeover.Into(t.Context(), store.Namespace(namespace), agentspersistence.Redis(t.Context(), old, namespace))
			if err != nil || stats != want {
				t.Errorf("%s: %+v, %v, want %+v", namespace, stats, err, want)
			}
		}
	}

	// As its AgentStateSnapshot is written down.
	type snapshot struct {
		Todos      []struct{ Content, Status string }
		Files      map[string]string
		Scratchpad map[string]json.Number
	}
	for _, want := range []struct {
		namespace, thread, n string
		life                 time.Duration
	}{{"agents", "user-1", "1", 0}, {"agents", "a:b c/ü", "2", 0}, {"tenant-b", "user-1", "3", 24 * time.Hour}} {
		var s snapshot
		info, err := store.Namespace(want.namespace).Load(t.Context(), want.thread, &s)
		if err != nil {
			t.Errorf("%s/%s: %v", want.namespace, want.thread, err)
			continue
		}
		if len(s.Todos) != 1 || s.Todos[0].Content != "step "+want.n || s.Todos[0].Status != "pending" ||
			s.Files["notes.txt"] != "line "+want.n+"\nünïcode \u2028 <tag>" ||
			s.Scratchpad["n"] != json.Number(want.n) || s.Scratchpad["big"] != "9007199254740993" {
			t.Errorf("%s/%s = %+v", want.namespace, want.thread, s)
		}
		if want.life == 0 && !info.ExpiresAt.IsZero() || want.life > 0 && (info.ExpiresAt.Before(began.Add(want.life-time.Minute)) || info.ExpiresAt.After(time.Now().Add(want.life))) {
			t.Errorf("%s/%s expires at %v, want %v from now", want.namespace, want.thread, info.ExpiresAt, want.life)
		}
	}
	if n, err := old.Exists(t.Context(), "agents:thread:user-1", "agents:thread:a:b c/ü", "agents:threads", "tenant-b:thread:user-1", "tenant-b:threads").Result(); err != nil || n != before {
		t.Errorf("%d of the crate's %d keys are left, %v", n, before, err)
	}
}
