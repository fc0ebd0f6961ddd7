// Package terminal writes for people: tables that fit the window, and text of
// unknown origin that cannot take the terminal over.
package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// DefaultWidth is the width of a terminal that does not tell it.
const DefaultWidth = 80

// Width returns the columns of the terminal that w writes to, and false when w
// is a file, a pipe or anything else.
func Width(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 {
		columns = DefaultWidth
	}
	return columns, true
}

// A Style wraps text into the escape sequences of a colour. The zero value
// leaves text as it is.
type Style struct{ on bool }

// StyleFor returns a style that colours on a terminal, unless the environment
// asks for none (NO_COLOR, or TERM=dumb).
func StyleFor(w io.Writer, getenv func(string) string) Style {
	_, isTerminal := Width(w)
	return Style{isTerminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

func (s Style) wrap(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for headings.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Dim is for what matters less.
func (s Style) Dim(text string) string { return s.wrap("2", text) }

// Red is for what failed and what was removed.
func (s Style) Red(text string) string { return s.wrap("31", text) }

// Green is for what went well and what was added.
func (s Style) Green(text string) string { return s.wrap("32", text) }

// Yellow is for what was changed and what wants attention.
func (s Style) Yellow(text string) string { return s.wrap("33", text) }

// Cyan is for what a reader may type.
func (s Style) Cyan(text string) string { return s.wrap("36", text) }
