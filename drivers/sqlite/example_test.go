package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := checkpoint.Open("sqlite", filepath.Join(dir, "agents.db?history=20"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	info, err := store.Save(context.Background(), "user-123", map[string]int{"step": 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Thread, info.Version)
	// Output: user-123 1
}

func ExampleParseConfig() {
	cfg, err := sqlite.ParseConfig("sqlite:agents.db?synchronous=normal&busy_timeout=10s")
	fmt.Println(cfg.Path, cfg.TableName, cfg.Synchronous, cfg.BusyTimeout, err)

	_, err = sqlite.ParseConfig("agents.db?sync=normal")
	fmt.Println(err)
	// Output:
	// agents.db agent_checkpoints normal 10s <nil>
	// invalid DSN: unknown word "sync"; this driver's words: allow_links, busy_timeout, synchronous, table_name; every driver's: compress, history, incremental, max_state_size, namespace, ttl
}
