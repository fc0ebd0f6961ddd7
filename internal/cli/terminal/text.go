package terminal

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Quote returns s as it is when it is plain text, and as a Go string literal
// when it holds anything that a terminal would act on or a reader could not see:
// control characters, line ends, invisible characters, bytes that are not
// UTF-8, or white space at an end.
func Quote(s string) string {
	if s == "" || s[0] == '"' || strings.TrimSpace(s) != s || !printable(s) {
		return strconv.Quote(s)
	}
	return s
}

func printable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// Text returns lines of text with everything in them that a terminal would act
// on, or a reader could not see, written as an escape.
func Text(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		line, ended := strings.CutSuffix(line, "\n")
		if printable(line) {
			out.WriteString(line)
		} else {
			quoted := strconv.Quote(line)
			// What stood there is no literal: its quotes and backslashes stay.
			out.WriteString(strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1]))
		}
		if ended {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// JSON returns JSON text with every character that a terminal would act on, or a
// reader could not see, written as an escape. The text must be valid JSON, where
// such characters occur in strings alone.
func JSON(text []byte) []byte {
	clean := true
	for _, r := range string(text) {
		if r != '\n' && !strconv.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	for _, r := range string(text) {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || strconv.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff: // as the pair of surrogates that JSON wants
			r -= 0x10000
			out = appendEscape(out, 0xd800+r>>10)
			out = appendEscape(out, 0xdc00+r&0x3ff)
		default:
			out = appendEscape(out, r)
		}
	}
	return out
}

func appendEscape(out []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// TextWidth returns how many columns of a terminal s takes.
func TextWidth(s string) int { return uniseg.StringWidth(s) }

// Fit shortens s to at most width columns; what was cut is marked by '…'.
func Fit(s string, width int) string {
	if TextWidth(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	used, end := 0, 0
	for rest, state := s, -1; rest != ""; {
		cluster, next, columns, newState := uniseg.FirstGraphemeClusterInString(rest, state)
		if used+columns > width-1 {
			break
		}
		used += columns
		end += len(cluster)
		rest, state = next, newState
	}
	return s[:end] + "…"
}
