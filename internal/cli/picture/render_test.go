package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	t.Parallel()
	output := "\x1b[1mTitle\x1b[0m plain <b> & \x1b[32mgreen\x1b[0m\r\n\r\n\x1b[?25lhidden \x07bell\r\n\r\n\x1b[1m3. End\x1b[0m\r\nnot shown\r\n"
	got := string(render([]byte(output), 40, "3. "))
	for _, want := range []string{
		`<tspan font-weight="bold" fill="#ffffff">Title</tspan> plain &lt;b&gt; &amp; <tspan fill="#7ee787">green</tspan></text>`,
		`>hidden bell</text>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture lacks %s:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "<text"); n != 2 || strings.Contains(got, "shown") || strings.ContainsAny(got, "\x1b\x07") {
		t.Errorf("the picture has %d lines of text, want 2, and none behind the end:\n%s", n, got)
	}
	for d := xml.NewDecoder(strings.NewReader(got)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
}
