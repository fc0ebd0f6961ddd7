package dynamodb

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestWithoutPing: with create_table every method makes the table that is
// missing, complete, also where many do so at once.
func TestWithoutPing(t *testing.T) {
	credentials(t)
	endpoint := testserver.DynamoDB(t)
	key := driver.Key{Namespace: "agents", Thread: "t"}
	save := func(keep, size int) func(*testing.T, driver.Backend) error {
		return func(t *testing.T, b driver.Backend) error {
			_, err := b.Save(t.Context(), request("t", string(make([]byte, size)), keep))
			return err
		}
	}
	for name, run := range map[string]func(*testing.T, driver.Backend) error{
		"Save":              save(1, 1),
		"Save with history": save(3, 1),
		"Save of parts":     save(1, 500_000),
		"Load": func(t *testing.T, b driver.Backend) error {
			if _, err := loadThread(t.Context(), b, "t"); !errors.Is(err, driver.ErrNotFound) {
				return errors.Join(errors.New("not ErrNotFound"), err)
			}
			return nil
		},
		"Delete": func(t *testing.T, b driver.Backend) error {
			return b.Delete(t.Context(), driver.DeleteRequest{Key: key})
		},
		"History": func(t *testing.T, b driver.Backend) error {
			for _, err := range b.History(t.Context(), driver.HistoryRequest{Key: key, Now: testNow}) {
				return err
			}
			return nil
		},
		"List": func(t *testing.T, b driver.Backend) error {
			for _, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Now: testNow}) {
				return err
			}
			return nil
		},
		"Namespaces": func(t *testing.T, b driver.Backend) error {
			for _, err := range b.(driver.NamespaceLister).Namespaces(t.Context()) {
				return err
			}
			return nil
		},
		"Purge": func(t *testing.T, b driver.Backend) error {
			_, err := b.(driver.Purger).Purge(t.Context(), "agents", testNow)
			return err
		},
		"Import": func(t *testing.T, b driver.Backend) error {
			r := request("t", "x", 1)
			info := newInfo(r)
			info.ID = "the same"
			return b.(driver.Importer).Import(t.Context(), driver.ImportRequest{Checkpoint: driver.Checkpoint{Info: info, Payload: r.Payload}, Now: testNow, Keep: 1})
		},
		"Rewrite": func(t *testing.T, b driver.Backend) error {
			if err := b.(driver.Rewriter).Rewrite(t.Context(), driver.RewriteRequest{Key: key, Version: 1, ID: "none", Now: testNow}); !errors.Is(err, driver.ErrNotFound) {
				return errors.Join(errors.New("not ErrNotFound"), err)
			}
			return nil
		},
	} {
		for _, index := range []string{"", "&index=none"} {
			t.Run(name+index, func(t *testing.T) {
				table := "fresh-" + rand.Text()
				var all sync.WaitGroup
				for range 2 {
					b := openTable(t, table, endpoint, "&create_table=true"+index)
					all.Go(func() {
						if err := run(t, b); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				ttl, err := bare(t).DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
				if err != nil || ttl.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled {
					t.Errorf("the table's time to live is %+v, %v, want it enabled", ttl, err)
				}
			})
		}
	}
}

// TestFirstSave counts the requests of a fresh process on a table that is there.
func TestFirstSave(t *testing.T) {
	credentials(t)
	_, _, direct := behind(t)
	table := direct.(*backend).cfg.Table
	for more, want := range map[string][]string{
		"":                   {"DescribeTable"},
		"&create_table=true": {"DescribeTable", "DescribeTimeToLive"},
	} {
		var mu sync.Mutex
		var sent []string
		b := openTable(t, table, between(t, func(_ http.ResponseWriter, action string, _ []byte) bool {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, action)
			return false
		}), more)
		if err := b.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustSave(t, b, request("t", "1", 1))
		mu.Lock()
		if want = append(want, "UpdateItem"); !slices.Equal(sent, want) {
			t.Errorf("with %q Ping and a save send %v, want %v", more, sent, want)
		}
		mu.Unlock()
	}
}
