package dynamodb

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// between returns the endpoint of a proxy that shows every request to see, with
// the name of its action, before the shared server gets it. Where see returns
// true it has answered itself. Whatever has been answered is told to answered.
func between(t testing.TB, see func(w http.ResponseWriter, action string, body []byte) bool, answered ...func()) string {
	t.Helper()
	target, err := url.Parse(testserver.DynamoDB(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if !see(w, action, body) {
			proxy.ServeHTTP(w, r)
		}
		for _, f := range answered {
			f()
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// fail answers as the service does when it refuses a request.
func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":"User: arn:aws:iam::123456789012:user/hunter2"}`)
}

// forward sends a request to the shared server and returns its answer.
func forward(t testing.TB, action string, body []byte) []byte {
	in, err := http.NewRequest(http.MethodPost, testserver.DynamoDB(t), bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	in.Header = http.Header{
		"X-Amz-Target": {"DynamoDB_20120810." + action}, "Content-Type": {"application/x-amz-json-1.0"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none"},
	}
	out, err := http.DefaultClient.Do(in)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer out.Body.Close()
	answer, err := io.ReadAll(out.Body)
	if err != nil || out.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v: %s", action, out.Status, err, answer)
	}
	return answer
}

// overtaken calls meanwhile before each batch of reads.
func overtaken(t testing.TB, meanwhile func()) string {
	return between(t, func(_ http.ResponseWriter, action string, _ []byte) bool {
		if action == "BatchGetItem" {
			meanwhile()
		}
		return false
	})
}
