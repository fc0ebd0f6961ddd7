package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/redis/go-redis/v9"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dsn  string
		want string // Config.String
	}{
		{"redis://localhost:6379/0", `{single server localhost:6379 db=0 tls=false prefix="" shards=0}`},
		{"redis://", `{single server localhost:6379 db=0 tls=false prefix="" shards=0}`},
		{"redis:///3", `{single server localhost:6379 db=3 tls=false prefix="" shards=0}`},
		{"redis://h?db=4", `{single server h:6379 db=4 tls=false prefix="" shards=0}`},
		{"redis://[::1]:7000/2", `{single server [::1]:7000 db=2 tls=false prefix="" shards=0}`},
		{"valkey://u:p%40ss@h/1?prefix=app:&shards=8", `{single server h:6379 db=1 tls=false prefix="app:" shards=8}`},
		{"rediss://h:1", `{single server h:1 db=0 tls=true prefix="" shards=0}`},
		{"valkeys://h:1?skip_verify=true", `{single server h:1 db=0 tls=true prefix="" shards=0}`},
		{"unix:///run/redis.sock", `{single server /run/redis.sock db=0 tls=false prefix="" shards=0}`},
		{"unix://u:p@/run/redis.sock?db=2", `{single server /run/redis.sock db=2 tls=false prefix="" shards=0}`},
		{"redis:///run/redis.sock?db=2", `{single server /run/redis.sock db=2 tls=false prefix="" shards=0}`},
		{"redis+sentinel://a/1?addr=b:2&addr=c:3&master_name=main", `{sentinel a:26379,b:2,c:3 db=1 tls=false prefix="" shards=0}`},
		{"rediss+sentinel://a:1?master_name=main", `{sentinel a:1 db=0 tls=true prefix="" shards=0}`},
		{"redis+cluster://a:7000?addr=b:7001&shards=16", `{cluster a:7000,b:7001 db=0 tls=false prefix="" shards=16}`},
		{"redis+cluster://u:p,w@a:7000,b,[::1]:7002?addr=c:1", `{cluster a:7000,b:6379,[::1]:7002,c:1 db=0 tls=false prefix="" shards=0}`},
		{"redis+sentinel://a,b:2,::1/1?master_name=main", `{sentinel a:26379,b:2,[::1]:26379 db=1 tls=false prefix="" shards=0}`},
		{"rediss+cluster://a:7000", `{cluster a:7000 db=0 tls=true prefix="" shards=0}`},
	} {
		got, err := ParseConfig(c.dsn)
		if err != nil {
			t.Errorf("ParseConfig(%q): %v", c.dsn, err)
		} else if got.String() != c.want {
			t.Errorf("ParseConfig(%q) = %s, want %s", c.dsn, got, c.want)
		}
	}
}

// TestVendors opens what vendors' consoles show.
func TestVendors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ vendor, dsn, want string }{
		{"Upstash", "rediss://default:AbC-1@eu1-calm-cat-1.upstash.io:6379", `{single server eu1-calm-cat-1.upstash.io:6379 db=0 tls=true prefix="" shards=0}`},
		{"Redis Cloud", "redis://default:pw@redis-12345.c1.us-east-1-2.ec2.redns.redis-cloud.com:12345", `{single server redis-12345.c1.us-east-1-2.ec2.redns.redis-cloud.com:12345 db=0 tls=false prefix="" shards=0}`},
		{"ElastiCache", "rediss://master.my-cache.abc123.use1.cache.amazonaws.com:6379", `{single server master.my-cache.abc123.use1.cache.amazonaws.com:6379 db=0 tls=true prefix="" shards=0}`},
		{"ElastiCache, cluster mode", "rediss+cluster://app:pw@clustercfg.my-cache.abc123.use1.cache.amazonaws.com:6379", `{cluster clustercfg.my-cache.abc123.use1.cache.amazonaws.com:6379 db=0 tls=true prefix="" shards=0}`},
		{"MemoryDB", "rediss+cluster://app:pw@clustercfg.my-db.abc123.memorydb.us-east-1.amazonaws.com:6379", `{cluster clustercfg.my-db.abc123.memorydb.us-east-1.amazonaws.com:6379 db=0 tls=true prefix="" shards=0}`},
		{"Azure Cache", "rediss://:key%3D@my.redis.cache.windows.net:6380/0", `{single server my.redis.cache.windows.net:6380 db=0 tls=true prefix="" shards=0}`},
		{"Azure Managed Redis", "rediss+cluster://:key%3D@my.eastus.redis.azure.net:10000", `{cluster my.eastus.redis.azure.net:10000 db=0 tls=true prefix="" shards=0}`},
		{"Aiven", "rediss://default:AVNS_x@valkey-1-project.a.aivencloud.com:12345", `{single server valkey-1-project.a.aivencloud.com:12345 db=0 tls=true prefix="" shards=0}`},
		{"Aiven, Valkey", "valkeys://default:AVNS_x@valkey-1-project.a.aivencloud.com:12345", `{single server valkey-1-project.a.aivencloud.com:12345 db=0 tls=true prefix="" shards=0}`},
		{"Heroku", "rediss://:p0123@ec2-1-2-3-4.compute-1.amazonaws.com:12345?skip_verify=true", `{single server ec2-1-2-3-4.compute-1.amazonaws.com:12345 db=0 tls=true prefix="" shards=0}`},
	} {
		got, err := ParseConfig(c.dsn)
		if err != nil {
			t.Errorf("%s: %v", c.vendor, err)
		} else if got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.vendor, got, c.want)
		}
	}
}

