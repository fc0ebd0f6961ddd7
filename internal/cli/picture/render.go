package main

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
)

// The picture's measures, in its own units.
const (
	fontSize   = 14
	charWidth  = 8.43 // of a monospaced font of that size
	lineHeight = 20
	margin     = 18
	titleBar   = 34
)

// styles are what the escape sequences of a colour become.
var styles = map[string]string{
	"1":  `font-weight="bold" fill="#ffffff"`,
	"2":  `fill="#8b949e"`,
	"31": `fill="#ff7b72"`,
	"32": `fill="#7ee787"`,
	"33": `fill="#e3b341"`,
	"36": `fill="#79c0ff"`,
}

// sequence is an escape sequence; the first group is that of a colour.
var sequence = regexp.MustCompile(`\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-z]`)

// render draws the output of a terminal, up to a line that begins with until, as an
// SVG that needs nothing but a monospaced font.
func render(output []byte, columns int, until string) []byte {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimRight(strings.ReplaceAll(string(output), "\r\n", "\n"), "\n"), "\n") {
		if until != "" && strings.HasPrefix(sequence.ReplaceAllString(line, ""), until) {
			break
		}
		lines = append(lines, line)
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	width := int(float64(columns)*charWidth) + 2*margin
	height := titleBar + len(lines)*lineHeight + margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="The output of a command on a terminal">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#0d1117"/>`+"\n", width, height)
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="6" fill="%s"/>`+"\n", margin+4+i*20, colour)
	}
	fmt.Fprintf(&b, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="%d" fill="#e6edf3">`+"\n", fontSize)
	for i, line := range lines {
		if line = spans(line); line != "" {
			fmt.Fprintf(&b, `<text x="%d" y="%d" xml:space="preserve">%s</text>`+"\n", margin, titleBar+(i+1)*lineHeight-5, line)
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// spans returns a line's text with its colours; what else acts on a terminal is left
// out.
func spans(line string) string {
	var b strings.Builder
	style := ""
	write := func(text string) {
		text = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, text)
		switch {
		case text == "":
		case style == "":
			b.WriteString(html.EscapeString(text))
		default:
			fmt.Fprintf(&b, "<tspan %s>%s</tspan>", style, html.EscapeString(text))
		}
	}
	at := 0
	for _, m := range sequence.FindAllStringSubmatchIndex(line, -1) {
		write(line[at:m[0]])
		at = m[1]
		if m[2] >= 0 {
			style = styles[line[m[2]:m[3]]]
		}
	}
	write(line[at:])
	return b.String()
}
