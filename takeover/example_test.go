package takeover_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"
	"testing/fstest"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/takeover"
)

// A takeover can be run again: it does what is left.
func ExampleInto() {
	ctx := context.Background()
	store := checkpoint.New(memory.New())
	defer store.Close()

	const lines = `{"thread": "user-1", "state": {"step": 3}}
{"thread": "user-2", "state": {"step": 1}}
`
	for range 2 {
		stats, err := takeover.Into(ctx, store, takeover.JSONLines(strings.NewReader(lines)))
		fmt.Println(stats.Threads, stats.Skipped, err)
	}
	// Output:
	// 2 0 <nil>
	// 2 0 <nil>
}

func ExampleJSONLines() {
	const lines = `{"thread": "user-1", "state": {"step": 3}, "saved_at": "2030-01-02T15:04:05Z"}`
	for state, err := range takeover.JSONLines(strings.NewReader(lines)) {
		fmt.Println(state.Thread, string(state.JSON), state.SavedAt.Year(), err)
	}
	// Output: user-1 {"step": 3} 2030 <nil>
}

// A thread for each file: os.DirFS of the folder of another program.
func ExampleFolder() {
	folder := fstest.MapFS{
		"user-1.json":   {Data: []byte(`{"step": 3}`)},
		"a/user-2.json": {Data: []byte(`{"step": 1}`)},
	}
	for state, err := range takeover.Folder(folder) {
		fmt.Println(state.Thread, string(state.JSON), err)
	}
	// Output:
	// a/user-2 {"step": 1} <nil>
	// user-1 {"step": 3} <nil>
}

// The columns are thread, state and time, by their places.
func ExampleQuery() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	db.ExecContext(ctx, `CREATE TABLE sessions (id, body, saved)`)
	db.ExecContext(ctx, `INSERT INTO sessions VALUES ('user-1', '{"step": 3}', '2030-01-02T15:04:05Z')`)

	for state, err := range takeover.Query(ctx, db, `SELECT id, body, saved FROM sessions ORDER BY id, saved`) {
		fmt.Println(state.Thread, string(state.JSON), state.SavedAt.Year(), err)
	}
	// Output: user-1 {"step": 3} 2030 <nil>
}
