package redis

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// methods returns a call of every method, which would succeed.
func methods(b *backend, key driver.Key) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Ping": b.Ping,
		"Save": func(ctx context.Context) error { _, err := b.Save(ctx, request(key, nil)); return err },
		"Save of a large state": func(ctx context.Context) error {
			_, err := b.Save(ctx, request(key, make([]byte, 20_000)))
			return err
		},
		"Load": func(ctx context.Context) error {
			_, err := b.Load(ctx, driver.LoadRequest{Key: key, Now: time.Now()})
			return err
		},
		"Delete": func(ctx context.Context) error { return b.Delete(ctx, driver.DeleteRequest{Key: key}) },
		"List": func(ctx context.Context) error {
			for _, err := range b.List(ctx, driver.ListRequest{Namespace: key.Namespace, Now: time.Now()}) {
				return err
			}
			return nil
		},
		"History": func(ctx context.Context) error {
			for _, err := range b.History(ctx, driver.HistoryRequest{Key: key, Now: time.Now()}) {
				return err
			}
			return nil
		},
		"Purge": func(ctx context.Context) error { _, err := b.Purge(ctx, key.Namespace, time.Now()); return err },
		"Import": func(ctx context.Context) error {
			return b.Import(ctx, driver.ImportRequest{Checkpoint: driver.Checkpoint{Info: driver.Info{Key: key, ID: "imported", Version: 1}}, Now: time.Now(), Keep: 1})
		},
		"Namespaces": func(ctx context.Context) error {
			for _, err := range b.Namespaces(ctx) {
				return err
			}
			return nil
		},
	}
}

// TestRefused connects to servers that will not have it, and looks at the
// errors people get.
func TestRefused(t *testing.T) {
	t.Parallel()
	const secret = "not-the-password"
	locked := testserver.StartRedis(t, testserver.RedisOptions{Password: "the-password"})
	open := testserver.Redis(t)
	secure := testserver.StartRedis(t, testserver.RedisOptions{TLS: true})
	sentinel, err := url.Parse(testserver.RedisSentinel(t))
	if err != nil {
		t.Fatal(err)
	}
	clusterURL := testserver.RedisCluster(t)
	node, err := url.Parse(clusterURL)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := url.Parse(open)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dsn   string
		want  error
		texts []string
	}{
		"WrongPassword": {"redis://:" + secret + "@" + locked.Addr, driver.ErrUnavailable, []string{"refuses this client: wrong user name or password"}},
		"NoPassword":    {"redis://" + locked.Addr, driver.ErrUnavailable, []string{"refuses this client: it wants a password"}},
		"WrongPort":     {"redis://127.0.0.1:1", driver.ErrUnavailable, []string{"127.0.0.1:1", "refused"}},
		"WrongHost":     {"redis://host.invalid:6379", driver.ErrUnavailable, []string{"host.invalid"}},
		"NoSocket":      {"redis:///nowhere/redis.sock", driver.ErrUnavailable, []string{"/nowhere/redis.sock"}},
		"ClusterNode":   {"redis://" + node.Host, driver.ErrUnavailable, []string{"redis+cluster://"}},
		"NoCluster":     {"redis+cluster://" + plain.Host, driver.ErrInvalid, []string{"redis://"}},
		"NoTLS":         {"rediss://" + plain.Host + "?dial_timeout=200ms&max_retries=-1", driver.ErrUnavailable, []string{"the scheme is redis)"}},
		"TLS":           {"redis://" + secure.Addr, driver.ErrUnavailable, []string{"TLS", "the scheme is then rediss)"}},
		"WrongMaster":   {"redis+sentinel://" + sentinel.Host + "/0?master_name=another", driver.ErrUnavailable, []string{"the sentinels know no master", "master_name"}},
		"NoDatabase":    {"redis://" + plain.Host + "/999", driver.ErrInvalid, []string{"has no database of that number"}},
		"NoSentinel":    {"redis+sentinel://127.0.0.1:1?master_name=main", driver.ErrUnavailable, []string{"sentinels"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openDSN(t, c.dsn)
			for call, run := range methods(b, driver.Key{Namespace: "n", Thread: "t"}) {
				err := run(t.Context())
				if !errors.Is(err, c.want) {
					t.Errorf("%s: error %v, want %v", call, err, c.want)
					continue
				}
				for _, text := range c.texts {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%s: error %q does not say %q", call, err, text)
					}
				}
				if strings.Contains(err.Error(), secret) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: error %q shows a password or passes for the context's", call, err)
				}
			}
		})
	}
}

