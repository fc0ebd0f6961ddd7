package dynamodb

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestARN works on a table that is given by its ARN, as another
// account's is. DynamoDB Local knows tables by name alone, so a proxy puts the name
// in the place of the ARN; batches are then answered by name, too.
func TestARN(t *testing.T) {
	credentials(t)
	_, _, direct := behind(t)
	table := direct.(*backend).cfg.Table
	arn := "arn:aws:dynamodb:us-east-1:111122223333:table/" + table
	b := openTable(t, arn, byName(t, arn, table), "")
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 400<<10)
	for range 3 {
		mustSave(t, b, request("t", large, 3))
	}
	for version := int64(1); version <= 3; version++ {
		cp, err := b.Load(t.Context(), driver.LoadRequest{Key: request("t", "", 1).Key, Version: version, Now: testNow})
		if err != nil || string(cp.Payload) != large {
			t.Errorf("Load of version %d = %d bytes, %v", version, len(cp.Payload), err)
		}
	}
	seen := 0
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Now: testNow}) {
		if err != nil || info.Thread != "t" {
			t.Errorf("List yields %+v, %v", info, err)
		}
		seen++
	}
	for info, err := range b.History(t.Context(), driver.HistoryRequest{Key: request("t", "", 1).Key, Now: testNow}) {
		if err != nil || info.Version != int64(4-seen) {
			t.Errorf("History yields %+v, %v", info, err)
		}
		seen++
	}
	for ns, err := range b.(driver.NamespaceLister).Namespaces(t.Context()) {
		if err != nil || ns != "agents" {
			t.Errorf("Namespaces yields %q, %v", ns, err)
		}
		seen++
	}
	if seen != 5 {
		t.Errorf("%d of a thread, three versions and a namespace are there", seen)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: request("t", "", 1).Key}); err != nil {
		t.Error(err)
	}
	if n := countItems(t, direct); n != 0 {
		t.Errorf("%d items are left", n)
	}
	missing := "arn:aws:dynamodb:us-east-1:111122223333:table/missing"
	if err := openTable(t, missing, byName(t, missing, "missing"), "").Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "give the ARN of one that does") {
		t.Errorf("Ping of a missing table = %v, want ErrUnavailable that says what to give", err)
	}
}

// byName returns the endpoint of a proxy that turns an ARN into a name on the way to
// the shared server. It fails the test for a
// request that has the ARN nowhere.
func byName(t testing.TB, arn, name string) string {
	t.Helper()
	target, err := url.Parse(testserver.DynamoDB(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			body, err := io.ReadAll(r.Out.Body)
			if err != nil || !bytes.Contains(body, []byte(strconv.Quote(arn))) {
				t.Errorf("%s was sent without the ARN", r.In.Header.Get("X-Amz-Target"))
			}
			body = bytes.ReplaceAll(body, []byte(strconv.Quote(arn)), []byte(strconv.Quote(name)))
			r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}
