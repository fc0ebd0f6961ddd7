package ui

import (
	"errors"
	"html"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
)

var formAction = regexp.MustCompile(`<form[^>]* method="post" action="([^"]*)"`)

// submit sends the form of a page with what a person enters, and returns where that
// leads: the address and the page.
func (s *site) submit(page string, entered url.Values, status int) (location, result string) {
	s.Helper()
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		s.Fatalf("no form in %s", page)
	}
	res := s.do(s.request("POST", html.UnescapeString(m[1]), entered))
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != status {
		s.Fatalf("POST %s: %s, want %d\n%s", m[1], res.Status, status, cut(string(body), 2_000))
	}
	if location = res.Header.Get("Location"); location == "" {
		return "", string(body)
	}
	return location, s.get(location, 200)
}

func TestActions(t *testing.T) {
	t.Parallel()
	for _, thread := range []string{"t", attack, "a\nb", "../x"} {
		s := open(t, nil, Options{Write: true})
		s.save(thread, `{"step":1}`, `{"step":2}`)
		about := "thread=" + url.QueryEscape(thread)

		question := s.get("/restore?version=1&"+about, 200)
		s.wants(question, "Restore version 1?", "version 2")
		if info, err := s.store.Stat(t.Context(), thread); err != nil || info.Version != 2 {
			t.Fatalf("the question saved: version %d, %v", info.Version, err)
		}
		_, page := s.submit(question, url.Values{}, 303)
		s.wants(page, "Version 1 was restored: it is saved as version 3.")

		_, page = s.submit(s.get("/fork?version=2&"+about, 200), url.Values{"new": {"new " + thread}}, 303)
		s.wants(page, "made from version 2")
		var state map[string]any
		if _, err := s.store.Load(t.Context(), "new "+thread, &state); err != nil || state["step"] != 2.0 {
			t.Errorf("the fork has %v, %v", state, err)
		}
		_, page = s.submit(s.get("/fork?version=2&"+about, 200), url.Values{"new": {"new " + thread}}, 409)
		s.wants(page, "exists already")
		_, page = s.submit(s.get("/fork?version=2&"+about, 200), url.Values{"new": {""}}, 400)
		s.wants(page, "invalid")

		form := s.get("/edit?"+about, 200)
		s.wants(form, "&#34;step&#34;: 1")
		_, page = s.submit(form, url.Values{"state": {"{\"step\": 4,\r\n \"n\": 1e400}"}}, 303)
		s.wants(page, "What you wrote is saved as version 4.")
		if got := s.get("/raw?"+about, 200); got != `{"step":4,"n":1e400}` {
			t.Errorf("saved %s", got)
		}

		location, page := s.submit(s.get("/delete?"+about, 200), url.Values{}, 303)
		s.wants(page, "was deleted")
		if _, err := s.store.Stat(t.Context(), thread); !errors.Is(err, checkpoint.ErrNotFound) || !strings.HasPrefix(location, "/?") {
			t.Errorf("after the deletion: %v, at %s", err, location)
		}
	}
}

// TestActionsOnConditions: what was changed since it was shown is neither overwritten
// nor deleted, and what a person wrote is not lost.
func TestActionsOnConditions(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{Write: true})
	s.save("t", `{"step":1}`)
	form, question := s.get("/edit?thread=t", 200), s.get("/delete?thread=t", 200)
	_, page := s.submit(form, url.Values{"state": {"{\"step\":\n bad"}}, 400)
	s.wants(page, "see line 2", " bad</textarea>")
	s.save("t", `{"step":2}`)
	_, page = s.submit(form, url.Values{"state": {`{"step":"<mine>"}`}}, 409)
	s.wants(page, "conflict", "&lt;mine&gt;", "version 1 still is the latest")
	s.submit(question, url.Values{}, 409)
	s.submit(s.get("/restore?thread=t&version=7", 200), url.Values{}, 404)
	if info, err := s.store.Stat(t.Context(), "t"); err != nil || info.Version != 2 {
		t.Errorf("the thread is at version %d, %v; want 2", info.Version, err)
	}
	s.save("large", `"`+strings.Repeat("x", mostEdited)+`"`)
	s.wants(s.get("/edit?thread=large", 413), "checkpoint edit")
	if res := s.do(s.request("POST", "/edit?thread=t", url.Values{"state": {strings.Repeat("x", maxForm)}})); res.StatusCode != 413 {
		t.Errorf("a form that is too large: %s, want 413", res.Status)
	}
}

// TestActionsKeep: a save of the page keeps what a thread has: its metadata when it is
// edited, and how long it lives.
func TestActionsKeep(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{Write: true})
	meta := map[string]string{"author": "ops"}
	for range 2 {
		if _, err := s.store.Save(t.Context(), "t", 1, checkpoint.ExpiresIn(time.Hour), checkpoint.Metadata(meta)); err != nil {
			t.Fatal(err)
		}
	}
	s.submit(s.get("/edit?thread=t", 200), url.Values{"state": {"2"}}, 303)
	edited, err := s.store.Stat(t.Context(), "t")
	if err != nil || edited.Metadata["author"] != "ops" || edited.ExpiresAt.Sub(edited.SavedAt) != time.Hour {
		t.Errorf("edited: %v, lives for %v, %v", edited.Metadata, edited.ExpiresAt.Sub(edited.SavedAt), err)
	}
	s.submit(s.get("/restore?thread=t&version=1", 200), url.Values{}, 303)
	s.submit(s.get("/fork?thread=t&version=1", 200), url.Values{"new": {"f"}}, 303)
	for _, thread := range []string{"t", "f"} {
		if info, err := s.store.Stat(t.Context(), thread); err != nil || info.ExpiresAt.Sub(info.SavedAt) != time.Hour {
			t.Errorf("%s lives for %v, %v", thread, info.ExpiresAt.Sub(info.SavedAt), err)
		}
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	s := open(t, nil, Options{})
	for range mostEvents + 1 {
		s.save("t", `{"event":"<b>"}`)
	}
	page := s.get("/log?thread=t", 200)
	s.wants(page, "Version 2<", "Version 51<", "to=1\"", `data-after="51"`, "&lt;b&gt;")
	if strings.Contains(page, "Version 1<") {
		t.Error("the page has more than its events")
	}
	s.wants(s.get("/log?thread=t&to=1", 200), "Version 1<", "Newest events")
	s.wants(s.get("/log?thread=none", 404), "not found")

	life := regexp.MustCompile(`data-life="(\d+)"`)
	tail := func(after string) string {
		return "/tail?thread=t&after=" + after + "&life=" + life.FindStringSubmatch(page)[1]
	}
	if got := s.get(tail("51"), 200); strings.Contains(got, "<li") {
		t.Errorf("the tail has %s", got)
	}
	s.save("t", `"new"`)
	if got := s.get(tail("51"), 200); !strings.Contains(got, "Version 52<") || !strings.Contains(got, `data-after="52"`) || strings.Contains(got, "<main") {
		t.Errorf("the tail has %s", got)
	}
	if err := s.store.Delete(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	s.get(tail("52"), 404)
	s.save("t", `"again"`)
	if got := s.get(tail("52"), 200); !strings.Contains(got, "has begun again") || !strings.Contains(got, "Version 1<") {
		t.Errorf("the tail has %s", got)
	}
}
