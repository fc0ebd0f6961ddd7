package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/go-ckpt/checkpoint/driver"
)

// A meter adds up the requests of a client and what DynamoDB says they cost.
type meter struct {
	requests    int
	write, read float64
}

func (m *meter) String() string { return fmt.Sprintf("%d | %g | %g", m.requests, m.write, m.read) }

// fits compares it with what is documented. What a scan reads is rounded up as a
// whole, and the time in an item that a deletion left may take a byte more or less.
func (m *meter) fits(documented string) bool {
	var want meter
	if _, err := fmt.Sscanf(documented, "%d | %g | %g", &want.requests, &want.write, &want.read); err != nil {
		return false
	}
	return m.requests == want.requests && m.write == want.write && math.Abs(m.read-want.read) <= 0.5
}

// metered returns a backend on a table with an index, or without, and its meter.
func metered(t *testing.T, indexed bool) (driver.Backend, *meter) {
	t.Helper()
	m := new(meter)
	options := bare(t).Options()
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("meter", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			m.requests++
			if ask := reflect.ValueOf(in.Parameters).Elem().FieldByName("ReturnConsumedCapacity"); ask.IsValid() {
				ask.Set(reflect.ValueOf(types.ReturnConsumedCapacityTotal))
			}
			out, metadata, err := next.HandleInitialize(ctx, in)
			if err != nil {
				return out, metadata, err
			}
			units := 0.0
			switch answer := out.Result.(type) {
			case *dynamodb.BatchGetItemOutput:
				units = total(answer.ConsumedCapacity)
			case *dynamodb.BatchWriteItemOutput:
				units = total(answer.ConsumedCapacity)
			case *dynamodb.TransactWriteItemsOutput:
				// DynamoDB Local reports four units for each kilobyte of a transaction,
				// where the service's documentation says two.
				units = total(answer.ConsumedCapacity) / 2
			default:
				if used := reflect.ValueOf(answer).Elem().FieldByName("ConsumedCapacity"); used.IsValid() {
					units = total([]types.ConsumedCapacity{*used.Interface().(*types.ConsumedCapacity)})
				}
			}
			switch middleware.GetOperationName(ctx) {
			case "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems":
				m.write += units
			default:
				m.read += units
			}
			return out, metadata, nil
		}), middleware.Before)
	})
	table := ""
	if indexed {
		_, _, direct := behind(t)
		table = direct.(*backend).cfg.Table
	} else {
		table = plainTable(t)
	}
	b := New(dynamodb.New(options), Config{Table: table})
	t.Cleanup(func() { b.Close() })
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, m
}

func total(used []types.ConsumedCapacity) float64 {
	units := 0.0
	for _, u := range used {
		units += *u.CapacityUnits
	}
	return units
}

// TestCosts compares requests and capacity units of every operation with the
// table of the documentation, in both directions.
func TestCosts(t *testing.T) {
	credentials(t)
	text, err := os.ReadFile("../../docs/dynamodb-costs.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, costs, ok := strings.Cut(strings.Trim(strings.TrimSpace(line), "| "), " | "); ok && name != "operation" {
			documented[name] = costs
		}
	}
	measured := make(map[string]string)
	for _, indexed := range []bool{true, false} {
		b, m := metered(t, indexed)
		count := func(name string, before, run func() error) {
			t.Helper()
			if before != nil {
				if err := before(); err != nil {
					t.Fatalf("before %s: %v", name, err)
				}
			}
			*m = meter{}
			if err := run(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			measured[name] = m.String()
			t.Logf("| %s | %s |", name, m)
			if want := documented[name]; !m.fits(want) {
				t.Errorf("%s: %s, and the documentation says %q", name, m, want)
			}
		}
		if indexed {
			countThreads(t, b, count)
			countIDs(t, b, count)
			countPatches(t, b, count)
		}
		countLists(t, b, map[bool]string{true: "index", false: "no index"}[indexed], count)
	}
	for name := range documented {
		if measured[name] == "" && !strings.HasPrefix(name, "---") {
			t.Errorf("the documentation has a row %q that nothing here does", name)
		}
	}
}