// TestFull fills a server up to its maxmemory: saves fail with a clear error
// and change nothing, loads go on, and deleting makes room.
func TestFull(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{Config: []string{"maxmemory 12mb", "maxmemory-policy noeviction"}})
	b := openDSN(t, server.URL)
	admin := clientOf(t, server.URL)
	key := func(i int) driver.Key { return driver.Key{Namespace: "n", Thread: fmt.Sprintf("thread-%03d", i)} }
	payload := bytes.Repeat([]byte("x"), 100_000)
	saved := 0
	fill := func(payload []byte) error {
		for {
			req := request(key(saved), payload)
			req.Keep = 3
			if _, err := b.Save(t.Context(), req); err != nil || saved > 10_000 {
				return err
			}
			saved++
		}
	}
	full := fill(payload)
	if !errors.Is(full, driver.ErrUnavailable) || !strings.Contains(full.Error(), "raise maxmemory") {
		t.Fatalf("Save on a full server: error %v, want ErrUnavailable that says what to do", full)
	}
	large := saved
	for _, size := range []int{1000, 0} {
		if err := fill(make([]byte, size)); !errors.Is(err, driver.ErrUnavailable) {
			t.Fatalf("Save of %d bytes on a full server: error %v, want ErrUnavailable", size, err)
		}
	}
	for name, small := range map[string][]byte{"Small": []byte("small"), "Large": payload} {
		req := request(key(0), small)
		req.Keep = 3
		if _, err := b.Save(t.Context(), req); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s save of an existing thread: error %v, want ErrUnavailable", name, err)
		}
		req.ExpiresAt = req.Now.Add(time.Hour)
		if _, err := b.Save(t.Context(), req); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s save that expires: error %v, want ErrUnavailable", name, err)
		}
	}
	// Nothing was lost, and nothing is there in half.
	if got := list(t, b, driver.ListRequest{Namespace: "n"}); len(got) != saved {
		t.Errorf("List has %d threads, want %d", len(got), saved)
	}
	for i := range large {
		if cp := mustLoad(t, b, key(i)); cp.Version != 1 || !bytes.Equal(cp.Payload, payload) || !cp.ExpiresAt.IsZero() {
			t.Errorf("Load of %s = %+v", key(i).Thread, cp.Info)
		}
	}
	if left, err := admin.Keys(t.Context(), "*:g:*").Result(); err != nil || len(left) > 0 {
		t.Errorf("keys left of transactions: %q, %v", left, err)
	}
	for i := range 10 {
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key(i)}); err != nil {
			t.Fatalf("Delete on a full server: %v", err)
		}
	}
	mustSave(t, b, request(key(1), payload))
}

// documented is what the package documentation says a user needs.
const documented = "on >secret ~{* -@all +hello +auth +ping +client|setname +select +info +multi +exec +eval +evalsha +eval_ro +evalsha_ro " +
	"+lrange +lindex +llen +lpush +lpushx +ltrim +lset +exists +rename +unlink +hget +hset +hmget +hdel +hexists +zadd +zrem +zrangebylex +zrangebyscore +pexpireat +persist +time"

// TestDocumentedPermissions holds the package documentation against that.
func TestDocumentedPermissions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rule, _ := strings.Cut(string(text), "-@all ")
	rule, _, _ = strings.Cut(rule, "\n//\n")
	got := strings.Fields(strings.ReplaceAll(rule, "//", ""))
	_, rest, _ := strings.Cut(documented, "-@all ")
	if want := strings.Fields(rest); !slices.Equal(got, want) {
		t.Errorf("the documentation lists %v, want %v", got, want)
	}
}

