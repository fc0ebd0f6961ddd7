package browser

import (
	_ "embed"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/go-ckpt/checkpoint"
)

//go:embed accessible.js
var accessible string

// accessible fails if the page lacks what people need who do not see it, or badly.
func (b *browser) accessible() {
	b.Helper()
	if wrong := b.evaluate(accessible); wrong != "" {
		b.Errorf("%s:\n%s", b.evaluate("location.href"), wrong)
	}
}

const thread = "customer/42 – order <b>#7</b>"

// fill saves what the pages show: a conversation that goes wrong and is put right.
func fill(t testing.TB, address string) *checkpoint.Store {
	t.Helper()
	store, err := checkpoint.OpenURL(address, checkpoint.WithHistory(checkpoint.KeepAll))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	type message struct {
		Role string `json:"role"`
		Text string `json:"text"`
	}
	type state struct {
		Messages []message      `json:"messages"`
		Plan     []string       `json:"plan"`
		Step     int            `json:"step"`
		Files    map[string]any `json:"files"`
	}
	texts := []string{"Where is my order?", "I look it up: order 7, sent on Monday.", "It has not come.", "I ask the carrier.",
		"The carrier has lost it.", "<script>alert('refund')</script>", "A new one is on its way.", "Thank you!"}
	s := state{Plan: []string{"greet", "look up the order", "answer"}, Files: map[string]any{"notes.md": "# Order 7\n- sent\n"}}
	for i, text := range texts {
		s.Messages = append(s.Messages, message{[]string{"user", "agent"}[i%2], text})
		s.Step = i + 1
		if i == 4 {
			s.Plan = append(s.Plan[:2:2], "ask the carrier", "send another", "answer")
			s.Files["carrier.md"] = strings.Repeat("lost in transit\n", 8)
		}
		if _, err := store.Save(t.Context(), thread, s, checkpoint.Metadata(map[string]string{"agent": "support", "step": fmt.Sprint(i + 1)})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Restore(t.Context(), thread, 5); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Fork(t.Context(), thread, 3, "customer/42 what if"); err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		if _, err := store.Save(t.Context(), fmt.Sprintf("nightly/%03d", i), map[string]int{"n": i}, checkpoint.ExpiresIn(26*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Namespace("staging").Save(t.Context(), "trial", "x"); err != nil {
		t.Fatal(err)
	}
	return store
}

func about(thread string) string { return "thread=" + url.QueryEscape(thread) }

// TestPage goes through every page and action as a person does.
func TestPage(t *testing.T) {
	for name, newURL := range stores {
		t.Run(name, func(t *testing.T) {
			address := newURL(t)
			store := fill(t, address)
			b := newBrowser(t)
			b.serve(address, "--write")
			b.look()
			b.find()
			b.act(store)
			b.follow(store)
			b.clean()
		})
	}
}

// look goes from the threads to a state and a difference, by links alone.
func (b *browser) look() {
	b.Helper()
	b.wants(thread, "customer/42 what if", "nightly/000")
	b.click("a[rel=next]")
	b.wants("nightly/119", "First page")
	b.open("/namespaces")
	b.click(`main a[href="/?ns=staging"]`)
	b.wants("trial")
	b.open("/")
	b.click("tbody tr:nth-child(1) a")
	b.wants("customer/42 what if")
	b.open("/?prefix=customer%2F42+%E2%80%93")
	b.click("tbody a")
	if n := b.evaluate("document.querySelectorAll('rect.bar').length"); n != "9" {
		b.Errorf("the time line has %s bars, want 9", n)
	}
	b.wants("restored_from=5", "agent=support")
	b.screenshot("ui-thread")
	b.click("svg a:nth-of-type(6)")
	b.wants("State at version 6", "4 members, ")
	b.screenshot("ui-state")
	if b.evaluate("document.querySelectorAll('script').length") != "1" || !strings.Contains(b.evaluate("document.querySelector('.tree').textContent"), "<script>alert('refund')</script>") {
		b.Error("a text of the state is not shown as text")
	}
	b.click("a[rel=prev]")
	b.wants("State at version 5")
	b.open("/diff?from=4&to=5&" + about(thread))
	b.wants(".plan[2]", "ask the carrier", ".step")
	b.screenshot("ui-diff")
}

// find searches, folds, copies and moves by keys.
func (b *browser) find() {
	b.Helper()
	b.open("/")
	b.run(chromedp.KeyEvent("/"))
	if id := b.evaluate("document.activeElement.id"); id != "prefix" {
		b.Fatalf("the key / goes to %q, want the search", id)
	}
	b.run(chromedp.SetValue(chromedp.CSS("#prefix"), "nightly/11"))
	b.leave(chromedp.KeyEvent(kb.Enter))
	b.wants("nightly/110", "nightly/119")
	b.open("/state?version=6&" + about(thread))
	open := "String([...document.querySelectorAll('.tree ul details')].map((d) => d.open).join())"
	b.run(chromedp.Click(chromedp.CSS("[data-fold='']")))
	if got := b.evaluate(open); strings.Contains(got, "true") {
		b.Errorf("after folding all: %s", got)
	}
	b.run(chromedp.Focus(chromedp.CSS(".tree ul summary")), chromedp.KeyEvent(" "))
	if got := b.evaluate(open); !strings.HasPrefix(got, "true,false") {
		b.Errorf("after a key on the first: %s", got)
	}
	if style := b.evaluate("getComputedStyle(document.activeElement).outlineStyle"); style != "solid" {
		b.Errorf("the focus is shown by an outline that is %s", style)
	}
	b.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
	b.run(chromedp.Click(chromedp.CSS("[data-copy]")))
	b.until("window.copied")
	if got := b.evaluate("JSON.parse(window.copied).step"); got != "6" {
		b.Errorf("copied the state with step %s", got)
	}
	b.evaluate("window.copied = ''")
	b.evaluate("[...document.querySelectorAll('.tree summary')].find((s) => s.innerText.startsWith('messages')).focus()")
	b.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	b.until("window.copied")
	if got := b.evaluate("JSON.parse(window.copied).length"); got != "6" {
		b.Errorf("copied %s messages, want 6: %s", got, b.evaluate("window.copied"))
	}
	b.run(chromedp.SetValue(chromedp.CSS("#q"), "CARRIER"))
	b.click("main form button")
	b.wants("files › carrier.md", "plan[2]")
	b.click("ol.list a")
	b.wants("State at version 6", "Whole state")
}

// act restores, forks, edits and deletes.
func (b *browser) act(store *checkpoint.Store) {
	b.Helper()
	b.open("/thread?" + about(thread))
	b.click("a[aria-label='Restore version 8']")
	b.wants("Restore version 8?")
	b.click("main form button")
	b.wants("Version 8 was restored: it is saved as version 10.")
	b.click("a[aria-label='Fork version 2']")
	b.run(chromedp.SendKeys(chromedp.CSS("#new"), "customer/42 again"))
	b.click("main form button")
	b.wants("This thread was made from version 2 of the other one.")
	b.click("a[href^='/edit']")
	stale := b.evaluate("location.pathname + location.search")
	b.run(chromedp.SetValue(chromedp.CSS("#state"), `{"step": 99}`))
	b.click("main form button")
	b.wants("What you wrote is saved as version 2.")
	b.open(stale)
	if _, err := store.Save(b.Context(), "customer/42 again", "meanwhile"); err != nil {
		b.Fatal(err)
	}
	b.run(chromedp.SetValue(chromedp.CSS("#state"), `{"step": 100}`))
	b.refused("main form button")
	b.wants("conflict", "what you wrote is below")
	b.open("/thread?" + about("customer/42 again"))
	b.click("a[href^='/delete']")
	b.wants("This cannot be undone")
	b.click("main form button")
	b.wants("The thread customer/42 again was deleted.")
}

// refused is a click whose answer is a refusal, of which the browser's console tells.
func (b *browser) refused(selector string) {
	b.Helper()
	b.click(selector)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, text := range b.errors {
		if strings.Contains(text, "409") {
			b.errors = append(b.errors[:i], b.errors[i+1:]...)
			return
		}
	}
}

// follow watches a log grow.
func (b *browser) follow(store *checkpoint.Store) {
	b.Helper()
	b.open("/log?" + about(thread))
	b.wants("Version 1", "Version 10")
	b.run(chromedp.Click(chromedp.CSS("#follow")))
	if _, err := store.Save(b.Context(), thread, map[string]string{"event": "it has arrived"}); err != nil {
		b.Fatal(err)
	}
	b.until("document.querySelector('#log').innerText.includes('it has arrived')")
	b.accessible()
}

// TestReading: without script everything can be read, read only and in the dark, on a
// narrow screen.
func TestReading(t *testing.T) {
	address := stores["sqlite"](t)
	fill(t, address)
	b := newBrowser(t)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	b.run(chromedp.EmulateViewport(360, 640))
	b.serve(address)
	for _, path := range []string{"/", "/namespaces", "/thread?" + about(thread), "/state?" + about(thread), "/state?q=order&" + about(thread),
		"/diff?" + about(thread), "/log?" + about(thread), "/thread?thread=none"} {
		b.open(path)
		if wide := b.evaluate("document.documentElement.scrollWidth"); wide != "360" {
			b.Errorf("%s is %s wide on a screen of 360", path, wide)
		}
		if n := b.evaluate("document.querySelectorAll('form[method=post], a[href^=\"/edit\"], a[href^=\"/delete\"], a[href^=\"/restore\"]').length"); n != "0" {
			b.Errorf("%s offers actions", path)
		}
	}
	b.open("/")
	b.run(chromedp.SetValue(chromedp.CSS("#prefix"), "nightly/00"))
	b.click("main form button")
	b.wants("nightly/009")
	b.open("/thread?" + about(thread))
	b.run(chromedp.SetValue(chromedp.CSS("#from"), "1"))
	b.click("main form button")
	b.wants("What changed", ".messages[1]")
	b.screenshot("ui-narrow")
	b.open("/state?" + about(thread))
	if b.evaluate("[...document.querySelectorAll('button, label')].filter((e) => e.checkVisibility() && !e.closest('form')).length") != "0" {
		b.Error("a button that needs script is shown without it")
	}
}
