package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// TestGoesOn runs the agent in two pieces, on every kind of store.
func TestGoesOn(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	folder := t.TempDir()
	for name, size := range map[string]int{"a.txt": 10, "b.txt": 200} {
		if err := os.WriteFile(filepath.Join(folder, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "agents.db")
	for driver, open := range map[string]func(testing.TB) string{
		"memory":   func(testing.TB) string { return "memory:agent-test" },
		"sqlite":   func(testing.TB) string { return file },
		"redis":    testserver.Redis,
		"postgres": testserver.Postgres,
		"dynamodb": func(t testing.TB) string {
			return "agents-" + rand.Text() + "?create_table=true&region=us-east-1&endpoint=" + testserver.DynamoDB(t)
		},
	} {
		t.Run(driver, func(t *testing.T) {
			dsn := open(t)
			if strings.Contains(dsn, "?") {
				dsn += "&history=all"
			} else {
				dsn += "?history=all"
			}
			keep, err := checkpoint.Open(driver, dsn) // a memory store lives as long as a handle, or the process
			if err != nil {
				t.Fatal(err)
			}
			defer keep.Close()

			var first, second bytes.Buffer
			args := []string{"-driver", driver, "-dsn", dsn, "-folder", folder}
			if err := run(t.Context(), append(args, "-steps", "2"), &first); err != nil {
				t.Fatal(err)
			}
			if got, want := first.String(), "saved as version 2\n"; !strings.HasSuffix(got, want) {
				t.Errorf("the first run printed\n%s\nwant it to end in %q", got, want)
			}
			if err := run(t.Context(), args, &second); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				"user-123 goes on from version 2",
				"find the largest   saved as version 3\nwrite the report   saved as version 4\n",
				"- 2 files\n- 210 bytes in all\n- the largest is b.txt with 200 bytes\n",
			} {
				if got := second.String(); !strings.Contains(got, want) {
					t.Errorf("the second run printed\n%s\nwant it to have\n%s", got, want)
				}
			}
		})
	}
}

// TestTwoAgents shows that of two agents on one thread one is told.
func TestTwoAgents(t *testing.T) {
	t.Parallel()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	one, two := NewAgent(WithCheckpointer(store)), NewAgent(WithCheckpointer(store))
	for _, agent := range []*Agent{one, two} {
		agent.Begin(".")
	}
	if _, err := one.SaveState(t.Context(), "user-123"); err != nil {
		t.Fatal(err)
	}
	if _, err := two.SaveState(t.Context(), "user-123"); !errors.Is(err, checkpoint.ErrConflict) {
		t.Errorf("the second agent's SaveState: error %v, want ErrConflict", err)
	}
	if _, err := two.LoadState(t.Context(), "user-123"); err != nil {
		t.Fatal(err)
	}
	if _, err := two.SaveState(t.Context(), "user-123"); err != nil {
		t.Errorf("after LoadState: SaveState: %v", err)
	}
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-driver", "postgre"}, {"-dsn", "agents.db?nope=1"}, {"-thread", "", "-driver", "memory", "-dsn", ""}} {
		if err := run(t.Context(), args, new(bytes.Buffer)); err == nil {
			t.Errorf("run(%q): no error", args)
		}
	}
}
