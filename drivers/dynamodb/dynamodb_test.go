package dynamodb

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// bare returns a client of the shared server.
func bare(t testing.TB) *dynamodb.Client {
	t.Helper()
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(testserver.DynamoDB(t)),
		Credentials: awscredentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// plainTable makes a table as the AWS CLI does, without an index.
func plainTable(t testing.TB) string {
	t.Helper()
	name := "plain-" + rand.Text()
	_, err := bare(t).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("thread_id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("thread_id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func openTable(t testing.TB, table, endpoint, more string) driver.Backend {
	t.Helper()
	b, err := Driver{}.Open("dynamodb://" + table + "?region=us-east-1&endpoint=" + endpoint + more)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// behind returns a backend behind a proxy, on a new table with an index.
func behind(t testing.TB) (driver.Backend, *faultproxy.Proxy, driver.Backend) {
	t.Helper()
	endpoint := testserver.DynamoDB(t)
	table := "faults-" + rand.Text()
	direct := openTable(t, table, endpoint, "&create_table=true")
	if err := direct.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.New(t, strings.TrimPrefix(endpoint, "http://"))
	return openTable(t, table, "http://"+proxy.Addr(), ""), proxy, direct
}

var testNow = time.Now().UTC().Truncate(time.Microsecond).Add(time.Hour)

func request(thread, payload string, keep int) driver.SaveRequest {
	return driver.SaveRequest{
		Key: driver.Key{Namespace: "agents", Thread: thread}, ID: rand.Text(), Payload: []byte(payload), Encoding: "bytes", Now: testNow, Keep: keep,
	}
}

func mustSave(t testing.TB, b driver.Backend, req driver.SaveRequest) driver.Info {
	t.Helper()
	info, err := b.Save(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func loadThread(ctx context.Context, b driver.Backend, thread string) (driver.Checkpoint, error) {
	return b.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Now: testNow})
}

func versionsOf(t testing.TB, b driver.Backend, thread string) []int64 {
	t.Helper()
	var versions []int64
	for info, err := range b.History(t.Context(), driver.HistoryRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Now: testNow}) {
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, info.Version)
	}
	return versions
}

// TestRequests counts what each operation sends once a connection is open.
func TestRequests(t *testing.T) {
	credentials(t)
	b, proxy, _ := behind(t)
	large := strings.Repeat("x", 1<<20)
	var last driver.Info
	key := func(thread string) driver.Key { return driver.Key{Namespace: "agents", Thread: thread} }
	for _, op := range []struct {
		name string
		want int64
		run  func() error
	}{
		{"ping", 1, func() error { return b.Ping(t.Context()) }},
		{"save, new thread", 1, func() (err error) { last, err = b.Save(t.Context(), request("t", "1", 1)); return err }},
		{"save", 1, func() (err error) { last, err = b.Save(t.Context(), request("t", "2", 1)); return err }},
		{"save if match", 1, func() error {
			req := request("t", "3", 1)
			req.Match.ID = last.ID
			_, err := b.Save(t.Context(), req)
			return err
		}},
		{"conflict", 1, func() error {
			req := request("t", "4", 1)
			req.Match.ID = last.ID
			if _, err := b.Save(t.Context(), req); !errors.Is(err, driver.ErrConflict) {
				return fmt.Errorf("got %v, want a conflict", err)
			}
			return nil
		}},
		{"save if absent", 1, func() error {
			req := request("absent", "1", 1)
			req.Match.Absent = true
			_, err := b.Save(t.Context(), req)
			return err
		}},
		{"save of 100 KB", 1, func() error { _, err := b.Save(t.Context(), request("100", large[:100<<10], 1)); return err }},
		{"load", 1, func() error { _, err := loadThread(t.Context(), b, "t"); return err }},
		{"delete", 1, func() error { return b.Delete(t.Context(), driver.DeleteRequest{Key: key("t")}) }},
		{"save with history, new thread", 2, func() error { _, err := b.Save(t.Context(), request("h", "1", 2)); return err }},
		{"save that begins a history", 5, func() error { _, err := b.Save(t.Context(), request("h", "2", 2)); return err }},
		{"save with history", 3, func() error { _, err := b.Save(t.Context(), request("h", "3", 2)); return err }},
		{"save that drops a version", 3, func() error { _, err := b.Save(t.Context(), request("h", "4", 2)); return err }},
		{"load of a version", 2, func() error {
			_, err := b.Load(t.Context(), driver.LoadRequest{Key: key("h"), Version: 3, Now: testNow})
			return err
		}},
		{"history", 2, func() error { versionsOf(t, b, "h"); return nil }},
		{"list", 2, func() error {
			for _, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Limit: 2, Now: testNow}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"save of 1 MB, new thread", 5, func() error { _, err := b.Save(t.Context(), request("large", large, 1)); return err }},
		{"load of 1 MB", 2, func() error { _, err := loadThread(t.Context(), b, "large"); return err }},
	} {
		before := proxy.Counts()
		if err := op.run(); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		got := proxy.Counts().Sub(before).RoundTrips
		// A large request may be answered with "100 Continue", or in pieces.
		if got != op.want && !(strings.Contains(op.name, "MB") && got <= op.want+4) {
			t.Errorf("%s: %d requests, want %d", op.name, got, op.want)
		}
	}
}

// TestCrashPoints cuts the network after each request of an operation in turn,
// as a crash there would: the old checkpoint or the new one is there, whole, and
// a second attempt and Purge leave nothing behind.
func TestCrashPoints(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	large := string(bytes.Repeat([]byte("large state "), 100<<10))
	for name, tt := range map[string]struct {
		prepare func(thread string)
		run     func(ctx context.Context, thread string) error
		states  []string // that are allowed after the crash; "" is absent
	}{
		"save with history": {
			func(thread string) {
				for _, s := range []string{"1", "2", "3"} {
					mustSave(t, direct, request(thread, s, 3))
				}
			},
			func(ctx context.Context, thread string) error {
				_, err := b.Save(ctx, request(thread, "4", 3))
				return err
			},
			[]string{"3", "4"},
		},
		"large over large": {
			func(thread string) { mustSave(t, direct, request(thread, large, 1)) },
			func(ctx context.Context, thread string) error {
				_, err := b.Save(ctx, request(thread, "new "+large, 1))
				return err
			},
			[]string{large, "new " + large},
		},
		"small over large": {
			func(thread string) { mustSave(t, direct, request(thread, large, 1)) },
			func(ctx context.Context, thread string) error {
				_, err := b.Save(ctx, request(thread, "small", 1))
				return err
			},
			[]string{large, "small"},
		},
		"delete of a history of large states": {
			func(thread string) {
				for range 3 {
					mustSave(t, direct, request(thread, large, 3))
				}
			},
			func(ctx context.Context, thread string) error {
				return b.Delete(ctx, driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}})
			},
			[]string{large, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for k := range 12 {
				thread := fmt.Sprintf("%s/%d", name, k)
				tt.prepare(thread)
				proxy.Cut()
				proxy.CutAfter(k)
				ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
				err := tt.run(ctx, thread)
				cancel()
				proxy.Heal()
				cp, lerr := loadThread(t.Context(), direct, thread)
				got := string(cp.Payload)
				if errors.Is(lerr, driver.ErrNotFound) {
					lerr = nil
				}
				allowed := false
				for _, s := range tt.states {
					allowed = allowed || got == s
				}
				if lerr != nil || !allowed {
					t.Fatalf("after %d requests (%v): %d bytes, %v, want the old state or the new one", k, err, len(got), lerr)
				}
				if err == nil && got != tt.states[len(tt.states)-1] {
					t.Fatalf("after %d requests the operation said it succeeded, and the old state is there", k)
				}
				if vs := versionsOf(t, direct, thread); len(vs) > 0 {
					for i, v := range vs {
						if v != vs[0]-int64(i) {
							t.Fatalf("after %d requests the history is %d", k, vs)
						}
						if _, err := direct.Load(t.Context(), driver.LoadRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Version: v, Now: testNow}); err != nil {
							t.Fatalf("after %d requests version %d: %v", k, v, err)
						}
					}
				}
				if err := direct.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	finishJournals(t, direct)
	if items := countItems(t, direct); items != 0 {
		t.Errorf("%d items are left in the table after every thread was deleted and the journals were finished", items)
	}
}

// finishJournals does what Purge does an hour later.
func finishJournals(t *testing.T, b driver.Backend) {
	t.Helper()
	s, err := b.(*backend).begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	journals, err := s.journals(t.Context(), "agents")
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range journals {
		if err := s.finish(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
}

func countItems(t *testing.T, b driver.Backend) int {
	t.Helper()
	in := &dynamodb.ScanInput{TableName: aws.String(b.(*backend).cfg.Table), ProjectionExpression: aws.String("thread_id")}
	for n := 0; ; {
		out, err := bare(t).Scan(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range out.Items {
			t.Logf("left: %v", a["thread_id"].(*types.AttributeValueMemberS).Value)
		}
		n += len(out.Items)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return n
		}
	}
}

// TestBlackHole: a call returns within a second of its context's end.
func TestBlackHole(t *testing.T) {
	credentials(t)
	b, proxy, _ := behind(t)
	mustSave(t, b, request("t", "1", 1))
	proxy.BlackHole(true)
	defer proxy.BlackHole(false)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	req := request("t", "2", 1)
	go func() {
		info, err := b.Save(ctx, req)
		if info.ID != req.ID {
			err = fmt.Errorf("the Info is without the id: %v", err)
		}
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Save = %v, want the context's error", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Save still runs long after its context has ended")
	}
}

// TestLongHistory deletes a thread of 500 versions, and looks ids up beyond those
// that the head holds.
func TestLongHistory(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	var reqs []driver.SaveRequest
	for i := range 500 {
		reqs = append(reqs, request("t", fmt.Sprint(i), driver.KeepAll))
		mustSave(t, b, reqs[i])
	}
	for _, i := range []int{0, 100, 395, 399, 400, 498, 499} {
		if info, err := b.Save(t.Context(), reqs[i]); err != nil || info.Version != int64(i+1) {
			t.Errorf("the repeated save of version %d = %+v, %v", i+1, info, err)
		}
	}
	if got := len(versionsOf(t, b, "t")); got != 500 {
		t.Errorf("%d versions, want 500", got)
	}
	for range 120 {
		mustSave(t, b, request("cut", "x", driver.KeepAll))
	}
	mustSave(t, b, request("cut", "few", 3))
	mustSave(t, b, request("cut", "few", 3))
	if got := versionsOf(t, b, "cut"); fmt.Sprint(got) != "[122 121 120]" {
		t.Errorf("versions %d, want the newest 3", got)
	}
	for _, thread := range []string{"t", "cut"} {
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: thread}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Config{
		"agent-checkpoints":                              {Table: "agent-checkpoints", MaxConnections: 64},
		"dynamodb://agent-checkpoints":                   {Table: "agent-checkpoints", MaxConnections: 64},
		"dynamodb:agents?index=none":                     {Table: "agents", Index: NoIndex, MaxConnections: 64},
		"t.1?region=eu-central-1&create_table=true":      {Table: "t.1", Region: "eu-central-1", CreateTable: true, MaxConnections: 64},
		"tab?max_connections=200":                        {Table: "tab", MaxConnections: 200},
		"tab?endpoint=http://127.0.0.1:8000&profile=dev": {Table: "tab", Endpoint: "http://127.0.0.1:8000", Profile: "dev", MaxConnections: 64},
	} {
		if got, err := ParseConfig(source); err != nil || got != want {
			t.Errorf("ParseConfig(%q) = %+v, %v, want %+v", source, got, err, want)
		}
	}
	for source, want := range map[string]string{
		"":                                "want the name of a table",
		"dynamodb://a/b":                  "want the name of a table",
		"tab?regoin=x":                    `unknown word "regoin"; this driver's words: create_table, endpoint, index, max_connections, profile, region`,
		"tab?create_table=yes":            `word "create_table" is "yes": want true or false`,
		"tab?endpoint=u:hunter2@host":     `word "endpoint": want http:// or https://`,
		"tab?endpoint=http://u:hunter2@h": `word "endpoint": want http:// or https:// and a host, without credentials`,
		"tab?region=x&region=y":           `word "region" is given twice`,
		"tab?max_connections=0":           `word "max_connections" is "0": want a whole number from 1 to 100000`,
		"tab?index=a":                     `word "index": want the name of an index, or none`,
	} {
		_, err := ParseConfig(source)
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseConfig(%q) = %v, want ErrInvalid with %s", source, err, want)
		}
	}
}