// TestParseConfigWords takes every word of go-redis once.
func TestParseConfigWords(t *testing.T) {
	t.Parallel()
	const common = "client_name=me&protocol=2&max_retries=5&min_retry_backoff=20ms&max_retry_backoff=2&read_timeout=2s&write_timeout=1&" +
		"pool_fifo=true&pool_size=7&pool_timeout=1s&min_idle_conns=1&max_idle_conns=2&max_active_conns=9&max_concurrent_dials=3&dial_timeout=1500ms&" +
		"pipeline_pool_size=4&pipeline_read_buffer_size=5000&pipeline_write_buffer_size=6000&conn_max_idle_time=1m&conn_max_lifetime=1h&conn_max_lifetime_jitter=60"
	for _, dsn := range []string{
		"redis://u:p@h?" + common,
		"redis+cluster://u:p@h?" + common + "&max_redirects=8&failing_timeout_seconds=5&dialer_retries=2&dialer_retry_timeout=10ms",
		"redis+sentinel://su:sp@h?" + common + "&username=u&password=p&master_name=main&dialer_retries=2&dialer_retry_timeout=10ms",
	} {
		cfg, err := ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		o := cfg.options
		if o.Username != "u" || o.Password != "p" || o.ClientName != "me" || o.Protocol != 2 || !o.PoolFIFO || o.PoolSize != 7 ||
			o.MinIdleConns != 1 || o.MaxIdleConns != 2 || o.MaxActiveConns != 9 || o.MaxConcurrentDials != 3 ||
			o.PipelinePoolSize != 4 || o.PipelineReadBufferSize != 5000 || o.PipelineWriteBufferSize != 6000 ||
			o.PoolTimeout != time.Second || o.DialTimeout != 1500*time.Millisecond ||
			o.ConnMaxIdleTime != time.Minute || o.ConnMaxLifetime != time.Hour || o.ConnMaxLifetimeJitter != time.Minute {
			t.Errorf("ParseConfig(%q): options %+v", dsn, o)
		}
		if got, want := cfg.within(), time.Second; got != want {
			t.Errorf("%q: a command may take %v, want %v", dsn, got, want)
		}
		retries, shortest, longest := cfg.repetitions()
		if got, want := fmt.Sprint(retries, shortest, longest), "5 20ms 2s"; got != want {
			t.Errorf("%q: repetitions %s, want %s", dsn, got, want)
		}
		switch cfg.topology {
		case cluster:
			if o.MaxRedirects != 8 || o.FailingTimeoutSeconds != 5 {
				t.Errorf("%q: options %+v", dsn, o)
			}
		case sentinel:
			if o.SentinelUsername != "su" || o.SentinelPassword != "sp" || o.MasterName != "main" {
				t.Errorf("%q: options %+v", dsn, o)
			}
		}
	}
	if cfg, err := ParseConfig("redis://h?idle_timeout=5m&max_conn_age=2h&max_retries=-1"); err != nil {
		t.Error(err)
	} else if retries, _, _ := cfg.repetitions(); cfg.options.ConnMaxIdleTime != 5*time.Minute || cfg.options.ConnMaxLifetime != 2*time.Hour || retries != 0 {
		t.Errorf("older names of words: %+v", cfg.options)
	}
}

