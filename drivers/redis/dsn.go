package redis

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// schemes are the names the driver has and the URLs it reads.
var schemes = []string{
	"redis", "rediss", "valkey", "valkeys",
	"redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
}

// ParseConfig reads a DSN as the package documentation describes it. Its errors
// match driver.ErrInvalid, name the word that is wrong and show no password.
func ParseConfig(source string) (Config, error) {
	if err := foreignForm(source); err != nil {
		return Config{}, err
	}
	base, query := dsn.Split(source)
	words, err := dsn.Parse(query)
	if err != nil {
		return Config{}, err
	}
	words.Foreign(foreignWords)
	var cfg Config
	cfg.readURL(base, words)
	cfg.readWords(words)
	if err := words.Done(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func invalid(format string, args ...any) error { return fmt.Errorf(format, args...) }

// readURL reads what stands before the '?'. No part of it is shown in errors:
// where a password is not escaped, any part can be a piece of it.
func (c *Config) readURL(base string, words *dsn.Words) {
	base, more := splitHosts(base)
	u, err := url.Parse(base)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.Contains(base, "#") {
		words.Reject(invalid("it is no URL: want redis://USER:PASSWORD@HOST:PORT/NUMBER, with special characters of user name and password escaped as %%XX"))
		return
	}
	scheme := u.Scheme
	if scheme == "unix" {
		scheme = "redis"
		c.unixAddr = true
	}
	if !slices.Contains(schemes, scheme) {
		words.Reject(invalid("it must start with one of %s:// or unix://", strings.Join(schemes, "://, ")))
		return
	}
	name, mode, _ := strings.Cut(scheme, "+")
	secure := strings.HasSuffix(name, "ss") || strings.HasSuffix(name, "ys")
	switch mode {
	case "sentinel":
		c.topology = sentinel
	case "cluster":
		c.topology = cluster
	}
	o := &c.options
	password, _ := u.User.Password()
	if c.topology == sentinel {
		o.SentinelUsername, o.SentinelPassword = u.User.Username(), password
	} else {
		o.Username, o.Password = u.User.Username(), password
	}
	path := strings.TrimPrefix(u.Path, "/")
	if c.topology == single && u.Host == "" && path != "" && !isNumber(path) {
		c.unixAddr = true
	}
	if c.unixAddr {
		if secure || u.Host != "" || path == "" {
			words.Reject(invalid("a Unix socket is written redis:///path/to/redis.sock"))
			return
		}
		o.Addrs = []string{u.Path}
		return
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		host = "localhost"
	}
	usual := map[bool]string{false: "6379", true: "26379"}[c.topology == sentinel]
	if port == "" {
		port = usual
	}
	o.Addrs = []string{net.JoinHostPort(host, port)}
	if len(more) > 0 && c.topology == single {
		words.Reject(invalid("a single server has one host; several are those of redis+cluster:// or redis+sentinel://, with commas between or in the word addr"))
		return
	}
	for _, h := range more {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port = strings.Trim(h, "[]"), usual
		}
		if !isHost(host) || !isPort(port) {
			words.Reject(invalid("a host between commas is not host:port"))
			return
		}
		o.Addrs = append(o.Addrs, net.JoinHostPort(host, port))
	}
	if secure {
		o.TLSConfig = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	switch {
	case path == "":
	case c.topology == cluster:
		words.Reject(invalid("a cluster has no numbered databases: nothing may follow the host"))
	case !isNumber(path):
		words.Reject(invalid("what follows the host must be the number of a database, such as /0"))
	default:
		o.DB, _ = strconv.Atoi(path)
		c.numbered = true
	}
}

// splitHosts takes the hosts after the first one out of a URL, as clients that
// join them by commas write them.
func splitHosts(base string) (string, []string) {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return base, nil
	}
	hosts, path, slash := strings.Cut(rest, "/")
	user := hosts[:strings.LastIndexByte(hosts, '@')+1]
	all := strings.Split(hosts[len(user):], ",")
	base = scheme + "://" + user + all[0]
	if slash {
		base += "/" + path
	}
	return base, all[1:]
}

func isNumber(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0
}

// readWords takes the words: those of this driver, and go-redis' own, as its
// ParseURL, ParseFailoverURL and ParseClusterURL have them. Those that would
// let replicas answer (read_only, replica_only, route_…) are not among them: a
// replica may not have what was saved.
func (c *Config) readWords(words *dsn.Words) {
	w := reader{words}
	o := &c.options
	if v, ok := words.String("prefix"); ok {
		if err := checkPrefix(v); err != nil {
			words.Fail("prefix", v, "at most 64 printable ASCII characters, no space and no braces")
		}
		c.Prefix = v
	}
	c.Shards = words.Int("shards", 0, 1, maxShards)

	o.ClientName, _ = words.String("client_name")
	o.Protocol = words.Int("protocol", 0, 2, 3)
	o.MaxRetries = words.Int("max_retries", 0, -1, 100)
	o.MinRetryBackoff = w.duration("min_retry_backoff", patience)
	o.MaxRetryBackoff = w.duration("max_retry_backoff", patience)
	o.DialTimeout = w.timeout("dial_timeout", 3*time.Second)
	o.PoolTimeout = w.timeout("pool_timeout", 3*time.Second)
	o.ReadTimeout = w.timeout("read_timeout", 0)
	o.WriteTimeout = w.timeout("write_timeout", 0)
	o.PoolFIFO = w.bool("pool_fifo")
	o.PoolSize = words.Int("pool_size", 0, 1, 100_000)
	o.MinIdleConns = words.Int("min_idle_conns", 0, 0, 100_000)
	o.MaxIdleConns = words.Int("max_idle_conns", 0, 0, 100_000)
	o.MaxActiveConns = words.Int("max_active_conns", 0, 0, 100_000)
	o.MaxConcurrentDials = words.Int("max_concurrent_dials", 0, 0, 100_000)
	o.PipelinePoolSize = words.Int("pipeline_pool_size", 0, -1, 100_000)
	o.PipelineReadBufferSize = words.Int("pipeline_read_buffer_size", 0, 0, 1<<30)
	o.PipelineWriteBufferSize = words.Int("pipeline_write_buffer_size", 0, 0, 1<<30)
	o.ConnMaxIdleTime = w.duration("conn_max_idle_time", unbounded)
	o.ConnMaxLifetime = w.duration("conn_max_lifetime", unbounded)
	o.ConnMaxLifetimeJitter = min(w.duration("conn_max_lifetime_jitter", unbounded), o.ConnMaxLifetime)
	o.DialerRetries = 1 // a dial that failed is repeated with the command

	if o.TLSConfig != nil {
		o.TLSConfig.InsecureSkipVerify = w.bool("skip_verify")
	}
	if c.topology != cluster {
		// What follows the host is the same word.
		if number := words.Int("db", -1, 0, 1<<20); number >= 0 {
			if o.DB != 0 || c.numbered {
				words.Reject(invalid("word %q is given twice: after the host, and after '?'", "db"))
			}
			o.DB = number
		}
	}
	if c.topology != single {
		w.addrs(&o.Addrs)
		o.DialerRetries = words.Int("dialer_retries", 1, 1, 10)
		o.DialerRetryTimeout = w.duration("dialer_retry_timeout", patience)
	}
	switch c.topology {
	case single:
		// Names that go-redis has kept from earlier versions.
		o.ConnMaxIdleTime = max(o.ConnMaxIdleTime, w.duration("idle_timeout", unbounded))
		o.ConnMaxLifetime = max(o.ConnMaxLifetime, w.duration("max_conn_age", unbounded))
	case sentinel:
		o.Username, _ = words.String("username")
		o.Password, _ = words.String("password")
		o.MasterName, _ = words.String("master_name")
		if o.MasterName == "" {
			words.Reject(fmt.Errorf("word %q is missing: the name that the sentinels know the master by", "master_name"))
		}
	case cluster:
		o.MaxRedirects = words.Int("max_redirects", 0, 0, 100)
		o.FailingTimeoutSeconds = words.Int("failing_timeout_seconds", 0, 0, 3600)
	}
}

// A reader takes words whose values have go-redis' forms.
type reader struct{ words *dsn.Words }

// bool is true, false, 1 or 0.
func (r reader) bool(name string) bool {
	v, ok := r.words.String(name)
	switch {
	case !ok, v == "false", v == "0":
		return false
	case v != "true" && v != "1":
		r.words.Fail(name, v, "true or false")
	}
	return true
}

const unbounded = time.Duration(1<<63 - 1)

// duration is a Go duration or a whole number of seconds, at most longest; one
// of 0 or less switches off what the word is about, and is -1 for go-redis.
func (r reader) duration(name string, longest time.Duration) time.Duration {
	v, ok := r.words.String(name)
	if !ok {
		return 0
	}
	d, err := parseDuration(v)
	want := "a duration such as 90s, or seconds"
	if longest < unbounded {
		want += fmt.Sprintf(", at most %s", longest)
	}
	if err != nil || d > longest {
		r.words.Fail(name, v, want)
		return 0
	}
	if d <= 0 {
		return -1
	}
	return d
}

// timeout is a duration that cannot be switched off, because every operation
// ends within ten seconds.
func (r reader) timeout(name string, missing time.Duration) time.Duration {
	v, ok := r.words.String(name)
	if !ok {
		return missing
	}
	d, err := parseDuration(v)
	if err != nil || d <= 0 || d > patience {
		r.words.Fail(name, v, fmt.Sprintf("a duration such as 500ms, or seconds, more than 0 and at most %s", patience))
	}
	return d
}

func parseDuration(s string) (time.Duration, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n > int(unbounded/time.Second) {
			return unbounded, nil
		}
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(s)
}

// addrs adds the addresses of more nodes.
func (r reader) addrs(to *[]string) {
	for _, addr := range r.words.Strings("addr") {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || !isHost(host) || !isPort(port) {
			r.words.Reject(fmt.Errorf("word %q: want host:port, without user name and password", "addr"))
			return
		}
		*to = append(*to, addr)
	}
}

// isHost reports whether a text can be a host: a name, or an address.
func isHost(s string) bool {
	if strings.Contains(s, ":") {
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	return s != "" && !strings.ContainsAny(s, "@/ ")
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
