package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"iter"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

const attack = `"'><script>alert(1)</script><img src=x onerror=alert(2)></textarea></title>{{.}}javascript:alert(3)`

// markup finds what only our own templates may write.
var (
	markup = regexp.MustCompile(`<script|<img|<iframe|<style|<base|<object|<[^>]*\s(on[a-z]+|style)=`)
	quoted = regexp.MustCompile(`"[^"]*"`) // of attributes: in texts quotes are escaped
)

// ours is the one script of every page.
const ours = `<script src="/script.js" defer></script>`

// TestHostile: names, states and metadata are text, whatever is in them.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{Write: true})
	names := []string{attack, "../x", "/", "?", "#", "a&b=c", "%2e%2e%2f", "a\nb", " a ", "\u202egnp", "%", "+", "a+b", `\`,
		strings.Repeat("😀", 128), "javascript:alert(1)", "{{.}}", "-->", "]]>", "\x01\x1f", "a\r\nb"}
	for _, name := range names {
		state, err := json.Marshal(map[string]any{attack: []any{attack, map[string]string{"k": attack}}, "n": name})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := s.store.Save(t.Context(), name, json.RawMessage(state), checkpoint.Metadata(map[string]string{attack: attack, "restored_from": attack, "forked_from": attack})); err != nil {
				t.Fatal(err)
			}
			state = []byte(`{"changed":` + string(state) + `}`)
		}
	}
	links := regexp.MustCompile(`href="([^"]*)"`)
	seen, queue := map[string]bool{}, []string{"/"}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		res := s.do(s.request("GET", path, nil))
		var body bytes.Buffer
		body.ReadFrom(res.Body)
		page := body.String()
		if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			if found := markup.FindString(quoted.ReplaceAllString(strings.Replace(page, ours, "", 1), `""`)); found != "" {
				t.Fatalf("%s has %q of a name or a state", path, found)
			}
			for _, m := range links.FindAllStringSubmatch(page, -1) {
				link := html.UnescapeString(m[1])
				if !strings.HasPrefix(link, "/") && link != "#main" {
					t.Errorf("%s links to %s", path, link)
				} else if !seen[link] && link != "#main" {
					seen[link] = true
					queue = append(queue, link)
				}
			}
		}
		if res.StatusCode != 200 && !strings.Contains(path, "version=3") {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, name := range names {
		if link := "/thread?" + (url.Values{"ns": {"agents"}, "thread": {name}}).Encode(); !seen[link] {
			t.Errorf("no page links to the thread %q", name)
		}
		s.get("/diff?from=1&to=2&quoted="+url.QueryEscape(url.QueryEscape(name)), 200)
	}
	if len(seen) < 5*len(names) {
		t.Errorf("followed %d links, fewer than there are", len(seen))
	}
}

// TestLargeStates: a page is bounded, however large and of whatever shape a state is,
// and links to the rest.
func TestLargeStates(t *testing.T) {
	t.Parallel()
	const large = 5 << 20
	states := map[string]string{
		"quotes":        `{"a":"` + strings.Repeat(`\"`, large/2) + `"}`,
		"small values":  `[1` + strings.Repeat(",1", large/2) + `]`,
		"many members":  `{"m":{` + manyMembers(large) + `},"last":"seen"}`,
		"messages":      `{"messages":[{}` + strings.Repeat(`,{"role":"user","text":"`+strings.Repeat("a\\n", 700)+`"}`, large/2200) + `],"last":"seen"}`,
		"nested":        strings.Repeat(`[`, 900) + `"` + strings.Repeat("x", large) + `"` + strings.Repeat(`]`, 900),
		"a long number": `[1` + strings.Repeat("0", 100_000) + `]`,
		"names":         `{"` + strings.Repeat("k", large) + `":1}`,
	}
	next := regexp.MustCompile(`href="(/state\?(?:at|element)=[^"]*)"`)
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil, Options{limit: time.Minute}) // the machine may be busy
			s.save("t", state, state[:len(state)-1]+" "+state[len(state)-1:])
			for _, path := range []string{"/state?thread=t&q=x", "/diff?thread=t"} {
				page := s.get(path, 200)
				if len(page) > 4<<20 {
					t.Errorf("%s has %d bytes", path, len(page))
				}
			}
			page := s.get("/state?thread=t", 200)
			if len(page) > 4<<20 {
				t.Errorf("the state's page has %d bytes", len(page))
			}
			if strings.Contains(state, "seen") {
				s.wants(page, ">seen<")
			}
			m := next.FindStringSubmatch(page)
			if m == nil && name != "a long number" && name != "names" {
				t.Fatalf("no link to the rest")
			}
			if m != nil {
				if page := s.get(html.UnescapeString(m[1]), 200); len(page) > 4<<20 {
					t.Errorf("%s has %d bytes", m[1], len(page))
				}
			}
			if name == "messages" && s.get("/raw?thread=t&version=1", 200) != state {
				t.Error("the download is not the state")
			}
		})
	}
}

func manyMembers(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"file-%d.md":"text"`, i)
	}
	return b.String()
}

// A hanging backend never answers, whatever becomes of the context.
type hanging struct {
	driver.Backend
	context bool // unless it listens to it
	stop    chan struct{}
}

func (h hanging) Ping(ctx context.Context) error {
	if h.context {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.stop:
		}
	}
	<-h.stop
	return driver.ErrUnavailable
}

func (hanging) Close() error { return nil }

func (hanging) Namespaces(context.Context) iter.Seq2[string, error] { return nil }

// TestHangingStore: every page answers in time with an error that says so, whether the
// driver listens to its context or not, also when many wait.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	if answered >= 3*time.Second {
		t.Errorf("requests are answered within %v, want less than 3 s", answered)
	}
	for _, listens := range []bool{true, false} {
		t.Run(fmt.Sprintf("listens=%v", listens), func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			s := open(t, checkpoint.New(hanging{context: listens, stop: stop}), Options{limit: 60 * time.Millisecond})
			t.Cleanup(func() { close(stop) }) // before the server waits for what is under way
			var asked sync.WaitGroup
			for range lightPages + heavyPages {
				for _, path := range []string{"/", "/namespaces", "/thread?thread=t", "/state?thread=t", "/raw?thread=t", "/diff?thread=t"} {
					asked.Go(func() {
						res, err := s.Client().Do(s.request("GET", path, nil))
						if err != nil {
							t.Error(err)
							return
						}
						defer res.Body.Close()
						body, _ := io.ReadAll(res.Body)
						if res.StatusCode < 500 || !strings.Contains(string(body), "try again") {
							t.Errorf("%s: %s\n%s", path, res.Status, body)
						}
					})
				}
			}
			asked.Wait()
			s.get("/style.css", 200)
		})
	}
}
