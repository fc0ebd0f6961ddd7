package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	goredis "github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
	_ "github.com/go-ckpt/checkpoint/internal/cli/bareclient/clients"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// subjects open what is measured. Each call opens a store of its own.
var subjects = []struct {
	name string
	open func(*testing.T, purpose) *subject
}{
	{"SQLite", openSQLite},
	{"Redis", openRedis},
	{"PostgreSQL", openPostgres},
	{"DynamoDB", openDynamoDB},
}

// A purpose says what a store is opened for. Stores that are compared with the
// bare client, or watched while they grow, wait for the disk; those that are
// filled with a million threads do not.
type purpose int

const (
	comparing purpose = iota
	growing
	filling
)

var allSizes = []int{2 << 10, 100 << 10, 1 << 20}

func openSQLite(t *testing.T, p purpose) *subject {
	synchronous := "normal"
	if p != filling {
		synchronous = "full"
	}
	file := filepath.Join(t.TempDir(), "bench.db")
	s := &subject{
		name:   "SQLite",
		groups: true,
		note: "Saves of several callers share a transaction, where the floor's are one each. A load reads eleven columns where the floor reads one, " +
			"and looks once in a millisecond whether the file is still the one that was opened.",
		versions:  "WAL, synchronous=" + synchronous + ", " + module("modernc.org/sqlite"),
		sizes:     allSizes,
		writtenIs: "what the process asked the system to write, from /proc/self/io",
		storedIs:  "the file and its log",
	}
	s.written = func(context.Context) (int64, error) { return processWrites() }
	s.stored = func(context.Context) (n int64, err error) {
		for _, suffix := range []string{"", "-wal"} {
			if info, err := os.Stat(file + suffix); err == nil {
				n += info.Size()
			}
		}
		return n, nil
	}
	return open(t, s, sqlite.Driver{}, "sqlite:"+file+"?synchronous="+synchronous)
}

// processWrites returns the bytes that this process has written, 0 where the
// system does not tell.
func processWrites() (n int64, err error) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, nil
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "wchar: "); ok {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, nil
}

func openRedis(t *testing.T, p purpose) *subject {
	var config []string
	if p != filling {
		config = []string{"appendonly yes", "appendfsync everysec"}
	} else {
		config = []string{"appendonly no"}
	}
	url := testserver.StartRedis(t, testserver.RedisOptions{Config: config}).URL
	s := &subject{
		name:      "Redis",
		versions:  strings.Join(config, ", ") + ", " + testserver.Version("redis") + ", " + module("github.com/redis/go-redis/v9"),
		sizes:     allSizes,
		writtenIs: "bytes that the server received",
		storedIs:  "the growth of the server's memory, less the bare client's one state",
		note: "A save is a script that knows conditions, repeated ids, versions and expiry. The server spends some 15 µs in it, where a bare SET takes it 3 in all " +
			"(docs/design.md has the parts), and with 8 callers the server's one processor is what limits. " +
			"With one connection, all 8 callers share it: what waits travels in one pipeline.",
	}
	options, err := goredis.ParseURL(url)
	require(t, err)
	watch := goredis.NewClient(options)
	t.Cleanup(func() { watch.Close() })
	info := func(ctx context.Context, section, name string) (int64, error) {
		text, err := watch.Info(ctx, section).Result()
		if err != nil {
			return 0, err
		}
		_, value, _ := strings.Cut(text, name+":")
		value, _, _ = strings.Cut(value, "\r")
		return strconv.ParseInt(value, 10, 64)
	}
	s.written = func(ctx context.Context) (int64, error) { return info(ctx, "stats", "total_net_input_bytes") }
	s = open(t, s, redis.Driver{}, url)
	s.narrow, err = redis.Driver{}.Open(url + "?pool_size=1")
	require(t, err)
	t.Cleanup(func() { s.narrow.Close() })
	empty, err := info(t.Context(), "memory", "used_memory_dataset")
	require(t, err)
	s.stored = func(ctx context.Context) (int64, error) {
		state, err := s.bare.Load(ctx, "conversation")
		if err != nil {
			return 0, err
		}
		now, err := info(ctx, "memory", "used_memory_dataset")
		return now - empty - int64(len(state)), err
	}
	return s
}

func openPostgres(t *testing.T, p purpose) *subject {
	url, synchronous := "", "fsync=on"
	if p != filling {
		url = testserver.StartPostgres(t, testserver.PostgresOptions{Fsync: true}).URL
	} else {
		url, synchronous = testserver.Postgres(t), "fsync=off"
	}
	s := &subject{
		name:      "PostgreSQL",
		versions:  synchronous + ", " + testserver.Version("postgres") + ", " + module("github.com/lib/pq"),
		sizes:     allSizes,
		writtenIs: "the write-ahead log",
		storedIs:  "the tables with their indexes and TOAST, dead rows included",
	}
	db, err := sql.Open("postgres", url)
	require(t, err)
	t.Cleanup(func() { db.Close() })
	number := func(query string) func(context.Context) (int64, error) {
		return func(ctx context.Context) (n int64, err error) {
			err = db.QueryRowContext(ctx, query).Scan(&n)
			return n, err
		}
	}
	s.written = number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
	s.stored = number("SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind = 'r' AND relname LIKE 'agent_checkpoints%'")
	s.settle = func(ctx context.Context) error { // autovacuum's part
		_, err := db.ExecContext(ctx, "VACUUM ANALYZE agent_checkpoints")
		return err
	}
	return open(t, s, postgres.Driver{}, url)
}

