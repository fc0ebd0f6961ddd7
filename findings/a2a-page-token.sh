#!/usr/bin/env bash
# github.com/a2aproject/a2a-go/v2 v2.4.0, a2asrv/taskstore, InMemory.List
#
# Input:    two tasks whose ids contain an underscore, "task_1" and "task_2", which
#           Create accepts; List with a page size of 1, then List again with the
#           NextPageToken that the first call returned.
# Expected: the second page, with the second task.
# Found:    the second call returns ErrParseError. The token is
#           base64(TIME + "_" + TASKID), and is read by splitting at every "_",
#           which must give exactly two parts. Ids without an underscore work.
# Matters:  a client that pages through tasks never gets beyond the first page; a
#           store of one's own should encode its tokens so that ids are data.
#
# Needs Go and its module proxy. Fails if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d) && trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT && cd "$dir"
cat >go.mod <<'END'
module finding.example

go 1.26

require github.com/a2aproject/a2a-go/v2 v2.4.0
END
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv/taskstore"
)

func main() {
	ctx := context.Background()
	for _, format := range []string{"task%d", "task_%d"} {
		store := taskstore.NewInMemory(&taskstore.InMemoryStoreConfig{
			Authenticator: func(context.Context) (string, error) { return "user", nil },
		})
		for i := 1; i <= 2; i++ {
			task := &a2a.Task{ID: a2a.TaskID(fmt.Sprintf(format, i)), ContextID: "c", Status: a2a.TaskStatus{State: a2a.TaskStateWorking}}
			if _, err := store.Create(ctx, task); err != nil {
				panic(err)
			}
		}
		first, err := store.List(ctx, &a2a.ListTasksRequest{PageSize: 1})
		if err != nil {
			panic(err)
		}
		second, err := store.List(ctx, &a2a.ListTasksRequest{PageSize: 1, PageToken: first.NextPageToken})
		if err != nil {
			fmt.Printf("%s: second page: %v\n", format, err)
			continue
		}
		fmt.Printf("%s: second page: %d task, id %s\n", format, len(second.Tasks), second.Tasks[0].ID)
	}
}
END
go mod tidy >/dev/null 2>&1
go run . | tee got
diff - got <<'END'
task%d: second page: 1 task, id task1
task_%d: second page: parse error
END
echo 'as described'
