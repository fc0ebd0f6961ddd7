package dynamodb

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// secondBase is the version of the second whole state of the chains that seedVersions stores.
const secondBase = 12

// seedVersions stores a thread of n versions, the newest kept of them visible, each payload in
// a part of its own. Of chains all but the versions 1 and secondBase are patches.
func seedVersions(t *testing.T, b driver.Backend, thread string, n, kept int64, chains bool) {
	t.Helper()
	op := inside(t, b)
	var requests []types.WriteRequest
	var last *item
	life := rand.Text()
	for v := int64(1); v <= n; v++ {
		req := request(thread, fmt.Sprint(v), int(kept))
		req.ExpiresAt = testNow.Add(1000)
		i := &item{Info: newInfo(req), payload: req.Payload, life: life, proof: fmt.Sprint("proof-", v)}
		i.Version = v
		switch {
		case !chains || v == 1 || v == secondBase:
		case v < secondBase:
			i.Base = 1
		default:
			i.Base = secondBase
		}
		requests = append(requests, i.split(true)...)
		if last != nil {
			i.first = max(1, v-kept+1)
			i.runs = last.goOn(i)
			i.ids = append([]string{last.ID}, last.ids...)
			i.ids = i.ids[:v-i.first]
			if i.first > 1 {
				i.swept = 1
			}
			if i.first == v {
				i.first = 0
			}
		}
		if v == n {
			requests = append(requests, put(i.head()))
		}
		if v < n || i.Base != 0 {
			requests = append(requests, put(i.stored(versionKey(life, v))))
		}
		last = i
	}
	if err := op.write(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
}

// savePatch saves a patch against the present head.
func savePatch(ctx context.Context, t testing.TB, direct, b driver.Backend, req driver.SaveRequest) (driver.Info, error) {
	t.Helper()
	head, err := inside(t, direct).head(t.Context(), req.Key, infoNames...)
	if err != nil || head == nil {
		t.Fatalf("no head of %q: %v", req.Thread, err)
	}
	req.Digest, req.Encoding = rand.Text(), "json+patch"
	return b.(driver.Patcher).SavePatch(ctx, driver.PatchRequest{
		SaveRequest: req, Base: cmp.Or(head.Base, head.Version), Previous: driver.Previous{ID: head.ID, Digest: head.proof},
	})
}

// wholeThread returns what is wrong with the versions of a thread, absent ones being
// right.
func wholeThread(ctx context.Context, t testing.TB, b driver.Backend, thread string) error {
	t.Helper()
	key := driver.Key{Namespace: "agents", Thread: thread}
	for _, v := range append(versionsOf(t, b, thread), 0) {
		cp, err := b.Load(ctx, driver.LoadRequest{Key: key, Version: v, Now: testNow})
		switch {
		case errors.Is(err, driver.ErrNotFound) && v == 0:
		case err != nil:
			return fmt.Errorf("Load of version %d: %w", v, err)
		case cp.Base != 0 && int64(len(cp.Links)) != cp.Version-cp.Base:
			return fmt.Errorf("version %d has %d links to base %d", cp.Version, len(cp.Links), cp.Base)
		}
	}
	return nil
}

// TestEveryCrash ends a process after each single request of every operation that
// takes several, also in the middle of a batch. What is left is a thread that is
// whole, or none, and after another deletion and Purge nothing at all.
func TestEveryCrash(t *testing.T) {
	credentials(t)
	var direct driver.Backend // of the case
	patch := func(size, keep int) func(ctx context.Context, b driver.Backend, thread string) error {
		return func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := savePatch(ctx, t, direct, b, request(thread, strings.Repeat("p", size), keep))
			return err
		}
	}
	for name, tt := range map[string]struct {
		versions, kept int64
		run            func(ctx context.Context, b driver.Backend, thread string) error
	}{
		"chain: first patch":       {secondBase, 3, patch(10, 3)},
		"chain: patch that sweeps": {secondBase + 2, 2, patch(10, 2)},
		"chain: patch in parts":    {secondBase + 2, 1, patch(maxInline+1, 1)},
		"chain: whole state that keeps a chain": {secondBase + 1, 2, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, "new", 2))
			return err
		}},
		"chain: whole state that keeps one": {secondBase + 1, 1, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, "new", 1))
			return err
		}},
		"chain: delete": {secondBase + 1, 1, func(ctx context.Context, b driver.Backend, thread string) error {
			return b.Delete(ctx, driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}})
		}},
		"chain: rewrite of the latest": {secondBase + 2, 1, func(ctx context.Context, b driver.Backend, thread string) error {
			latest, err := loadThread(ctx, direct, thread)
			if err != nil {
				return err
			}
			return b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: latest.Key, Version: latest.Version, ID: latest.ID, Payload: []byte("anew"), Encoding: latest.Encoding, Now: testNow})
		}},
		"save that sweeps": {13, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, "new", 3))
			return err
		}},
		"save that keeps one": {13, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, "new", 1))
			return err
		}},
		"save in parts": {4, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			_, err := b.Save(ctx, request(thread, strings.Repeat("p", maxInline+1), 3))
			return err
		}},
		"save over an expired life": {4, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			req := request(thread, "new", 3)
			req.Now = testNow.Add(2000)
			_, err := b.Save(ctx, req)
			return err
		}},
		"import behind a gap": {4, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			req := request(thread, strings.Repeat("p", maxInline+1), 3)
			info := newInfo(req)
			info.Version = 20
			return b.(driver.Importer).Import(ctx, driver.ImportRequest{Checkpoint: driver.Checkpoint{Info: info, Payload: req.Payload}, Now: testNow, Keep: 3})
		}},
		"rewrite into parts": {4, 3, func(ctx context.Context, b driver.Backend, thread string) error {
			latest, err := loadThread(ctx, direct, thread)
			if err != nil {
				return err
			}
			return b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: latest.Key, Version: latest.Version, ID: latest.ID,
				Payload: []byte(strings.Repeat("r", maxInline+1)), Encoding: latest.Encoding, Now: testNow})
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
			_, _, direct = behind(t)
			table := direct.(*backend).cfg.Table
			for _, partial := range []bool{false, true} {
				for k := 1; ; k++ {
					thread := fmt.Sprintf("%s/%v/%d", name, partial, k)
					seedVersions(t, direct, thread, tt.versions, tt.kept, strings.HasPrefix(name, "chain: "))
					c := &crash{left: k, partial: partial}
					err := tt.run(t.Context(), crashing(t, table, c), thread)
					if wrong := wholeThread(t.Context(), t, direct, thread); wrong != nil {
						t.Errorf("after request %d (partial %v): %v, want a whole thread or none", k, partial, wrong)
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

// TestCrashAfterCrash ends a save after each of its requests, and then a deletion of the
// thread, which has gone on meanwhile, after each of its own: whichever of the two journals
// Purge takes up first, nothing is left.
func TestCrashAfterCrash(t *testing.T) {
	credentials(t)
	for name, size := range map[string]int{"whole": 10, "in parts": maxInline + 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, direct := behind(t)
			table := direct.(*backend).cfg.Table
			save := func(b driver.Backend, thread string) error {
				_, err := b.Save(t.Context(), request(thread, strings.Repeat("p", size), 3))
				return err
			}
			for _, older := range []bool{true, false} {
				for k, more := 1, true; more; k++ {
					for m, deleting := 1, true; deleting; m++ {
						thread := fmt.Sprintf("%s/%v/%d/%d", name, older, k, m)
						seedVersions(t, direct, thread, 1, 3, false)
						first, second := &crash{left: k}, &crash{left: m}
						save(crashing(t, table, first), thread)
						if err := save(direct, thread); err != nil {
							t.Fatal(err)
						}
						crashing(t, table, second).Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}})
						more, deleting = first.reached, second.reached

						op := inside(t, direct)
						journals, err := op.journals(t.Context(), "agents")
						if err != nil {
							t.Fatal(err)
						}
						slices.SortFunc(journals, func(a, b *journal) int {
							if older {
								return a.At.Compare(b.At)
							}
							return b.At.Compare(a.At)
						})
						for _, j := range journals {
							if err := op.finish(t.Context(), j); err != nil {
								t.Fatal(err)
							}
						}
						if err := direct.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}}); err != nil {
							t.Fatal(err)
						}
						finishJournals(t, direct)
						if n := countItems(t, direct); n != 0 {
							t.Fatalf("a save after request %d and a deletion after request %d, of %d journals the older first: %v: %d items are left", k, m, len(journals), older, n)
						}
					}
				}
			}
		})
	}
}