func openDynamoDB(t *testing.T, p purpose) *subject {
	t.Setenv("AWS_ACCESS_KEY_ID", "bench")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "bench")
	s := &subject{
		name:      "DynamoDB",
		versions:  "DynamoDB Local, whose times say little of the service's, " + module("github.com/aws/aws-sdk-go-v2/service/dynamodb"),
		sizes:     allSizes[:2], // an item holds 400 KB: a larger state has no floor of one request
		writtenIs: "bytes that the server received",
		storedIs:  "not told by DynamoDB Local",
		note: "The floor puts an item without a condition. A save of a thread that the handle knows puts one on condition of the one before; " +
			"any other save updates one, and gets its version and with it the whole state back. " +
			"A save with a history is three requests, and beyond 100 versions four. " +
			"The floor of a page is a Query of the index and a BatchGetItem of the same attributes.",
	}
	endpoint := testserver.DynamoDB(t)
	s.written = func(context.Context) (int64, error) { return 0, nil }
	s.stored = s.written
	if p == growing { // behind a proxy that counts, and so does the bare client
		proxy := faultproxy.New(t, strings.TrimPrefix(endpoint, "http://"))
		endpoint = "http://" + proxy.Addr()
		s.written = func(context.Context) (int64, error) { return proxy.Counts().ToServer, nil }
	}
	table := "bench-" + rand.Text()
	s.page = barePage(endpoint, table)
	return open(t, s, dynamodb.Driver{}, "dynamodb://"+table+"?create_table=true&region=us-east-1&endpoint="+endpoint)
}

// barePage lists a hundred threads of a table with its index by bare Queries and a bare
// BatchGetItem of the attributes that the driver reads.
func barePage(endpoint, table string) func(ctx context.Context, after string) error {
	client := awsdynamodb.New(awsdynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	})
	var expression []string
	aliases := make(map[string]string)
	for i, name := range strings.Fields("thread_id version id encoding size metadata created_at saved_at expires_at updated_at ttl " +
		"chunks parts digest life first swept ids large rewrite base proof runs") {
		alias := fmt.Sprint("#a", i)
		expression, aliases[alias] = append(expression, alias), name
	}
	read := types.KeysAndAttributes{
		ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String(strings.Join(expression, ",")), ExpressionAttributeNames: aliases,
	}
	return func(ctx context.Context, after string) error {
		page := read
		query := awsdynamodb.QueryInput{
			TableName: &table, IndexName: aws.String("checkpoint-threads"), Limit: aws.Int32(100),
			KeyConditionExpression: aws.String("list_namespace = :list AND list_name > :after"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":list": &types.AttributeValueMemberS{Value: namespace}, ":after": &types.AttributeValueMemberS{Value: after},
			},
		}
		for more := true; more && len(page.Keys) < 100; { // DynamoDB Local ends an answer at 1 MB of the table's items
			names, err := client.Query(ctx, &query)
			if err != nil {
				return err
			}
			for _, a := range names.Items {
				page.Keys = append(page.Keys, map[string]types.AttributeValue{"thread_id": a["thread_id"]})
			}
			query.ExclusiveStartKey, more = names.LastEvaluatedKey, len(names.LastEvaluatedKey) > 0
			query.Limit = aws.Int32(int32(100 - len(page.Keys)))
		}
		n := 0
		for ask := map[string]types.KeysAndAttributes{table: page}; len(ask) > 0; {
			heads, err := client.BatchGetItem(ctx, &awsdynamodb.BatchGetItemInput{RequestItems: ask})
			if err != nil {
				return err
			}
			n += len(heads.Responses[table])
			ask = heads.UnprocessedKeys
		}
		if n != 100 {
			return fmt.Errorf("a bare page of %d threads", n)
		}
		return nil
	}
}

// open gives a subject the driver and the bare client of a URL.
func open(t *testing.T, s *subject, d driver.Driver, url string) *subject {
	t.Helper()
	b, err := d.Open(url)
	require(t, err)
	t.Cleanup(func() { b.Close() })
	require(t, b.Ping(t.Context()))
	bare, err := bareclient.Open(t.Context(), url)
	require(t, err)
	t.Cleanup(func() { bare.Close(context.WithoutCancel(t.Context())) })
	s.backend, s.bare = b, bare
	return s
}

// module names a module with the version in go.mod; a test's build info has none.
func module(path string) string {
	text, err := os.ReadFile("../../../go.mod")
	if err != nil {
		return path
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "require "), path+" "); ok {
			return path + " " + version
		}
	}
	return path
}
