package redis

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestCommandsOfASave counts what the script of a save runs once its thread is
// known: the server's time goes into these.
func TestCommandsOfASave(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b, admin := openDSN(t, server.URL), clientOf(t, server.URL)
	for _, tt := range []struct {
		name string
		keep int
		size int
		want string
	}{
		{"one version", 1, 2 << 10, "evalsha lindex llen lpush unlink"},
		{"one large version", 1, 100 << 10, "evalsha exec lindex llen lpush lpushx multi rename*2 unlink"},
		{"three versions", 3, 2 << 10, "evalsha hdel hget hmget hset lindex llen lpush ltrim"},
	} {
		req := func() driver.SaveRequest {
			req := request(driver.Key{Namespace: "n", Thread: tt.name}, make([]byte, tt.size))
			req.Keep = tt.keep
			return req
		}
		for range 5 {
			mustSave(t, b, req())
		}
		if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		mustSave(t, b, req())
		var got []string
		for line := range strings.Lines(admin.Info(t.Context(), "commandstats").Val()) {
			command, ok := strings.CutPrefix(line, "cmdstat_")
			name, rest, _ := strings.Cut(command, ":calls=")
			calls, _, _ := strings.Cut(rest, ",")
			if !ok || strings.HasPrefix(name, "config") || name == "hello" {
				continue // this test's own, and the driver's question for the role
			}
			if calls != "1" {
				name += "*" + calls
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("a save of %s ran %q, want %q", tt.name, strings.Join(got, " "), tt.want)
		}
	}
}

// TestLostIndex: threads that are saved come back into an index that was lost.
func TestLostIndex(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b := openDSN(t, dsn)
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	mustSave(t, b, request(key, nil))
	if err := clientOf(t, dsn).Del(t.Context(), b.layout.thread(key)[2]).Err(); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		mustSave(t, b, request(key, nil))
	}
	if got := list(t, b, driver.ListRequest{Namespace: key.Namespace}); len(got) != 1 {
		t.Errorf("List = %q after 16 saves, want the thread", got)
	}
}
