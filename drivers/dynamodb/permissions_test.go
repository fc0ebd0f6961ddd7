package dynamodb

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// allowed reads the policy of the documentation: the actions of each statement.
func allowed(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, policy, found := strings.Cut(strings.ReplaceAll(string(text), "\n//\t", "\n"), "\n{\n")
	policy, _, ended := strings.Cut(policy, "\n}\n")
	var statements struct {
		Statement []struct {
			Sid    string
			Action []string
		}
	}
	if err := json.Unmarshal([]byte("{"+policy+"}"), &statements); err != nil || !found || !ended {
		t.Fatalf("the policy in doc.go cannot be read: %v", err)
	}
	actions := make(map[string][]string)
	for _, s := range statements.Statement {
		for _, a := range s.Action {
			actions[s.Sid] = append(actions[s.Sid], strings.TrimPrefix(a, "dynamodb:"))
		}
		slices.Sort(actions[s.Sid])
	}
	return actions
}

// everything runs each operation in each of the ways it can go, and returns
// their errors.
func everything(t *testing.T, b driver.Backend) (failed []error) {
	t.Helper()
	ctx := t.Context()
	note := func(err error) {
		if err != nil && !errors.Is(err, driver.ErrNotFound) && !errors.Is(err, driver.ErrConflict) {
			failed = append(failed, err)
		}
	}
	large := strings.Repeat("x", 400<<10)
	note(b.Ping(ctx))
	for _, way := range []struct {
		payload string
		keep    int
	}{{"small", 1}, {"small", 3}, {large, 1}, {large, 3}} {
		var last driver.SaveRequest
		for range 5 {
			last = request("thread", way.payload, way.keep)
			_, err := b.Save(ctx, last)
			note(err)
		}
		cond := request("thread", way.payload, way.keep)
		cond.Match.ID = last.ID
		_, err := b.Save(ctx, cond)
		note(err)
		cond.ID, cond.Match = rand.Text(), driver.Match{Absent: true}
		_, err = b.Save(ctx, cond)
		note(err)
		for _, version := range []int64{0, 5, 6} {
			_, err := b.Load(ctx, driver.LoadRequest{Key: last.Key, Version: version, Now: testNow})
			note(err)
			for info, err := range b.History(ctx, driver.HistoryRequest{Key: last.Key, Before: version, Now: testNow}) {
				note(err)
				note(b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: last.Key, Version: info.Version, ID: info.ID, Payload: []byte(way.payload), Encoding: "bytes", Now: testNow}))
			}
		}
		for _, err := range b.List(ctx, driver.ListRequest{Namespace: "agents", Prefix: "t", Now: testNow}) {
			note(err)
		}
		for _, err := range b.(driver.NamespaceLister).Namespaces(ctx) {
			note(err)
		}
		note(b.Delete(ctx, driver.DeleteRequest{Key: last.Key}))
		last.ID, last.ExpiresAt = rand.Text(), testNow.Add(1)
		_, err = b.Save(ctx, last)
		note(err)
		_, err = b.(driver.Purger).Purge(ctx, "agents", testNow.Add(2000))
		note(err)
		note(b.(driver.Importer).Import(ctx, driver.ImportRequest{Checkpoint: driver.Checkpoint{Info: newInfo(request("thread", way.payload, 1)), Payload: []byte(way.payload)}, Now: testNow, Keep: way.keep}))
		note(b.Delete(ctx, driver.DeleteRequest{Key: last.Key}))
	}
	return failed
}

// TestPermissions compares the actions that the driver sends with the policy of
// its documentation, in both directions.
func TestPermissions(t *testing.T) {
	credentials(t)
	var mu sync.Mutex
	sent := make(map[string]bool)
	endpoint := between(t, func(_ http.ResponseWriter, action string, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		sent[action] = true
		return false
	})
	run := func(table, words string) []string {
		for _, err := range everything(t, openTable(t, table, endpoint, words)) {
			t.Error(err)
		}
		defer clear(sent)
		return slices.Sorted(maps.Keys(sent))
	}
	_, _, direct := behind(t)
	index, scan := run(direct.(*backend).cfg.Table, ""), run(plainTable(t), "")
	create := run("create-"+rand.Text(), "&create_table=true")
	want := allowed(t)

	both := slices.Sorted(slices.Values(append(slices.Clone(index), scan...)))
	if got := slices.Compact(both); !slices.Equal(got, want["Checkpoints"]) {
		t.Errorf("the driver sends %q, and the policy allows %q", got, want["Checkpoints"])
	}
	create = slices.DeleteFunc(create, func(a string) bool { return slices.Contains(want["Checkpoints"], a) })
	if !slices.Equal(create, want["CreateTable"]) {
		t.Errorf("create_table sends %q more, and the policy allows %q", create, want["CreateTable"])
	}
	if slices.Contains(scan, "Query") {
		t.Errorf("without an index the driver sends %q, and the documentation says no Query", scan)
	}
}

// TestNotPermitted refuses each action in turn: the error says which.
func TestNotPermitted(t *testing.T) {
	credentials(t)
	_, _, direct := behind(t)
	for sid, actions := range allowed(t) {
		for _, refused := range actions {
			t.Run(refused, func(t *testing.T) {
				endpoint := between(t, func(w http.ResponseWriter, action string, _ []byte) bool {
					if action == refused {
						fail(w, 400, "AccessDeniedException")
					}
					return action == refused
				})
				table, words := direct.(*backend).cfg.Table, ""
				if sid == "CreateTable" {
					table, words = "refused-"+rand.Text(), "&create_table=true"
				}
				b := openTable(t, table, endpoint, words)
				var warnings bytes.Buffer
				b.(driver.LoggerSetter).SetLogger(slog.New(slog.NewTextHandler(&warnings, nil)))
				failed := everything(t, b)
				if strings.HasSuffix(refused, "TimeToLive") { // Purge does its work
					if len(failed) != 0 || !strings.Contains(warnings.String(), "time to live cannot be turned on") {
						t.Errorf("got %v, and the log %q, want a warning", failed, warnings.String())
					}
					return
				}
				if len(failed) == 0 {
					t.Fatal("every operation succeeded")
				}
				for _, err := range failed {
					said := err.Error()
					if refused == "CreateTable" && strings.Contains(said, "does not exist") {
						continue
					}
					if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(said, "may not do dynamodb:"+refused+" on the table") || strings.Contains(said, "hunter2") {
						t.Errorf("got %v, want ErrUnavailable that names dynamodb:%s", err, refused)
					}
				}
			})
		}
	}
}
