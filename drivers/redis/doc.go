// Package redis is the checkpoint driver for Redis 6.2 and later and Valkey: a
// single server, Sentinel, or Cluster, without modules.
//
//	import _ "github.com/go-ckpt/checkpoint/drivers/redis"
//
//	store, err := checkpoint.Open("redis", "redis://user:pass@localhost:6379/0?ttl=24h")
//
// # Data source names
//
//	redis://user:pass@host:6379/0           a single server; rediss:// with TLS
//	redis://user:pass@/run/redis.sock?db=0  its Unix socket; also unix:///run/redis.sock
//	redis+sentinel://host1:26379/0?addr=host2:26379&addr=host3:26379&master_name=main
//	redis+cluster://user:pass@host1:7000?addr=host2:7000&addr=host3:7000
//
// The names of the driver are redis, rediss, valkey, valkeys, redis+sentinel,
// rediss+sentinel, redis+cluster and rediss+cluster; the scheme of the DSN
// decides. Special characters in user names and passwords are escaped as %XX.
// With Sentinel the user and password before the host are those of the
// sentinels, and the words username and password are those of the servers, as
// in go-redis' ParseFailoverURL.
//
// The words of the driver:
//
//	prefix=app:   starts every key; default none. Stores with different
//	              prefixes share a database and do not see each other.
//	shards=64     parts of each namespace, 1 to 4096; default 64 on a cluster and
//	              1 elsewhere. The first store in a database fixes the number;
//	              opening it with another one is an error.
//	addr=h:p      another node of a cluster, or another sentinel; repeatable
//	              (hosts may also stand before the path with commas between)
//	master_name   what the sentinels call the master
//	skip_verify   true: believe any certificate
//	db            the number of the database
//
// and go-redis' own, with go-redis' forms and meanings: client_name, protocol,
// max_retries, min_retry_backoff, max_retry_backoff, dial_timeout, read_timeout,
// write_timeout, pool_fifo, pool_size, pool_timeout, min_idle_conns,
// max_idle_conns, max_active_conns, max_concurrent_dials, conn_max_idle_time,
// conn_max_lifetime, conn_max_lifetime_jitter, pipeline_pool_size,
// pipeline_read_buffer_size, pipeline_write_buffer_size; dialer_retries and
// dialer_retry_timeout with Sentinel and Cluster; max_redirects and
// failing_timeout_seconds with Cluster. Timeouts are 9 seconds at most, as every
// operation ends within 10 whose server is silent; read_timeout and write_timeout,
// whichever is shorter, are how long it may be silent for one command, 4 seconds
// unless given. A large state on a slow line may take longer, as each piece of it
// counts. The retries are the driver's, which repeats only what is safe to repeat.
// Large states, and small ones that travel together, do so on go-redis'
// connections for pipelines, up to 10 besides those of pool_size;
// pipeline_pool_size=-1 has them share.
//
// go-redis' words for reading from replicas (read_only, replica_only, route_…)
// are refused: a replica may not have what was saved.
//
// A backend sends as many operations at once as pool_size allows connections, on
// a cluster ten times as many; the others wait in their order, without a deadline
// for as long as the server answers those before them. Except on a cluster, saves
// and loads of small states that wait travel together, up to 64 of them in one
// request: with pool_size=1 or 2, many callers near a server have shorter times than
// with a connection each.
//
// A replica is not read from either: the server is asked for its role on each new
// connection, and on connections to a single server every two seconds beside a
// command, which takes no round trip. When it has become a replica, behind a name
// that still leads to it, operations fail with ErrUnavailable. Servers that answer
// HELLO without a role, and clients handed to New, are taken at their word.
//
// # Setting up
//
// A server to try things with, by Docker or from Debian's packages:
//
//	docker run -d -p 127.0.0.1:6379:6379 redis:7 redis-server --appendonly yes
//	docker run -d -p 127.0.0.1:6379:6379 valkey/valkey:8 valkey-server --appendonly yes
//	apt install redis-server      # or valkey-server; redis-sentinel for Sentinel
//
// In production, in redis.conf:
//
//	appendonly yes
//	appendfsync everysec          # or always
//	maxmemory 8gb                 # of what the machine has
//	maxmemory-policy noeviction
//
// Without appendonly a server that restarts goes back to its last snapshot.
// With everysec a crash of the machine loses the last second of acknowledged
// saves, with always none, at the price of a disk write for each batch of
// commands. Another maxmemory-policy than noeviction lets the server throw
// states away; the driver warns of it when it connects. On a full server saves
// fail with ErrUnavailable and nothing is lost; loads and deletes go on.
//
// Replication is asynchronous. After a failover, by Sentinel or in a cluster,
// the saves that the old master acknowledged last may be gone, and a master cut
// off from the others takes writes for some seconds that will be lost:
// min-replicas-to-write 1 with min-replicas-max-lag bounds how many. (WAIT, which
// the driver does not use, tells that replicas have received a write. It does
// not keep a failover from choosing one that has not, so it makes loss rarer and
// does not rule it out.) While a failover goes on, calls fail with
// ErrUnavailable, usually for a few seconds; a version once loaded may then be
// followed by an older one. A team that cannot live with that wants one of the
// SQL drivers.
//
// Sentinel gives a failover, Cluster more memory than one machine has. A
// namespace is spread over its shards, and each shard lies in one slot, so
// choose more shards than masters there will ever be, and for states beyond
// some 50 GB more than 64: a save needs the keys of its shard on one side, and
// waits while the slot is being moved, for up to 7 seconds. Loads go on.
//
// # Permissions
//
// An ACL user needs, with app: for the prefix (without one, ~{*),
//
//	ACL SETUSER app on >password ~app:* -@all +hello +auth +ping +client|setname
//	  +select +info +multi +exec +eval +evalsha +eval_ro +evalsha_ro +lrange +lindex
//	  +llen +lpush +lpushx +ltrim +lset +exists +rename +unlink +hget +hset +hmget
//	  +hdel +hexists +zadd +zrem +zrangebylex +zrangebyscore +pexpireat +persist +time
//
// and +cluster|slots on a cluster. With Sentinel the sentinels' user needs what
// Sentinel's documentation lists for clients.
//
// # What is stored
//
// The keys of a thread in the namespace agents, in shard 0:
//
//	{agents:0}:t:user-123  list: the latest state, its info, the state before, its info, …
//	{agents:0}:p:user-123  hash: infos of earlier versions by version; there with a history only
//	{agents:0}:index       sorted set: the names of the shard's threads
//	{agents:0}:expiry      sorted set: the names of those that expire, by when
//
// and for all of them {checkpoint}:store with the number of shards, and
// {checkpoint}:namespaces. A JSON state is text:
//
//	redis-cli LINDEX '{agents:0}:t:user-123' 0
//
// An info is one line: 1 (the format), version, created, expires or "-", id,
// saved, size, encoding, metadata; times are microseconds since 1970. Of a thread
// that was saved with incremental=true the format is 2, and after the id stand
// the lowest visible version, base and digest; its list goes on below that version
// as far as patches need it. Earlier versions of the driver refuse such a thread
// (ErrCorrupt): update every program before setting the word. On a
// cluster the shard of a thread is FNV-1a of its name (64 bits), modulo the
// number of shards.
//
// A save is one script in one slot, and one round trip: it compares, writes
// state and info, drops what the history no longer holds, and keeps the indexes,
// or changes nothing. Up to 8 KB the state is an argument of the script; a
// larger one is pushed by the next command of a transaction, so that it never
// becomes a Lua string, whose every byte would be hashed. A load of the latest
// version is one LRANGE, or one script where patches are likely, which brings what
// a patch needs, if the whole state that it builds on has up to 128 KB; a second
// LRANGE brings that of a larger one, and of the first patch that a handle meets.
// The first save in a namespace, and one a minute after that, takes another round
// trip that records the namespace.
//
// From its ExpiresAt on, by the clock of the application, a thread is absent.
// The server removes it five minutes after it has expired by the writer's clock
// and by the server's own, whichever is later; Purge does it at once. Names that
// are left over in the index leave it when a listing meets them, and with later
// saves in the shard that have a TTL.
//
// # Lost answers
//
// When a connection fails after a save was sent, nobody knows whether it was
// applied, and it may yet be. The driver does not send it again; it looks for
// the id among the thread's versions and reports success if it is there, and
// ErrUnavailable if not. That holds for a save on condition of an id too, for
// another caller may save with that id anew when it is not kept any more. Commands
// that the server has refused for the moment (failover, loading, a slot on its
// way) are repeated for up to 7 seconds.
package redis
