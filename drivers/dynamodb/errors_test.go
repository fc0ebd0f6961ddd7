package dynamodb

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestErrors: what is wrong with table, credentials or network is said, with the
// cure.
func TestErrors(t *testing.T) {
	credentials(t)
	var answer atomic.Value
	var asked atomic.Int32
	answer.Store("")
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fail(w, 400, answer.Load().(string))
	}))
	defer stub.Close()
	wrongKey := "wrong-" + rand.Text()
	_, err := bare(t).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &wrongKey, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	local := testserver.DynamoDB(t)
	for name, tt := range map[string]struct {
		endpoint, table, answer string
		is                      error
		want                    string
	}{
		"missing table":     {local, "missing-" + rand.Text(), "", driver.ErrUnavailable, "create it with create_table=true or the AWS CLI"},
		"wrong key":         {local, wrongKey, "", driver.ErrInvalid, "has another key than the one string thread_id"},
		"dead endpoint":     {"http://127.0.0.1:1", "table", "", driver.ErrUnavailable, "does not answer"},
		"no permission":     {stub.URL, "table", "AccessDeniedException", driver.ErrUnavailable, "grant the actions"},
		"wrong signature":   {stub.URL, "table", "InvalidSignatureException", driver.ErrUnavailable, "AWS does not accept these credentials"},
		"throttled":         {stub.URL, "table", "ThrottlingException", driver.ErrUnavailable, "is throttled"},
		"out of capacity":   {stub.URL, "table", "ProvisionedThroughputExceededException", driver.ErrUnavailable, "is throttled"},
		"two regions":       {stub.URL, "table", "ReplicatedWriteConflictException", driver.ErrUnavailable, "DynamoDB answered ReplicatedWriteConflictException"},
		"wrong region":      {stub.URL, "table", "ResourceNotFoundException", driver.ErrUnavailable, "does not exist in this region"},
		"something unknown": {stub.URL, "table", "OtherException", driver.ErrUnavailable, "DynamoDB answered OtherException"},
	} {
		t.Run(name, func(t *testing.T) {
			answer.Store(tt.answer)
			before := asked.Load()
			b := openTable(t, tt.table, tt.endpoint, "")
			for call, err := range map[string]error{"Ping": b.Ping(t.Context()), "Save": func() error { _, err := b.Save(t.Context(), request("t", "1", 1)); return err }()} {
				if call == "Save" && name == "wrong key" {
					continue // DynamoDB itself says only that the request is not valid
				}
				if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) && name != "missing table" {
					t.Errorf("%s = %v, want %v with %q", call, err, tt.is, tt.want)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s shows what the service said: %v", call, err)
				}
			}
			if name == "two regions" && asked.Load()-before < 8 {
				t.Errorf("%d requests: what was not applied for now is to be tried again", asked.Load()-before)
			}
		})
	}
}

// within runs a call and fails the test if it takes much longer than it may.
func within(t *testing.T, limit time.Duration, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit + 5*time.Second):
		t.Fatalf("the call still runs %v after it should have returned", 5*time.Second)
		return nil
	}
}

// TestNoCredentials: on a machine without credentials the error says what to set,
// whether or not something answers where the roles of machines are asked for.
func TestNoCredentials(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	nowhere := t.TempDir()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(nowhere, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(nowhere, "credentials"))
	for name, metadata := range map[string]map[string]string{
		"disabled":    {"AWS_EC2_METADATA_DISABLED": "true"},
		"unreachable": {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"},
		"silent":      {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://" + silent.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range metadata {
				t.Setenv(name, value)
			}
			for call, run := range map[string]func(context.Context, driver.Backend) error{
				"Ping": func(ctx context.Context, b driver.Backend) error { return b.Ping(ctx) },
				"Save": func(ctx context.Context, b driver.Backend) error {
					_, err := b.Save(ctx, request("t", "1", 1))
					return err
				},
				"Delete": func(ctx context.Context, b driver.Backend) error {
					return b.Delete(ctx, driver.DeleteRequest{Key: request("t", "1", 1).Key})
				},
			} {
				b := openTable(t, "table", "http://127.0.0.1:1", "")
				err := within(t, 10*time.Second, func() error { return run(t.Context(), b) })
				if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "there are no AWS credentials; set AWS_ACCESS_KEY_ID") {
					t.Errorf("%s = %v, want ErrUnavailable that says what to set", call, err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				err = within(t, time.Second, func() error { return run(ctx, b) })
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("%s = %v, want the context's error or ErrUnavailable", call, err)
				}
			}
		})
	}
}

// TestBlackHoleWithoutDeadline: where the context sets no limit, the driver does.
func TestBlackHoleWithoutDeadline(t *testing.T) {
	credentials(t)
	for call, run := range map[string]func(b driver.Backend) error{
		"Save": func(b driver.Backend) error { _, err := b.Save(t.Context(), request("t", "1", 1)); return err },
		"Delete": func(b driver.Backend) error {
			return b.Delete(t.Context(), driver.DeleteRequest{Key: request("t", "1", 1).Key})
		},
		"Load": func(b driver.Backend) error { _, err := loadThread(t.Context(), b, "t"); return err },
	} {
		b, proxy, _ := behind(t)
		mustSave(t, b, request("t", "1", 1))
		proxy.BlackHole(true)
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			if err := within(t, 10*time.Second, func() error { return run(b) }); !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("%s = %v, want ErrUnavailable", call, err)
			}
			t.Logf("after %v", time.Since(start))
		})
	}
}

// TestUnprocessed: what DynamoDB leaves out of a batch is asked for again, until
// the table is called throttled.
func TestUnprocessed(t *testing.T) {
	credentials(t)
	_, _, direct := behind(t)
	table := direct.(*backend).cfg.Table
	large := strings.Repeat("0123456789", 200_000)
	var always atomic.Bool
	var leftOut, batches atomic.Int32
	endpoint := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
		rest := map[string]string{"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}[action]
		if rest == "" {
			return false
		}
		// Every other batch is left out as a whole, or all of them.
		if batches.Add(1)%2 == 0 && !always.Load() {
			return false
		}
		leftOut.Add(1)
		var request map[string]json.RawMessage
		if err := json.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		io.WriteString(w, fmt.Sprintf(`{"Responses":{},%q:%s}`, rest, request["RequestItems"]))
		return true
	})
	b := openTable(t, table, endpoint, "")
	for range 2 {
		mustSave(t, b, request("t", large, 2))
	}
	if cp, err := loadThread(t.Context(), b, "t"); err != nil || string(cp.Payload) != large {
		t.Errorf("Load = %d bytes, %v, want %d", len(cp.Payload), err, len(large))
	}
	if leftOut.Load() < 3 {
		t.Errorf("%d batches were left out, the test is no test", leftOut.Load())
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: request("t", "", 1).Key}); err != nil {
		t.Error(err)
	}
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
	mustSave(t, direct, request("t", large, 2))
	always.Store(true)
	for call, run := range map[string]func() error{
		"Save": func() error { _, err := b.Save(t.Context(), request("t", large, 2)); return err },
		"Load": func() error { _, err := loadThread(t.Context(), b, "t"); return err },
	} {
		if err := run(); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "is throttled") {
			t.Errorf("%s = %v, want ErrUnavailable that says throttled", call, err)
		}
	}
}