func TestParseConfigErrors(t *testing.T) {
	t.Parallel()
	const notURL = "invalid DSN: it is no URL: want redis://USER:PASSWORD@HOST:PORT/NUMBER, with special characters of user name and password escaped as %XX"
	const socket = "invalid DSN: a Unix socket is written redis:///path/to/redis.sock"
	for _, c := range []struct{ dsn, want string }{
		{"redis://u:se%cret@h", notURL},
		{"redis://u:sec#ret@h", notURL},
		{"redis://u:sec/ret@h", notURL},
		{"redis:localhost", notURL},
		{"localhost:6379", "invalid DSN: a scheme is missing: write redis://HOST:PORT, or rediss://HOST:PORT for TLS"},
		{"h.redis.cache.windows.net:6380,password=secret=,ssl=True,abortConnect=False", "invalid DSN: this is the form of StackExchange.Redis: write redis://:PASSWORD@HOST:PORT, with ssl=True rediss://:PASSWORD@HOST:PORT"},
		{"rediss://h#insecure", "invalid DSN: write ?skip_verify=true instead of #insecure"},
		{"rediss://h?ssl_cert_reqs=none", `invalid DSN: word "ssl_cert_reqs" is another client's: for ssl_cert_reqs=none write skip_verify=true, and leave it out otherwise`},
		{" redis://u:secret@h", "invalid DSN: it begins or ends with a blank or a line end; take it out"},
		{"redis://u:secret@h\n", "invalid DSN: it begins or ends with a blank or a line end; take it out"},
		{`"redis://u:secret@h"`, "invalid DSN: it stands in quotes; take them out"},
		{"redis-cli -u redis://u:secret@h", "invalid DSN: write the URL alone, without redis-cli and its options"},
		{"redis://h/2?db=3", `invalid DSN: word "db" is given twice: after the host, and after '?'`},
		{"redis://h/0?db=3", `invalid DSN: word "db" is given twice: after the host, and after '?'`},
		{"redis://h:1,h:2", "invalid DSN: a single server has one host; several are those of redis+cluster:// or redis+sentinel://, with commas between or in the word addr"},
		{"redis+cluster://a:1,:2", "invalid DSN: a host between commas is not host:port"},
		{"http://h", "invalid DSN: it must start with one of redis://, rediss://, valkey://, valkeys://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster:// or unix://"},
		{"redis://h/secret", "invalid DSN: what follows the host must be the number of a database, such as /0"},
		{"redis+cluster://h/1", "invalid DSN: a cluster has no numbered databases: nothing may follow the host"},
		{"unix://secret/run/redis.sock", socket},
		{"unix://", socket},
		{"rediss:///run/redis.sock", socket},
		{"redis+sentinel://h", `invalid DSN: word "master_name" is missing: the name that the sentinels know the master by`},
		{"redis+cluster://h?addr=u:secret@b:1", `invalid DSN: word "addr": want host:port, without user name and password`},
		{"redis+cluster://h?addr=b", `invalid DSN: word "addr": want host:port, without user name and password`},
		{"redis://h?prefix={x}", `invalid DSN: word "prefix" is "{x}": want at most 64 printable ASCII characters, no space and no braces`},
		{"redis://h?shards=0", `invalid DSN: word "shards" is "0": want a whole number from 1 to 4096`},
		{"redis://h?shards=1&shards=1", `invalid DSN: word "shards" is given twice`},
		{"redis://h?protocol=4", `invalid DSN: word "protocol" is "4": want a whole number from 2 to 3`},
		{"redis://h?read_timeout=0", `invalid DSN: word "read_timeout" is "0": want a duration such as 500ms, or seconds, more than 0 and at most 9s`},
		{"redis://h?dial_timeout=10s", `invalid DSN: word "dial_timeout" is "10s": want a duration such as 500ms, or seconds, more than 0 and at most 9s`},
		{"redis://h?pool_fifo=yes", `invalid DSN: word "pool_fifo" is "yes": want true or false`},
		{"redis://h?conn_max_idle_time=long", `invalid DSN: word "conn_max_idle_time" is "long": want a duration such as 90s, or seconds`},
		{"redis://h?max_retry_backoff=1m", `invalid DSN: word "max_retry_backoff" is "1m": want a duration such as 90s, or seconds, at most 9s`},
	} {
		_, err := ParseConfig(c.dsn)
		if err == nil || err.Error() != c.want {
			t.Errorf("ParseConfig(%q): error %v, want %s", c.dsn, err, c.want)
		}
		if !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("ParseConfig(%q): error %v does not match ErrInvalid", c.dsn, err)
		}
	}
	// Words that would let a replica answer are no words of this driver.
	for _, dsn := range []string{"redis+cluster://h?read_only=true", "redis+cluster://h?route_by_latency=true", "redis+cluster://h?route_randomly=true",
		"redis+sentinel://h?master_name=m&replica_only=true", "redis://h?skip_verify=true", "redis://h?addr=b:1", "redis://h?master_name=x", "redis://h?table_name=x"} {
		_, err := ParseConfig(dsn)
		if err == nil || !strings.Contains(err.Error(), "unknown word") || !strings.Contains(err.Error(), "prefix") {
			t.Errorf("ParseConfig(%q): error %v, want one that names the unknown word and those allowed", dsn, err)
		}
	}
}

