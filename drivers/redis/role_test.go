package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestServerBecomesReplica: connections to a server live on when it becomes a
// replica. Loads by them fail instead of going back, also the first ones of a new
// handle, and go on when it is a master again.
func TestServerBecomesReplica(t *testing.T) {
	t.Parallel()
	other := testserver.StartRedis(t, testserver.RedisOptions{})
	host, port, _ := net.SplitHostPort(other.Addr)
	for _, words := range []string{"", "?protocol=2"} {
		server := testserver.StartRedis(t, testserver.RedisOptions{})
		b, admin := openDSN(t, server.URL+words), clientOf(t, server.URL)
		key := driver.Key{Namespace: "n", Thread: "thread"}
		mustSave(t, b, request(key, []byte("state")))
		mustLoad(t, b, key)

		if err := admin.SlaveOf(t.Context(), host, port).Err(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			_, err := b.Load(ctx, driver.LoadRequest{Key: key, Now: time.Now()})
			if errors.Is(err, driver.ErrUnavailable) && strings.Contains(err.Error(), "replica") {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("Load from a replica: %v, want ErrUnavailable", err)
			}
		}
		if err := openDSN(t, server.URL+words).Ping(ctx); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "replica") {
			t.Errorf("Ping of a replica: %v, want ErrUnavailable that says so", err)
		}
		if err := admin.SlaveOf(t.Context(), "NO", "ONE").Err(); err != nil {
			t.Fatal(err)
		}
		mustSave(t, b, request(key, []byte("state")))
		mustLoad(t, b, key)
	}
}

// TestRoleIsAskedBeside: the question for the role travels with commands, of every
// size, and takes no round trip.
func TestRoleIsAskedBeside(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"", "?protocol=2"} {
		b, proxy := through(t, testserver.Redis(t), words)
		b.calls.roleAge = 0
		key := driver.Key{Namespace: namespace(), Thread: "thread"}
		for _, payload := range sizes {
			mustSave(t, b, request(key, payload))
			before := proxy.Counts()
			for range 10 {
				if got := mustLoad(t, b, key); len(got.Payload) != len(payload) {
					t.Errorf("Load: %d bytes, want %d", len(got.Payload), len(payload))
				}
			}
			if got := proxy.Counts().Sub(before).RoundTrips; got != 10 {
				t.Errorf("10 loads took %d round trips", got)
			}
		}
	}
}

// TestClusterNode: a first try on a node of a cluster records nothing, and names
// the scheme.
func TestClusterNode(t *testing.T) {
	t.Parallel()
	dsn := testserver.RedisCluster(t)
	cfg, err := ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	words := "?prefix=" + namespace() + ":"
	for _, addr := range cfg.options.Addrs {
		b := openDSN(t, "redis://"+addr+words)
		_, err := b.Save(t.Context(), request(driver.Key{Namespace: "n", Thread: "thread"}, nil))
		if err == nil || !strings.Contains(err.Error(), "redis+cluster://") {
			t.Errorf("Save on a node of a cluster: %v, want one that names the scheme", err)
		}
	}
	if err := openDSN(t, strings.SplitN(dsn, "?", 2)[0]+words).Ping(t.Context()); err != nil {
		t.Errorf("Ping of the cluster: %v", err)
	}
}

// TestFewConnections saves from more goroutines than the server takes connections.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{Config: []string{"maxclients 6"}})
	b := openDSN(t, server.URL+"?pool_size=30")
	var done sync.WaitGroup
	for i := range 60 {
		done.Go(func() {
			for range 20 {
				if _, err := b.Save(t.Context(), request(driver.Key{Namespace: "n", Thread: fmt.Sprint(i)}, nil)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
}

// TestServerEndsIdleConnections: what the server has ended while it was idle is
// not used again, plain or under TLS.
func TestServerEndsIdleConnections(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		server := testserver.StartRedis(t, testserver.RedisOptions{TLS: secure})
		dsn := server.URL
		if secure {
			dsn += "?skip_verify=true"
		}
		b := openDSN(t, dsn)
		b.calls.trusted = 10 * time.Millisecond
		admin := openDSN(t, dsn)
		for i := range 20 {
			mustSave(t, b, request(driver.Key{Namespace: "n", Thread: "thread"}, []byte("state")))
			time.Sleep(2 * b.calls.trusted) // a connection in use counts as sound
			if err := admin.client.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			await(t, func() bool {
				clients, err := admin.client.ClientList(t.Context()).Result()
				return err == nil && strings.Count(clients, "\n") == 1
			})
		}
	}
}

func await(t testing.TB, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("it does not come about")
		}
	}
}