// TestPermissions gives a user the permissions that the documentation lists,
// and then takes one after the other away.
func TestPermissions(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{ACL: []string{"user app " + documented, "user default on nopass ~* +@all"}})
	admin := clientOf(t, "redis://"+server.Addr)
	dsn := "redis://app:secret@" + server.Addr
	exercise := func(b *backend) error {
		key := driver.Key{Namespace: "n", Thread: "thread"}
		for range 3 {
			for _, payload := range sizes {
				for _, ttl := range []time.Duration{time.Hour, 0} {
					req := request(key, payload)
					req.Keep = 2
					if ttl > 0 {
						req.ExpiresAt = req.Now.Add(ttl)
					}
					if _, err := b.Save(t.Context(), req); err != nil {
						return err
					}
				}
			}
		}
		for name, call := range methods(b, key) {
			if err := call(t.Context()); err != nil && !errors.Is(err, driver.ErrNotFound) && !errors.Is(err, driver.ErrConflict) {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if err := b.Rewrite(t.Context(), driver.RewriteRequest{Key: key, Version: 1, ID: "x", Now: time.Now()}); !errors.Is(err, driver.ErrNotFound) {
			return err
		}
		return nil
	}
	if err := exercise(openDSN(t, dsn)); err != nil {
		t.Fatalf("with the documented permissions: %v", err)
	}
	for _, command := range []string{
		"evalsha", "eval", "multi", "lpushx", "lrange", "rename", "zadd", "lpush", "unlink", "ltrim", "hset", "hget", "hdel", "zrem", "pexpireat", "persist",
	} {
		key := driver.Key{Namespace: "n", Thread: "kept"}
		req := request(key, []byte("state"))
		mustSave(t, openDSN(t, dsn), req)
		if err := admin.Do(t.Context(), "ACL", "SETUSER", "app", "-"+command).Err(); err != nil {
			t.Fatal(err)
		}
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		err := exercise(openDSN(t, dsn))
		if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "refuses this client") && !strings.Contains(err.Error(), "permission") {
			t.Errorf("without %s: error %v, want ErrUnavailable that speaks of permissions", command, err)
		}
		openDSN(t, dsn).Save(t.Context(), request(key, []byte("lost")))
		if err := admin.Do(t.Context(), "ACL", "SETUSER", "app", "+"+command).Err(); err != nil {
			t.Fatal(err)
		}
		if got := mustLoad(t, openDSN(t, dsn), key); string(got.Payload) != "state" && command != "evalsha" && command != "lpushx" && command != "multi" && command != "lrange" {
			t.Errorf("a save without %s left %+v, want the state before", command, got.Info)
		}
	}
	if err := exercise(openDSN(t, dsn)); err != nil {
		t.Errorf("with the permissions given back: %v", err)
	}
}

// TestShardsOnRecord opens a store with another number of shards.
func TestShardsOnRecord(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t) + "?prefix=" + namespace() + ":"
	b := openDSN(t, dsn+"&shards=8")
	early := openDSN(t, dsn+"&shards=4")
	if err := early.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Nothing is stored under the number on record: another one takes its place.
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustSave(t, b, request(driver.Key{Namespace: "n", Thread: "t"}, nil))
	if _, err := early.Save(t.Context(), request(driver.Key{Namespace: "n", Thread: "t"}, nil)); !errors.Is(err, driver.ErrInvalid) {
		t.Errorf("Save by a handle from before: %v, want ErrInvalid", err)
	}
	other := openDSN(t, dsn)
	for name, call := range methods(other, driver.Key{Namespace: "n", Thread: "t"}) {
		err := call(t.Context())
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "made with 8") || !strings.Contains(err.Error(), "shards=8") {
			t.Errorf("%s: error %v, want ErrInvalid that says which number is right", name, err)
		}
	}
	if err := openDSN(t, dsn+"&shards=8").Ping(t.Context()); err != nil {
		t.Errorf("Ping with the right number: %v", err)
	}
}

