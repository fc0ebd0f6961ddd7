#!/usr/bin/env bash
# github.com/alicebob/miniredis/v2 v2.40.0, ZRANGEBYLEX
#
# Input:    a sorted set with the members "+a", "," and "b", all with score 0, and
#           ZRANGEBYLEX set "(+" "(,", the members above "+" and below ",".
# Expected: "+a" alone, as Redis 7.0.15 answers: only a bound that is
#           exactly "+" or "-" is an infinity, and "(+" is the string "+".
# Found:    miniredis takes "(+" for the upper infinity, and answers nothing; as the
#           end of a range, "(+" yields every member.
# Matters:  code that lists by prefix over names that contain "+" or "-" fails, or
#           passes, in tests for a reason that Redis does not have.
#
# Needs Go, its module proxy, and redis-server (Debian package of that name). Fails
# if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT && cd "$dir"
cat >go.mod <<'END'
module finding.example

go 1.26

require (
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/redis/go-redis/v9 v9.23.0
)
END
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func main() {
	m := miniredis.NewMiniRedis()
	check(m.Start())
	defer m.Close()
	show("miniredis", redis.NewClient(&redis.Options{Addr: m.Addr()}))

	dir, err := os.MkdirTemp("", "finding")
	check(err)
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "redis.sock")
	server := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	check(server.Start())
	defer func() { server.Process.Kill(); server.Wait() }()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	for range 100 {
		if client.Ping(context.Background()).Err() == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	show("redis-server", client)
}

func show(name string, client *redis.Client) {
	ctx := context.Background()
	for _, member := range []string{"+a", ",", "b"} {
		check(client.ZAdd(ctx, "set", redis.Z{Member: member}).Err())
	}
	for _, r := range []redis.ZRangeBy{{Min: "(+", Max: "(,"}, {Min: "-", Max: "(+"}} {
		members, err := client.ZRangeByLex(ctx, "set", &r).Result()
		check(err)
		fmt.Printf("%s: %s to %s: %q\n", name, r.Min, r.Max, members)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
END
go mod tidy >/dev/null 2>&1
go run . | tee got
diff - got <<'END'
miniredis: (+ to (,: []
miniredis: - to (+: ["+a" "," "b"]
redis-server: (+ to (,: ["+a"]
redis-server: - to (+: []
END
echo 'as described'
