#!/usr/bin/env bash
# google.golang.org/adk/v2 v2.2.0, session/database, on github.com/glebarez/sqlite v1.11.0
#
# Input:    a session, and three events appended one after the other with the same
#           timestamp, as a clock of low resolution, a replay or an import gives them.
# Expected: Get returns them in the order in which they were appended, as the
#           in-memory service of the same module does.
# Found:    the database service returns them reversed. It reads with
#           "ORDER BY timestamp DESC" and turns the result round; between equal
#           timestamps nothing decides, and SQLite happens to give them in the order
#           of insertion, which the turn reverses.
# Matters:  a model sees the conversation backwards. Timestamps are cut to a
#           microsecond, so equal ones also come from fast appends. A store of one's
#           own should order by a sequence number.
#
# Needs Go and its module proxy. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT && cd "$dir"
cat >go.mod <<'END'
module finding.example

go 1.26

require (
	github.com/glebarez/sqlite v1.11.0
	google.golang.org/adk/v2 v2.2.0
	gorm.io/gorm v1.31.2
)
END
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/glebarez/sqlite"
	"google.golang.org/adk/v2/session"
	"google.golang.org/adk/v2/session/database"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

func main() {
	dir, err := os.MkdirTemp("", "finding")
	check(err)
	defer os.RemoveAll(dir)
	db, err := database.NewSessionService(sqlite.Open(filepath.Join(dir, "sessions.db")), &gorm.Config{Logger: logger.Discard})
	check(err)
	check(database.AutoMigrate(db))
	show("memory", session.InMemoryService())
	show("database", db)
}

func show(name string, service session.Service) {
	ctx := context.Background()
	created, err := service.Create(ctx, &session.CreateRequest{AppName: "app", UserID: "user", SessionID: "s"})
	check(err)
	now := time.Now()
	for _, id := range []string{"first", "second", "third"} {
		event := session.NewEvent(ctx, "invocation")
		event.ID, event.Timestamp = id, now
		check(service.AppendEvent(ctx, created.Session, event))
	}
	got, err := service.Get(ctx, &session.GetRequest{AppName: "app", UserID: "user", SessionID: "s"})
	check(err)
	fmt.Print(name, ":")
	for event := range got.Session.Events().All() {
		fmt.Print(" ", event.ID)
	}
	fmt.Println()
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
memory: first second third
database: third second first
END
echo 'as described'