// TestEvictionWarning asks a server with every policy.
func TestEvictionWarning(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	admin := clientOf(t, server.URL)
	for policy, want := range map[string]int{"noeviction": 0, "allkeys-lru": 1, "volatile-ttl": 1, "allkeys-random": 1} {
		if err := admin.ConfigSet(t.Context(), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		b := openDSN(t, server.URL)
		b.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			if err := b.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(log.String(), "maxmemory_policy="+policy); got != want || strings.Count(log.String(), "\n") != want {
			t.Errorf("with %s the log has %d warnings, want %d:\n%s", policy, got, want, log.String())
		}
	}
}

// TestCrateWarning: threads of the Rust crate agents-persistence are told of, once a
// handle, until the namespace is used.
func TestCrateWarning(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	warnings := func() int {
		var log strings.Builder
		b := openDSN(t, server.URL)
		b.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			if err := b.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Count(log.String(), "key=agents:threads")
	}
	if got := warnings(); got != 0 {
		t.Errorf("%d warnings without such threads, want 0", got)
	}
	admin := clientOf(t, server.URL)
	if err := admin.SAdd(t.Context(), "agents:threads", "user-1").Err(); err != nil {
		t.Fatal(err)
	}
	if got := warnings(); got != 1 {
		t.Errorf("%d warnings beside such threads, want 1", got)
	}
	req := driver.SaveRequest{Key: driver.Key{Namespace: "agents", Thread: "user-1"}, ID: "1", Payload: []byte("1"), Encoding: "json", Now: time.Now(), Keep: 1}
	if _, err := openDSN(t, server.URL).Save(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got := warnings(); got != 0 {
		t.Errorf("%d warnings when the namespace is in use, want 0", got)
	}
}

// TestForeignKeys puts keys of other programs in the place of ours: the error
// says so, and nothing of theirs or ours is changed.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b := openDSN(t, dsn)
	admin := clientOf(t, dsn)
	for _, payload := range sizes {
		ns := namespace()
		key := driver.Key{Namespace: ns, Thread: "thread"}
		keys := b.layout.thread(key)
		for i, what := range []string{"list", "past", "index", "expiry"} {
			for _, existing := range []bool{false, true} {
				req := request(key, payload)
				req.Keep, req.ExpiresAt = 2, req.Now.Add(time.Hour)
				if existing && i != 0 {
					mustSave(t, b, req)
				}
				if err := admin.Set(t.Context(), keys[i], "somebody else's", 0).Err(); err != nil {
					t.Fatal(err)
				}
				before := mustLoadIf(t, b, key, existing && i != 0)
				req.ID = "another"
				_, err := b.Save(t.Context(), req)
				if i == 1 && !existing || what == "index" && existing {
					// A new thread has no past, and takes the place; one that is there was
					// listed when it was made, and the index is not looked at.
					if err != nil {
						t.Errorf("Save with a foreign %s: %v", what, err)
					}
					if existing {
						before = req.ID
					}
					if got, err := admin.Get(t.Context(), keys[i]).Result(); existing && got != "somebody else's" {
						t.Errorf("after Save the foreign %s is %q, %v", what, got, err)
					}
				} else if !errors.Is(err, driver.ErrCorrupt) || !strings.Contains(err.Error(), "prefix") {
					t.Errorf("Save with a foreign %s: error %v, want ErrCorrupt that names the cure", what, err)
				} else if got, err := admin.Get(t.Context(), keys[i]).Result(); got != "somebody else's" {
					t.Errorf("after Save the foreign %s is %q, %v", what, got, err)
				}
				if after := mustLoadIf(t, b, key, existing && i != 0); after != before {
					t.Errorf("after Save with a foreign %s the thread is at %q, want %q", what, after, before)
				}
				if err := admin.Del(t.Context(), keys...).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func mustLoadIf(t *testing.T, b *backend, key driver.Key, there bool) string {
	t.Helper()
	if !there {
		return ""
	}
	return mustLoad(t, b, key).ID
}

// TestDamaged changes what is stored behind the driver's back: every reader
// says that it is damaged, no save goes on from it, and Delete clears it away.
func TestDamaged(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b := openDSN(t, dsn)
	admin := clientOf(t, dsn)
	for name, damage := range map[string]func(ctx context.Context, list string) error{
		"NoInfo":  func(ctx context.Context, list string) error { return admin.LTrim(ctx, list, 0, 0).Err() },
		"BadInfo": func(ctx context.Context, list string) error { return admin.LSet(ctx, list, 1, "nonsense").Err() },
		"LaterFormat": func(ctx context.Context, list string) error {
			return admin.LSet(ctx, list, 1, "3 1 0 - ID 1 0 % 0 5 json ").Err()
		},
		"ShortPayload":  func(ctx context.Context, list string) error { return admin.LSet(ctx, list, 0, "st").Err() },
		"ForeignFormat": func(ctx context.Context, list string) error { return admin.LPush(ctx, list, "x").Err() },
	} {
		key := driver.Key{Namespace: namespace(), Thread: "thread"}
		mustSave(t, b, request(key, []byte("state")))
		if err := damage(t.Context(), b.layout.list(key.Namespace, key.Thread)); err != nil {
			t.Fatal(err)
		}
		for call, run := range methods(b, key) {
			err := run(t.Context())
			switch {
			case call == "Ping", call == "Namespaces", call == "Purge":
				if err != nil {
					t.Errorf("%s: %s: %v", name, call, err)
				}
			case call == "Delete":
			case name == "ShortPayload" && call != "Load": // the rest of the thread is sound
			case name == "NoInfo" && (call == "List" || call == "History"): // passed over
			case !errors.Is(err, driver.ErrCorrupt):
				t.Errorf("%s: %s: error %v, want ErrCorrupt", name, call, err)
			}
			if call == "Delete" || name == "ShortPayload" && strings.HasPrefix(call, "Save") { // start over
				b.Delete(t.Context(), driver.DeleteRequest{Key: key})
				mustSave(t, b, request(key, []byte("state")))
				if err := damage(t.Context(), b.layout.list(key.Namespace, key.Thread)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
			t.Errorf("%s: Delete: %v", name, err)
		}
		if info := mustSave(t, b, request(key, []byte("state"))); info.Version != 1 {
			t.Errorf("%s: after Delete the next save is version %d, want 1", name, info.Version)
		}
	}
}

// TestConnections opens stores over TLS, a Unix socket, as an ACL user, and on
// another database.
func TestConnections(t *testing.T) {
	t.Parallel()
	acl := testserver.StartRedis(t, testserver.RedisOptions{UnixSocket: true, ACL: []string{"user app on >p@ss:w0rd/ ~* +@all", "user default off"}})
	for name, dsn := range map[string]string{
		"ACL":      "redis://app:p%40ss%3Aw0rd%2F@" + acl.Addr,
		"Valkey":   "valkey://app:p%40ss%3Aw0rd%2F@" + acl.Addr,
		"Socket":   "redis://app:p%40ss%3Aw0rd%2F@" + acl.Dir + "/redis.sock",
		"UnixURL":  "unix://app:p%40ss%3Aw0rd%2F@" + acl.Dir + "/redis.sock?db=3",
		"Database": "redis://app:p%40ss%3Aw0rd%2F@" + acl.Addr + "/7",
		"RESP2":    "redis://app:p%40ss%3Aw0rd%2F@" + acl.Addr + "/8?protocol=2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openDSN(t, dsn)
			key := driver.Key{Namespace: namespace(), Thread: "thread"}
			for _, payload := range sizes {
				mustSave(t, b, request(key, payload))
				if got := mustLoad(t, b, key); !bytes.Equal(got.Payload, payload) {
					t.Errorf("Load = %d bytes, want %d", len(got.Payload), len(payload))
				}
			}
		})
	}
}

// TestTLS restarts a server that speaks TLS: connections that were idle
// meanwhile are replaced before a save is sent over them.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{TLS: true})
	trusted, err := os.ReadFile(server.Dir + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(trusted) {
		t.Fatal("no certificate in ca.pem")
	}
	strict, err := ParseConfig("rediss://" + server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	strict.options.TLSConfig.RootCAs = roots
	careless, err := ParseConfig("rediss://" + server.Addr + "?skip_verify=true")
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{"Strict": strict, "SkipVerify": careless} {
		b := open(cfg)
		defer b.Close()
		b.calls.trusted = time.Millisecond
		key := driver.Key{Namespace: "n", Thread: name}
		for _, payload := range sizes {
			mustSave(t, b, request(key, payload))
			server.Restart()
			mustSave(t, b, request(key, payload))
			if got := mustLoad(t, b, key); !bytes.Equal(got.Payload, payload) {
				t.Errorf("%s: Load = %d bytes, want %d", name, len(got.Payload), len(payload))
			}
		}
	}
	unknown := openDSN(t, "rediss://"+server.Addr)
	if err := unknown.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Ping of a server with a certificate of nobody: error %v, want ErrUnavailable that says so", err)
	}
}

// TestIdleConnections restarts a server beneath idle connections without TLS.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b := openDSN(t, server.URL)
	key := driver.Key{Namespace: "n", Thread: "thread"}
	for _, payload := range sizes {
		mustSave(t, b, request(key, payload))
		server.Restart()
		mustSave(t, b, request(key, payload))
	}
}

// TestClosedOnInfo: a proxy that closes a connection that asks for INFO keeps nobody
// from saving.
func TestClosedOnInfo(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	direct := at.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var closed atomic.Int64
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", direct)
			if err != nil {
				client.Close()
				return
			}
			go func() {
				io.Copy(client, up)
				client.Close()
			}()
			go func() {
				defer up.Close()
				defer client.Close()
				for buf := make([]byte, 64<<10); ; {
					n, err := client.Read(buf)
					if bytes.Contains(bytes.ToLower(buf[:n]), []byte("$4\r\ninfo\r\n")) {
						closed.Add(1)
						return
					}
					if _, writeErr := up.Write(buf[:n]); err != nil || writeErr != nil {
						return
					}
				}
			}()
		}
	}()
	at.Host = l.Addr().String()
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	mustSave(t, openDSN(t, at.String()), request(key, []byte("state")))
	if err := openDSN(t, at.String()).Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if got := mustLoad(t, openDSN(t, at.String()), key); string(got.Payload) != "state" {
		t.Errorf("Load = %q", got.Payload)
	}
	if closed.Load() < 3 {
		t.Errorf("%d connections were closed for INFO, want one of each handle", closed.Load())
	}
}
