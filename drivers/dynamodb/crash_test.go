package dynamodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/go-ckpt/checkpoint/driver"
)

// A crash ends a process after some of its requests. Of a batch that is the last
// one DynamoDB has applied nothing but its end.
type crash struct {
	left    int
	partial bool
	reached bool
}

var errCrashed = errors.New("the process has died")

// crashing returns a backend whose client stops as c says.
func crashing(t *testing.T, table string, c *crash) driver.Backend {
	t.Helper()
	options := bare(t).Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("crash", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			c.left--
			if c.left > 0 {
				return next.HandleInitialize(ctx, in)
			}
			batch, isBatch := in.Parameters.(*dynamodb.BatchWriteItemInput)
			if c.left == 0 && (isBatch || !c.partial) {
				if c.partial {
					requests := batch.RequestItems[table]
					in.Parameters = &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: requests[len(requests)/2:]}}
				}
				if _, _, err := next.HandleInitialize(ctx, in); err != nil {
					return middleware.InitializeOutput{}, middleware.Metadata{}, err
				}
			}
			c.reached = true
			return middleware.InitializeOutput{}, middleware.Metadata{}, errCrashed
		}), middleware.Before)
	})
	b := New(dynamodb.New(options), Config{Table: table, Index: DefaultIndex})
	t.Cleanup(func() { b.Close() })
	return b
}

// seedParts stores a thread of n versions, the newest kept of them visible, each
// payload in a part of its own.
func seedParts(t *testing.T, b driver.Backend, thread string, n, kept int64) {
	t.Helper()
	op := inside(t, b)
	var requests []types.WriteRequest
	var ids []string
	life := rand.Text()
	for v := int64(1); v <= n; v++ {
		req := request(thread, fmt.Sprint(v), int(kept))
		req.ExpiresAt = testNow.Add(1000)
		i := &item{Info: newInfo(req), payload: req.Payload, life: life}
		i.Version = v
		requests = append(requests, i.split(true)...)
		if v == n {
			i.first, i.swept, i.large = n-kept+1, 1, true
			i.ids = ids[:min(len(ids), int(kept)-1, maxIDs)]
			requests = append(requests, put(i.head()))
			break
		}
		ids = append([]string{i.ID}, ids...)
		requests = append(requests, put(i.stored(versionKey(life, v))))
	}
	if err := op.write(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
}

// TestEveryCrash ends a process after each single request of every operation that
// removes something, also in the middle of a batch. What is left is a thread that is
// whole, or none, and after another deletion and Purge nothing at all.
func TestEveryCrash(t *testing.T) {
	credentials(t)
	for name, tt := range map[string]struct {
		versions, kept int64
		run            func(ctx context.Context, b driver.Backend, thread string) error
	}{
		"save that sweeps": {13, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, "new", 3))
			return err
		}},
		"save that keeps one": {13, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, "new", 1))
			return err
		}},
		"delete": {13, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			return b.Delete(ctx, driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}})
		}},
		"delete prefix": {4, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.(driver.PrefixDeleter).DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "agents", Prefix: thread, Now: testNow})
			return err
		}},
		"purge": {4, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.(driver.Purger).Purge(ctx, "agents", testNow.Add(2000))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, direct := behind(t)
			table := direct.(*backend).cfg.Table
			for _, partial := range []bool{false, true} {
				for k := 1; ; k++ {
					thread := fmt.Sprintf("%s/%v/%d", name, partial, k)
					seedParts(t, direct, thread, tt.versions, tt.kept)
					c := &crash{left: k, partial: partial}
					err := tt.run(t.Context(), crashing(t, table, c), thread)
					cp, loadErr := loadThread(t.Context(), direct, thread)
					if loadErr != nil && !errors.Is(loadErr, driver.ErrNotFound) {
						t.Errorf("after request %d: Load = %q, %v, want a whole thread or none", k, cp.Payload, loadErr)
					}
					if err := direct.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}}); err != nil {
						t.Fatal(err)
					}
					finishJournals(t, direct)
					if n := countItems(t, direct); n != 0 {
						t.Fatalf("after request %d (partial %v): %d items are left", k, partial, n)
					}
					if !c.reached {
						if err != nil {
							t.Errorf("without a crash: %v", err)
						}
						t.Logf("%d requests", k-1)
						break
					}
				}
			}
		})
	}
}