// countThreads does what concerns one thread.
func countThreads(t *testing.T, b driver.Backend, count func(name string, before, run func() error)) {
	ctx := t.Context()
	var last driver.Info
	save := func(thread string, size, keep int) func() error {
		return func() (err error) {
			last, err = b.Save(ctx, request(thread, strings.Repeat("x", size), keep))
			return err
		}
	}
	saves := func(thread string, size, keep, times int) func() error {
		return func() error {
			for range times {
				if err := save(thread, size, keep)(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	read := func(thread string, version int64) func() error {
		return func() error {
			_, err := b.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Version: version, Now: testNow})
			return err
		}
	}
	history := func(thread string, limit int) func() error {
		return func() error {
			for _, err := range b.History(ctx, driver.HistoryRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Limit: limit, Now: testNow}) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	remove := func(thread string) func() error {
		return func() error {
			return b.Delete(ctx, driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}})
		}
	}
	for _, size := range []struct {
		name  string
		bytes int
	}{{"2 KB", 2 << 10}, {"100 KB", 100 << 10}, {"1 MB", 1 << 20}} {
		thread, kept, n := "thread "+size.name, "kept "+size.name, size.bytes
		count("save, new thread, "+size.name, nil, save(thread, n, 1))
		count("save, "+size.name, nil, save(thread, n, 1))
		count("save if match, "+size.name, nil, func() error {
			req := request(thread, strings.Repeat("x", n), 1)
			req.Match.ID = last.ID
			_, err := b.Save(ctx, req)
			return err
		})
		count("load, "+size.name, nil, read(thread, 0))
		count("stat, "+size.name, nil, history(thread, 1))
		count("rewrite, "+size.name, save(thread, n, 1), func() error {
			return b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: last.Key, Version: last.Version, ID: last.ID, Payload: []byte(strings.Repeat("y", n)), Encoding: "bytes", Now: testNow})
		})
		count("delete, "+size.name, nil, remove(thread))
		if n > maxInline {
			continue
		}
		count("save, history 20, ten of them, "+size.name, saves(kept, n, 20, 40), saves(kept, n, 20, 10))
		count("load version, history 20, "+size.name, nil, read(kept, 40))
		count("history of 20, "+size.name, nil, history(kept, 0))
		count("delete, history 20, "+size.name, nil, remove(kept))
	}
}

// countIDs does what goes by ids, conditions and ranges, with states of 2 KB.
func countIDs(t *testing.T, b driver.Backend, count func(name string, before, run func() error)) {
	ctx := t.Context()
	state := strings.Repeat("x", 2<<10)
	last := request("ids", state, 1)
	save := func() error { _, err := b.Save(ctx, last); return err }
	conflict := func(err error) error {
		if !errors.Is(err, driver.ErrConflict) {
			return fmt.Errorf("%v, want a conflict", err)
		}
		return nil
	}
	wrong := driver.Match{ID: "wrong"}
	count("save with an id that is there, 2 KB", save, save)
	count("save if match, conflict, 2 KB", nil, func() error {
		req := request("ids", state, 1)
		req.Match = wrong
		_, err := b.Save(ctx, req)
		return conflict(err)
	})
	count("delete if match, conflict, 2 KB", nil, func() error {
		return conflict(b.Delete(ctx, driver.DeleteRequest{Key: last.Key, Match: wrong, Now: testNow}))
	})
	find := func(thread, id string) func() error {
		return func() error {
			_, err := b.(driver.Finder).Find(ctx, driver.FindRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, ID: id, Now: testNow})
			return err
		}
	}
	count("find, the latest, 2 KB", nil, find("ids", last.ID))
	count("delete if match, 2 KB", nil, func() error {
		return b.Delete(ctx, driver.DeleteRequest{Key: last.Key, Match: driver.Match{ID: last.ID}, Now: testNow})
	})
	var first string
	count("find, of 20 versions, 2 KB", func() error {
		for range 20 {
			info, err := b.Save(ctx, request("many ids", state, driver.MaxVersion))
			if err != nil {
				return err
			}
			first = cmp.Or(first, info.ID)
		}
		return nil
	}, func() error { return find("many ids", first)() })
	count("versions, 20 of them, 2 KB", nil, func() error {
		for _, err := range b.(driver.VersionReader).Versions(ctx, driver.VersionsRequest{Key: driver.Key{Namespace: "agents", Thread: "many ids"}, Now: testNow}) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	count("find, older than the newest hundred, 2 KB", func() error {
		for range maxIDs {
			if _, err := b.Save(ctx, request("many ids", state, driver.MaxVersion)); err != nil {
				return err
			}
		}
		return nil
	}, func() error { return find("many ids", first)() })
	count("delete prefix, 20 threads, 2 KB", func() error {
		for i := range 20 {
			if _, err := b.Save(ctx, request(fmt.Sprint("prefix-", i), state, 1)); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		_, err := b.(driver.PrefixDeleter).DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "agents", Prefix: "prefix-", Now: testNow})
		return err
	})
}

