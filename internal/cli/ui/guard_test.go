package ui

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// paths are all that the page answers, and some that it does not.
var paths = []string{"/", "/namespaces", "/thread?thread=t", "/state?thread=t", "/raw?thread=t", "/diff?thread=t", "/log?thread=t",
	"/tail?thread=t&after=1&life=1", "/restore?thread=t&version=1", "/fork?thread=t&version=1", "/edit?thread=t", "/delete?thread=t",
	"/style.css", "/script.js", "/favicon.ico", "/none", "//", "/../x", "/%2e%2e/x", "/state/", "/templates/layout.html", "/?token=wrong", "/?token="}

// TestGuard: without the cookie nothing is told, whatever is asked for; every answer
// has the policy.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{Write: true})
	s.save("t", `{"secret":"s3cret"}`, `{"secret":"s3cret2"}`)
	cases := []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"no cookie", func(r *http.Request) { r.Header.Del("Cookie") }, 401},
		{"another value", func(r *http.Request) { r.Header.Set("Cookie", s.cookie.Name+"=x") }, 401},
		{"an empty value", func(r *http.Request) { r.Header.Set("Cookie", s.cookie.Name+"=") }, 401},
		{"the token as the cookie", func(r *http.Request) { r.Header.Set("Cookie", s.cookie.Name+"="+token) }, 401},
		{"another name", func(r *http.Request) { r.Header.Set("Cookie", "checkpoint="+s.cookie.Value) }, 401},
		{"another host", func(r *http.Request) { r.Host = "attacker.example" }, 403},
		{"another host with the port", func(r *http.Request) { r.Host = "attacker.example:" + port(s) }, 403},
		{"the host without the port", func(r *http.Request) { r.Host = "127.0.0.1" }, 403},
		{"another port", func(r *http.Request) { r.Host = "127.0.0.1:1" }, 403},
		{"another origin", func(r *http.Request) { r.Header.Set("Origin", "http://attacker.example") }, 403},
		{"an origin on another port", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		{"an opaque origin", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"two origins", func(r *http.Request) { r.Header["Origin"] = []string{s.URL, "http://attacker.example"} }, 403},
		{"a cross-site request", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"a same-site request", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"} {
		for _, path := range paths {
			for _, c := range cases {
				r := s.request(method, path, nil)
				c.change(r)
				res := s.do(r)
				body, _ := io.ReadAll(res.Body)
				if res.StatusCode != c.status || len(res.Cookies()) != 0 || strings.Contains(string(body), "s3cret") {
					t.Errorf("%s: %s %s: %s, want %d; cookies %v", c.name, method, path, res.Status, c.status, res.Cookies())
				}
				checkHeaders(t, c.name+": "+method+" "+path, res)
			}
		}
	}
	for _, path := range paths { // and with it
		res := s.do(s.request("GET", path, nil))
		checkHeaders(t, path, res)
		if res.StatusCode == 401 || res.StatusCode == 403 {
			t.Errorf("with the cookie %s: %s", path, res.Status)
		}
	}
	if r := s.request("POST", "/thread?thread=t", url.Values{}); true {
		r.Header.Del("Origin")
		if res := s.do(r); res.StatusCode != 403 {
			t.Errorf("a POST without an origin: %s, want 403", res.Status)
		}
	}
	if res := s.do(s.request("PUT", "/", nil)); res.StatusCode != 405 {
		t.Errorf("PUT: %s, want 405", res.Status)
	}
}

// checkHeaders fails unless an answer has what keeps other pages and scripts out.
func checkHeaders(t *testing.T, what string, res *http.Response) {
	t.Helper()
	got := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s: the policy %q lacks %s", what, got, want)
		}
	}
	if strings.Contains(got, "unsafe") || strings.Contains(got, "data:") || strings.Contains(got, "blob:") {
		t.Errorf("%s: the policy %q allows what is not the page's own", what, got)
	}
	if res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: the type may be guessed", what)
	}
}

func port(s *site) string { u, _ := url.Parse(s.URL); return u.Port() }

// TestToken: only the first address has the token, and the cookie is another secret.
func TestToken(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	s.save("t", `1`, `2`)
	res := s.do(s.request("GET", "/?token="+token, nil))
	if res.StatusCode != 303 || res.Header.Get("Location") != "/" {
		t.Errorf("the first address: %s to %q, want 303 to /", res.Status, res.Header.Get("Location"))
	}
	if c := s.cookie; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Value == token || len(c.Value) < 26 {
		t.Errorf("the cookie is %v", c)
	}
	for _, elsewhere := range []string{"/thread?token=" + token, "/namespaces?token=" + token} {
		r := s.request("GET", elsewhere, nil)
		r.Header.Del("Cookie")
		if res := s.do(r); res.StatusCode != 401 {
			t.Errorf("the token on %s: %s, want 401", elsewhere, res.Status)
		}
	}
	for _, path := range paths {
		res := s.do(s.request("GET", path, nil))
		body, _ := io.ReadAll(res.Body)
		if strings.Contains(string(body), token) || strings.Contains(string(body), s.cookie.Value) {
			t.Errorf("%s shows a secret", path)
		}
	}
	other := open(t, nil, Options{})
	r := other.request("GET", "/", nil)
	r.Header.Set("Cookie", s.cookie.String())
	if res := other.do(r); res.StatusCode != 401 {
		t.Errorf("the cookie of another server: %s, want 401", res.Status)
	}
}

// TestReadOnly: without Write every POST is refused, and no page offers an action.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	s.save("t", `1`, `2`)
	post := regexp.MustCompile(`(?i)method="?post|href="/(restore|fork|edit|delete)`)
	for _, path := range paths {
		if res := s.do(s.request("POST", path, url.Values{"thread": {"t"}, "version": {"1"}})); res.StatusCode != 403 {
			t.Errorf("POST %s: %s, want 403", path, res.Status)
		}
		res := s.do(s.request("GET", path, nil))
		body, _ := io.ReadAll(res.Body)
		if asks := strings.HasPrefix(path, "/restore") || strings.HasPrefix(path, "/fork") || strings.HasPrefix(path, "/edit") || strings.HasPrefix(path, "/delete"); asks && res.StatusCode != 403 {
			t.Errorf("GET %s: %s, want 403", path, res.Status)
		}
		if post.Match(body) {
			t.Errorf("%s has a form that changes something", path)
		}
	}
	if info, err := s.store.Stat(t.Context(), "t"); err != nil || info.Version != 2 {
		t.Errorf("the thread is at version %d, %v; want 2", info.Version, err)
	}
}
