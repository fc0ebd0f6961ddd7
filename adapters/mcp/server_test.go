package mcp_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/go-ckpt/checkpoint"
	events "github.com/go-ckpt/checkpoint/adapters/mcp"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// serve starts a server whose tool reports its progress twice.
func serve(t *testing.T, store *checkpoint.Store) string {
	server := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "work"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		for _, message := range []string{"one", "two"} {
			if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: "p", Message: message}); err != nil {
				return nil, nil, err
			}
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{EventStore: events.New(store, time.Hour)})
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// request sends a request of a session and returns its answer and the events of it.
func request(t *testing.T, method, url, session, lastEvent, body string) (resp *http.Response, ids, data []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range map[string]string{"Mcp-Session-Id": session, "Last-Event-ID": lastEvent} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if session != "" {
		req.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	}
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 1<<20))
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok && d != "" {
			data = append(data, d)
		}
	}
	return resp, ids, data
}

// TestServer: a client that has seen the first event of a call gets the others by its
// id. A server that has restarted does not know the session (go-sdk v1.8.0), while the
// events are still there.
func TestServer(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		storeURL := newURL(t)
		url := serve(t, adapterstores.Open(t, storeURL))
		resp, _, _ := request(t, "POST", url, "", "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`)
		session := resp.Header.Get("Mcp-Session-Id")
		request(t, "POST", url, session, "", `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		_, ids, data := request(t, "POST", url, session, "", `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"work","arguments":{},"_meta":{"progressToken":"p"}}}`)
		if len(ids) != 4 || len(data) != 3 || !strings.Contains(data[2], "done") { // the first is empty, for its id
			t.Fatalf("the call: %q %q", ids, data)
		}
		for i := range ids {
			resp, again, replayed := request(t, "GET", url, session, ids[i], "")
			if resp.StatusCode != http.StatusOK || !slices.Equal(again, ids[i+1:]) || !slices.Equal(replayed, data[i:]) {
				t.Errorf("after %s: %d %q %q", ids[i], resp.StatusCode, again, replayed)
			}
		}

		store := adapterstores.Open(t, storeURL)
		restarted := serve(t, store)
		if resp, _, _ := request(t, "GET", restarted, session, ids[0], ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("a restarted server answers %d", resp.StatusCode)
		}
		stream, _, _ := strings.Cut(ids[0], "_")
		if got, err := after(t, events.New(store, time.Hour), session, stream, 0); err != nil || !slices.Equal(got, data) {
			t.Errorf("the events: %q, %v", got, err)
		}
		request(t, "DELETE", url, session, "", "")
		if got, err := after(t, events.New(store, time.Hour), session, stream, 0); err == nil {
			t.Errorf("the events of a session that was ended: %q", got)
		}
	})
}
