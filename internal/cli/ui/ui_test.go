package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

// A site is a page under test, and a browser that the token has let in.
type site struct {
	testing.TB
	*httptest.Server
	store  *checkpoint.Store
	cookie *http.Cookie
}

const token = "TESTTOKEN0123456789ABCDEFG"

// open serves a page over a store; nil is an empty one in memory.
func open(t testing.TB, store *checkpoint.Store, opts Options) *site {
	t.Helper()
	if store == nil {
		var err error
		if store, err = checkpoint.Open("memory", "?history=all"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
	}
	s := &site{TB: t, Server: httptest.NewUnstartedServer(nil), store: store}
	opts.Token = token
	opts.Hosts = append(opts.Hosts, s.Listener.Addr().String())
	s.Config.Handler = New(store, opts)
	s.Config.DisableGeneralOptionsHandler = true
	s.Start()
	t.Cleanup(s.Close)
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res := s.do(s.request("GET", "/?token="+token, nil))
	if len(res.Cookies()) != 1 {
		t.Fatalf("the address with the token set %d cookies, want 1 (%s)", len(res.Cookies()), res.Status)
	}
	s.cookie = res.Cookies()[0]
	return s
}

// request makes a request as the page's own, with the cookie.
func (s *site) request(method, path string, form url.Values) *http.Request {
	s.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		s.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method == "POST" {
		r.Header.Set("Origin", s.URL)
	}
	if s.cookie != nil {
		r.AddCookie(s.cookie)
	}
	return r
}

func (s *site) do(r *http.Request) *http.Response {
	s.Helper()
	res, err := s.Client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { res.Body.Close() })
	return res
}

// get returns a page, which must have the status.
func (s *site) get(path string, status int) string {
	s.Helper()
	res := s.do(s.request("GET", path, nil))
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	if res.StatusCode != status {
		s.Fatalf("GET %s: %s, want %d\n%s", path, res.Status, status, cut(string(body), 2_000))
	}
	return string(body)
}

// save saves states as the versions of a thread.
func (s *site) save(thread string, states ...string) {
	s.Helper()
	for _, state := range states {
		if _, err := s.store.Save(s.Context(), thread, json.RawMessage(state)); err != nil {
			s.Fatal(err)
		}
	}
}

// wants fails unless the page has each of the texts.
func (s *site) wants(page string, texts ...string) {
	s.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			s.Errorf("the page lacks %q:\n%s", text, page[max(0, strings.Index(page, "<main")):])
		}
	}
}

func TestThreads(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	s.wants(s.get("/", 200), "No threads here")
	for i := range pageLength + 1 {
		s.save(fmt.Sprintf("user-%03d", i), `{}`)
	}
	s.save("zoo", `1`, `2`)
	page := s.get("/", 200)
	s.wants(page, ">user-000<", ">user-099<", "/?after=user-099&amp;ns=agents")
	if strings.Contains(page, "user-100") {
		t.Error("the first page has more than its threads")
	}
	s.wants(s.get("/?after=user-099", 200), ">user-100<", ">zoo<", "First page")
	page = s.get("/?prefix=z", 200)
	s.wants(page, ">zoo<", `<td class="n">2<`, `value="z"`)
	if strings.Contains(page, "user-") {
		t.Error("the search for z shows other threads")
	}
	s.wants(s.get("/?prefix=none", 200), "No threads here whose names start with that")

	if _, err := s.store.Namespace("other").Save(t.Context(), "there", 1); err != nil {
		t.Fatal(err)
	}
	s.wants(s.get("/namespaces", 200), `href="/?ns=agents"`, `href="/?ns=other"`)
	s.wants(s.get("/?ns=other", 200), ">there<", "ns=other&amp;thread=there", "namespace <b>other</b>")
	s.wants(s.get("/?ns=a%2Fb", 400), "invalid namespace")
}

