package redis

import (
	"bufio"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/golden"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

var writeGolden = flag.String("golden.write", "", "a file of testdata to write anew, such as golden-2.txt.gz: only for a new format, under a new name")

// goldenFiles are what versions of the driver have stored: the first one, and the
// first one that saved incrementally. A file holds the commands that make the keys,
// so that servers of every version take it; one word a line, quoted as in Go, an
// empty line after each command.
var goldenFiles = []struct {
	name  string
	write func(context.Context, driver.Backend) error
	check func(testing.TB, driver.Backend)
}{
	{"golden-1.txt.gz", golden.Write, golden.Check},
	{"golden-2.txt.gz", golden.WriteChains, golden.CheckChains},
}

// TestGolden reads what earlier versions of the driver have stored, through a handle
// and through a client of an application.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, file := range goldenFiles {
		t.Run(file.name, func(t *testing.T) {
			if *writeGolden == file.name {
				server := testserver.StartRedis(t, testserver.RedisOptions{})
				if err := file.write(t.Context(), openDSN(t, server.URL)); err != nil {
					t.Fatal(err)
				}
				dump(t, clientOf(t, server.URL), file.name)
			}
			server := testserver.StartRedis(t, testserver.RedisOptions{})
			client := clientOf(t, server.URL)
			replay(t, client, file.name)
			file.check(t, openDSN(t, server.URL))
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			replay(t, client, file.name)
			file.check(t, New(client, Config{}))
		})
	}
}

func replay(t *testing.T, client redis.UniversalClient, name string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 16<<20)
	var command []any
	for lines.Scan() {
		if lines.Text() == "" {
			if err := client.Do(t.Context(), command...).Err(); err != nil {
				t.Fatalf("%.80q: %v", command, err)
			}
			command = nil
			continue
		}
		word, err := strconv.Unquote(lines.Text())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		command = append(command, word)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// dump writes the commands that make all keys of a server.
func dump(t *testing.T, client redis.UniversalClient, name string) {
	t.Helper()
	ctx := t.Context()
	var out strings.Builder
	write := func(words ...string) {
		for _, w := range words {
			fmt.Fprintln(&out, strconv.Quote(w))
		}
		fmt.Fprintln(&out)
	}
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch kind := client.Type(ctx, key).Val(); kind {
		case "list":
			write(append([]string{"RPUSH", key}, client.LRange(ctx, key, 0, -1).Val()...)...)
		case "hash":
			fields := client.HGetAll(ctx, key).Val()
			for _, field := range slices.Sorted(func(yield func(string) bool) {
				for f := range fields {
					if !yield(f) {
						return
					}
				}
			}) {
				write("HSET", key, field, fields[field])
			}
		case "zset":
			for _, z := range client.ZRangeWithScores(ctx, key, 0, -1).Val() {
				write("ZADD", key, strconv.FormatFloat(z.Score, 'f', -1, 64), z.Member.(string))
			}
		default:
			t.Fatalf("%q is a %s", key, kind)
		}
		if at := client.PExpireTime(ctx, key).Val().Milliseconds(); at > 0 {
			write("PEXPIREAT", key, strconv.FormatInt(at, 10))
		}
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zipped := gzip.NewWriter(f)
	if _, err := zipped.Write([]byte(out.String())); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
}
