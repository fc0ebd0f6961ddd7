package dsn_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// Config is what a driver makes of a data source name.
type Config struct {
	Path    string
	Sync    bool
	Timeout time.Duration
}

// ParseConfig reads "FILE" and "mydb:FILE", with the words sync and timeout.
func ParseConfig(source string) (Config, error) {
	base, query := dsn.Split(source)
	words, err := dsn.Parse(query)
	if err != nil {
		return Config{}, err
	}
	cfg := Config{
		Path:    strings.TrimPrefix(base, "mydb:"),
		Sync:    words.Bool("sync", true),
		Timeout: words.Duration("timeout", 5*time.Second),
	}
	if cfg.Path == "" || strings.Contains(cfg.Path, ":") {
		words.Reject(fmt.Errorf("want a file, as in agents.db or mydb:agents.db"))
	}
	if err := words.Done(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func Example() {
	cfg, err := ParseConfig("mydb:agents.db?timeout=2s")
	fmt.Printf("%+v %v\n", cfg, err)

	_, err = ParseConfig("agents.db?timout=2s")
	fmt.Println(err)

	_, err = ParseConfig("redis://:secret@host")
	fmt.Println(err)
	// Output:
	// {Path:agents.db Sync:true Timeout:2s} <nil>
	// invalid DSN: unknown word "timout"; this driver's words: sync, timeout; every driver's: compress, history, incremental, max_state_size, namespace, ttl
	// invalid DSN: want a file, as in agents.db or mydb:agents.db
}