// countPatches saves patches of 2 KB against states.
func countPatches(t *testing.T, b driver.Backend, count func(name string, before, run func() error)) {
	ctx := t.Context()
	var last driver.Previous
	var base int64
	whole := func(thread string, size, keep int) func() error {
		return func() error {
			req := request(thread, strings.Repeat("x", size), keep)
			req.Digest = "a-digest-of-22-letters"
			info, err := b.Save(ctx, req)
			last, base = driver.Previous{ID: req.ID, Digest: req.Digest}, info.Version
			return err
		}
	}
	patches := func(thread string, keep, times int) func() error {
		return func() error {
			for range times {
				req := request(thread, strings.Repeat("p", 2<<10), keep)
				req.Digest = last.Digest
				if _, err := b.(driver.Patcher).SavePatch(ctx, driver.PatchRequest{SaveRequest: req, Base: base, Previous: last}); err != nil {
					return err
				}
				last.ID = req.ID
			}
			return nil
		}
	}
	read := func(thread string, version int64) func() error {
		return func() error {
			_, err := b.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Version: version, Now: testNow})
			return err
		}
	}
	for _, size := range []struct {
		name  string
		bytes int
	}{{"100 KB", 100 << 10}, {"1 MB", 1 << 20}} {
		one, kept := "patched "+size.name, "patched and kept "+size.name
		count("first patch of 2 KB, "+size.name, whole(one, size.bytes, 1), patches(one, 1, 1))
		count("patches of 2 KB, ten of them, "+size.name, nil, patches(one, 1, 10))
		count("load, 11 patches of 2 KB, "+size.name, nil, read(one, 0))
		count("load, 11 patches of 2 KB, known, "+size.name, nil, func() error {
			cp, err := b.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: "agents", Thread: one}, Now: testNow, Known: last})
			if err == nil && !cp.Known {
				err = errors.New("the load brings what is known")
			}
			return err
		})
		count("delete, 11 patches of 2 KB, "+size.name, nil, func() error {
			return b.Delete(ctx, driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: one}})
		})
		count("patches of 2 KB, history 20, ten of them, "+size.name, func() error {
			return errors.Join(whole(kept, size.bytes, 20)(), patches(kept, 20, 30)())
		}, patches(kept, 20, 10))
		count("load version, history 20, 35 patches of 2 KB, "+size.name, nil, read(kept, 36))
	}
}

// countLists lists and purges 100 threads of 2 KB.
func countLists(t *testing.T, b driver.Backend, index string, count func(name string, before, run func() error)) {
	ctx := t.Context()
	list := func() error {
		for _, err := range b.List(ctx, driver.ListRequest{Namespace: "page", Limit: 100, Now: testNow}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	count("list, page of 100 of 120, 2 KB, "+index, func() error {
		for i := range 120 {
			req := request(fmt.Sprintf("%03d", i), strings.Repeat("x", 2<<10), 1)
			req.Namespace = "page"
			if _, err := b.Save(ctx, req); err != nil {
				return err
			}
		}
		return nil
	}, list)
	count("namespaces, 120 threads, 2 KB, "+index, nil, func() error {
		for _, err := range b.(driver.NamespaceLister).Namespaces(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	count("purge, nothing of 120 threads, 2 KB, "+index, nil, func() error {
		_, err := b.(driver.Purger).Purge(ctx, "page", testNow)
		return err
	})
}
