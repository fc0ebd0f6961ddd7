package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestLeadingKeys runs a backend whose policy has a condition on dynamodb:LeadingKeys:
// keys of the namespace theirs are refused, in the table and in the index. IAM refuses
// a request as a whole and filters nothing; so whatever needs such a key is an error
// that names the action, and nothing looks empty, absent or deleted.
func TestLeadingKeys(t *testing.T) {
	credentials(t)
	_, _, direct := behind(t)
	theirs := func(n int) driver.SaveRequest {
		req := request(fmt.Sprint("t", n), strings.Repeat("x", 10), 3)
		req.Namespace = "theirs"
		return req
	}
	for n := range 3 {
		mustSave(t, direct, theirs(n))
		mustSave(t, direct, theirs(n))
	}
	endpoint := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
		if refused := leads(t, body, "theirs"); !refused {
			return false
		}
		fail(w, 400, "AccessDeniedException")
		return true
	})
	b := openTable(t, direct.(*backend).cfg.Table, endpoint, "")
	mustSave(t, b, request("ours", "state", 3)) // the condition leaves others alone

	ctx, key := t.Context(), theirs(0).Key
	_, loadErr := b.Load(ctx, driver.LoadRequest{Key: key, Now: testNow})
	_, versionErr := b.Load(ctx, driver.LoadRequest{Key: key, Version: 1, Now: testNow})
	_, saveErr := b.Save(ctx, theirs(0))
	absent := theirs(0)
	absent.Match.Absent = true
	_, absentErr := b.Save(ctx, absent)
	_, findErr := b.(driver.Finder).Find(ctx, driver.FindRequest{Key: key, ID: "id", Now: testNow})
	_, purgeErr := b.(driver.Purger).Purge(ctx, "theirs", testNow)
	_, prefixErr := b.(driver.PrefixDeleter).DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "theirs", Prefix: "t", Now: testNow})
	var listErr, historyErr, versionsErr error
	for _, err := range b.List(ctx, driver.ListRequest{Namespace: "theirs", Now: testNow}) {
		listErr = err
	}
	for _, err := range b.History(ctx, driver.HistoryRequest{Key: key, Now: testNow}) {
		historyErr = err
	}
	for _, err := range b.(driver.VersionReader).Versions(ctx, driver.VersionsRequest{Key: key, From: 1, Now: testNow}) {
		versionsErr = err
	}
	for call, err := range map[string]error{
		"Load": loadErr, "Load of a version": versionErr, "Save": saveErr, "Save if absent": absentErr, "Find": findErr, "Purge": purgeErr,
		"DeletePrefix": prefixErr, "List": listErr, "History": historyErr, "Versions": versionsErr,
		"Delete":  b.Delete(ctx, driver.DeleteRequest{Key: key}),
		"Rewrite": b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: key, Version: 1, ID: "id", Payload: []byte("x"), Encoding: "bytes", Now: testNow}),
	} {
		if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "these credentials may not do dynamodb:") {
			t.Errorf("%s = %v, want ErrUnavailable that names the action", call, err)
		}
	}
	for n := range 3 {
		if cp, err := direct.Load(ctx, driver.LoadRequest{Key: theirs(n).Key, Now: testNow}); err != nil || cp.Version != 2 {
			t.Errorf("thread %d is at version %d, %v", n, cp.Version, err)
		}
	}
}

// leads reports whether a request has a partition key of a namespace, as a key of an
// item or as a value of a query.
func leads(t testing.TB, body []byte, namespace string) bool {
	t.Helper()
	var request any
	if err := json.Unmarshal(body, &request); err != nil {
		t.Errorf("a request is no JSON: %v", err)
	}
	var holds func(v any) bool
	holds = func(v any) bool {
		switch v := v.(type) {
		case string:
			return v == namespace || v == journalList(namespace) || strings.HasPrefix(v, reserved+"h#"+namespace+"#")
		case []any:
			for _, e := range v {
				if holds(e) {
					return true
				}
			}
		case map[string]any:
			for _, e := range v {
				if holds(e) {
					return true
				}
			}
		}
		return false
	}
	return holds(request)
}