func TestThread(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	s.save("t", `{"step":1}`, `{"step":2}`, `{"step":3}`)
	if _, err := s.store.Restore(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	forked, err := s.store.Fork(t.Context(), "t", 2, "fork")
	if err != nil {
		t.Fatal(err)
	}
	page := s.get("/thread?thread=t", 200)
	s.wants(page, "<svg", "restored from version 1", `class="arc"`, "restored_from=1", ">never<", "What version 4 changed")
	if n := strings.Count(page, `<rect class="bar"`); n != 4 {
		t.Errorf("the time line has %d bars, want 4", n)
	}
	s.wants(s.get("/thread?thread=fork", 200), "forked from id "+forked.Metadata[checkpoint.MetadataForkedFrom])
	s.wants(s.get("/thread?thread=none", 404), "not found")
	s.wants(s.get("/thread", 400), "invalid")
	s.wants(s.get("/thread?thread=t&before=x", 400), "invalid before")

	for range pageLength {
		s.save("t", `1`)
	}
	s.wants(s.get("/thread?thread=t", 200), "before=5", "Older versions", "What version 5 changed")
	s.wants(s.get("/thread?thread=t&before=5", 200), "Newest versions", "version=4")
}

func TestState(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	s.save("t", `{"a":[1,{"b":"deep \ud800"},true]}`, `{"n":1e400,"s":"x\ny","empty":{},"zero":"","list":[]}`)
	page := s.get("/state?thread=t", 200)
	s.wants(page, "State at version 2", `<span class="number">1e400</span>`, "x\ny", "0 members", "0 elements", "version=1")
	page = s.get("/state?thread=t&version=1", 200)
	s.wants(page, `&#34;deep \ud800&#34;`, `<span class="word">true</span>`, `<span class="index">2</span>`)
	s.wants(s.get("/state?thread=t&version=1&at=0.1", 200), `&#34;deep \ud800&#34;`, ". › a[1]", "Whole state")
	s.wants(s.get("/state?thread=t&version=1&q=DEEP", 200), "1 found", "a[1] › b", "at=0.1&amp;")
	s.wants(s.get("/state?thread=t&version=1&q=none", 200), "0 found")
	if got := s.get("/raw?thread=t&version=1&at=0.1", 200); got != `{"b":"deep \ud800"}` {
		t.Errorf("the part is %s", got)
	}
	for _, bad := range []string{"at=x", "at=-1", "element=-1", "element=x", "version=0", "version=-1", "version=x", "version=99999999999999999999"} {
		s.wants(s.get("/state?thread=t&"+bad, 400), "invalid")
	}
	for _, absent := range []string{"thread=t&version=1&at=9", "thread=t&version=1&at=0.0.0", "thread=t&version=3", "thread=none"} {
		s.wants(s.get("/state?"+absent, 404), "not found")
	}
}

// TestOtherEncodings: what is no JSON is shown as bytes, and what is sealed says so.
func TestOtherEncodings(t *testing.T) {
	t.Parallel()
	name := "memory:ui-" + t.Name()
	keys, err := checkpoint.NewKeyring(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := checkpoint.Open("memory", name, checkpoint.WithEncryption(keys))
	if err != nil {
		t.Fatal(err)
	}
	defer sealing.Close()
	plain, err := checkpoint.Open("memory", name)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := sealing.Save(t.Context(), "sealed", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Save(t.Context(), "blob", checkpoint.Bytes("\x00\x01<b>")); err != nil {
		t.Fatal(err)
	}
	s := open(t, plain, Options{ErrorText: func(err error) string { return "worded: " + err.Error() }})
	s.wants(s.get("/state?thread=sealed", 200), "worded: ", "encrypted", "json&#43;aead")
	s.wants(s.get("/raw?thread=sealed", 422), "encrypted")
	s.wants(s.get("/diff?thread=sealed", 422), "encrypted")
	s.wants(s.get("/state?thread=blob", 200), "00 01 3c 62 3e", "bytes")
	if got := s.get("/raw?thread=blob", 200); got != "\x00\x01<b>" {
		t.Errorf("the blob is %q", got)
	}
	s = open(t, sealing, Options{})
	s.wants(s.get("/state?thread=sealed", 200), `<span class="string">secret</span>`)
}

func TestDiff(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	s.save("t", `{"plan":["a","b"],"step":1,"old":"<i>"}`, `{"plan":["new","a","b"],"step":2}`, `{"step":2,"plan":["new","a","b"]}`)
	page := s.get("/diff?thread=t&from=1&to=2", 200)
	s.wants(page, ".plan[0]", `<td class="new">new`, ".step", `<td class="old">1<td class="new">2`, ".old", "&lt;i&gt;")
	s.wants(s.get("/diff?thread=t&from=2&to=3", 200), "the same state")
	s.wants(s.get("/diff?thread=t", 200), `value="2"`, `value="3"`)
	s.wants(s.get("/diff?thread=t&from=1&to=9", 404), "not found")
	s.save("one", `1`)
	s.wants(s.get("/diff?thread=one", 404), "not found")
	if _, err := s.store.Save(context.Background(), "t", checkpoint.Bytes("x")); err != nil {
		t.Fatal(err)
	}
	s.wants(s.get("/diff?thread=t", 200), "A difference is of JSON")
}
