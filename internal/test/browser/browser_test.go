package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/go-ckpt/checkpoint/cli"
	_ "github.com/go-ckpt/checkpoint/internal/cli/builtin"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

var screenshots = flag.String("screenshots", "", "write pictures of the pages into this `folder`")

func TestMain(m *testing.M) { testserver.Main(m) }

// stores give the URL of an empty store.
var stores = map[string]func(testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "store.db") },
	"postgres": testserver.Postgres,
	"redis":    testserver.Redis,
}

// A browser is one page of a chromium of its own.
type browser struct {
	testing.TB
	ctx    context.Context
	origin string // of the page under test

	mu        sync.Mutex
	elsewhere []string // requests to anywhere else
	errors    []string // of the console: what the policy refused, too
}

// newBrowser starts chromium.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CHECKPOINT_TEST_REQUIRE") != "" {
			t.Fatal("chromium is not installed (Debian: chromium)")
		}
		t.Skip("chromium is not installed (Debian: chromium)")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{TB: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	b.run(chromedp.EmulateViewport(1200, 800))
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || b.origin != "" && u.Scheme+"://"+u.Host != b.origin {
			b.elsewhere = append(b.elsewhere, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.URL, "favicon") {
			b.errors = append(b.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// clean fails if the page asked for anything elsewhere, or script or policy complained.
func (b *browser) clean() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, address := range b.elsewhere {
		b.Errorf("the page asked for %s", address)
	}
	for _, text := range b.errors {
		b.Errorf("the console has: %s", text)
	}
}

// run does one thing after another, each within a minute.
func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// call calls a command of the browser's protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// serve starts "checkpoint ui" for a store and opens its page.
func (b *browser) serve(store string, args ...string) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	out, in := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cli.Run(ctx, append([]string{"ui", "--json", "--store", store}, args...), strings.NewReader(""), in, io.Discard)
		in.Close()
	}()
	b.Cleanup(func() { cancel(); <-ended })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var started struct{ URL string }
	if err != nil || json.Unmarshal(line, &started) != nil {
		b.Fatalf("checkpoint ui printed %q, %v", line, err)
	}
	u, err := url.Parse(started.URL)
	if err != nil {
		b.Fatal(err)
	}
	b.origin = u.Scheme + "://" + u.Host
	b.run(chromedp.Navigate(started.URL), chromedp.WaitReady(chromedp.CSS("main")))
	if at := b.evaluate("location.href"); at != b.origin+"/" {
		b.Fatalf("the first address leads to %s, want the page without the token", at)
	}
}

// evaluate returns what script in the page has as text.
func (b *browser) evaluate(script string) string {
	b.Helper()
	result, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+script+")"))
	if err != nil {
		b.Fatalf("%s: %v", script, err)
	}
	return result
}

// open goes to a path of the page.
func (b *browser) open(path string) {
	b.Helper()
	b.leave(chromedp.Navigate(b.origin + path))
}

// click follows a link or sends a form, and waits for the page that it leads to.
func (b *browser) click(selector string) {
	b.Helper()
	if b.evaluate("!!document.querySelector("+quote(selector)+")") != "true" {
		b.Fatalf("no %s on %s:\n%s", selector, b.evaluate("location.href"), b.text())
	}
	b.leave(chromedp.Click(chromedp.CSS(selector)))
}

// leave does what leads to another page, and waits for that.
func (b *browser) leave(action chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.evaluate("window.left = true")
	b.run(action)
	const there = "!window.left && document.readyState === 'complete' && !!document.querySelector('main')"
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		arrived, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](there)) // an error while pages change
		if err == nil && arrived {
			break
		}
		if time.Now().After(end) {
			b.Fatalf("no other page after %v: %v\n%s", time.Minute, err, b.text())
		}
	}
	b.accessible()
}

// text is what a person reads on the page.
func (b *browser) text() string {
	b.Helper()
	return b.evaluate("document.querySelector('main').innerText")
}

// wants fails unless the page says each of the texts.
func (b *browser) wants(texts ...string) {
	b.Helper()
	got := b.text()
	for _, want := range texts {
		if !strings.Contains(got, want) {
			b.Fatalf("the page %s lacks %q:\n%s", b.evaluate("location.href"), want, got)
		}
	}
}

// until waits for script to become true.
func (b *browser) until(script string) {
	b.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("!!("+script+")", chromedp.WithPollingTimeout(time.Minute))); err != nil {
		b.Fatalf("waiting for %s: %v\n%s", script, err, b.text())
	}
}

func quote(s string) string { q, _ := json.Marshal(s); return string(q) }

// screenshot writes a picture of the page, if pictures are asked for.
func (b *browser) screenshot(name string) {
	b.Helper()
	if *screenshots == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o644); err != nil {
		b.Fatal(err)
	}
}