// TestNoPasswordShows prints what holds a password in every way.
func TestNoPasswordShows(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, dsn := range []string{
		"redis://user:" + secret + "@localhost:1/0",
		"redis+sentinel://user:" + secret + "@localhost:1?master_name=m&password=" + secret,
		"redis+cluster://:" + secret + "@localhost:1",
	} {
		cfg, err := ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		b := openDSN(t, dsn)
		var log strings.Builder
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		logger.Info("config", "config", cfg, "pointer", &cfg, "backend", b)
		asJSON, err := json.Marshal(struct{ Config, Backend any }{cfg, b})
		if err != nil {
			t.Fatal(err)
		}
		_, loadErr := b.Load(t.Context(), driver.LoadRequest{Key: driver.Key{Namespace: "n", Thread: "t"}, Now: time.Now()})
		for _, text := range []string{
			fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg, cfg), fmt.Sprintf("%v %+v %#v %s", b, b, b, b),
			log.String(), string(asJSON), fmt.Sprint(loadErr), fmt.Sprintf("%#v", loadErr),
		} {
			if strings.Contains(text, secret) {
				t.Errorf("a password shows in %s", text)
			}
		}
	}
}

// TestUnfit hands clients to New that would break the rules.
func TestUnfit(t *testing.T) {
	t.Parallel()
	const nowhere = "127.0.0.1:1"
	for name, c := range map[string]struct {
		client redis.UniversalClient
		cfg    Config
		want   string
	}{
		"Ring":    {redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": nowhere}}), Config{}, "invalid client: a Ring keeps threads on servers that it forgets when they are down; use a cluster"},
		"Replica": {redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nowhere}, ReadOnly: true}), Config{}, "invalid client: it reads from replicas, which may lag behind what was saved; make it without ReadOnly, RouteByLatency and RouteRandomly"},
		"Prefix":  {redis.NewClient(&redis.Options{Addr: nowhere}), Config{Prefix: "a b"}, "invalid prefix: want at most 64 printable ASCII characters, no space and no braces"},
		"Shards":  {redis.NewClient(&redis.Options{Addr: nowhere}), Config{Shards: -1}, "invalid Config: Shards is -1, want 1 to 4096, or 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer c.client.Close()
			b := New(c.client, c.cfg)
			key := driver.Key{Namespace: "n", Thread: "t"}
			_, saveErr := b.Save(t.Context(), driver.SaveRequest{Key: key, ID: "id", Now: time.Now(), Keep: 1})
			_, loadErr := b.Load(t.Context(), driver.LoadRequest{Key: key, Now: time.Now()})
			for what, err := range map[string]error{"Ping": b.Ping(t.Context()), "Save": saveErr, "Load": loadErr, "Delete": b.Delete(t.Context(), driver.DeleteRequest{Key: key})} {
				if err == nil || err.Error() != c.want || !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("%s: error %v, want %s", what, err, c.want)
				}
			}
			b.Close()
			if err := b.Ping(t.Context()); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("Ping after Close: error %v, want ErrClosed", err)
			}
		})
	}
}
