package ui

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/jsondiff"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// A diffPage is what changed between two versions, the old one on the left.
type diffPage struct {
	Quoted   string // the thread, as a form carries it: browsers change the line ends of what it holds
	From, To int64
	Old, New string // what is known of each
	OldURL   string
	NewURL   string
	Problem  string // why there is nothing to compare
	Same     bool
	Changes  []change
	More     int // changes that are not shown
}

// A change is one row.
type change struct {
	Op, Sign, Path, From string
	Old, New             string
}

// What a page shows of a difference.
const (
	mostChanges = 1_000
	valueSize   = 2_000     // bytes of a value
	diffSize    = 1_500_000 // bytes of HTML, about
	mostValues  = 400_000   // in both states, which take some 150 bytes each
)

var signs = map[jsondiff.Op]string{jsondiff.Add: "+", jsondiff.Remove: "−", jsondiff.Replace: "~", jsondiff.Move: ">"}

func (*server) diff(ctx context.Context, req *request) (answer, error) {
	name := req.name
	page := diffPage{Quoted: url.QueryEscape(name)}
	var err error
	if page.From, err = req.number("from"); err != nil {
		return answer{}, err
	}
	if page.To, err = req.number("to"); err != nil {
		return answer{}, err
	}
	old, new, err := req.loadBoth(ctx, name, page.From, page.To)
	if err != nil {
		return answer{}, err
	}
	page.From, page.To = old.Info.Version, new.Info.Version
	page.Old, page.New = describe(old.Info), describe(new.Info)
	page.OldURL, page.NewURL = req.stateURL(name, page.From), req.stateURL(name, page.To)
	if !old.IsJSON || !new.IsJSON {
		page.Problem = fmt.Sprintf("A difference is of JSON, and these states are encoded as %s and %s.",
			terminal.Quote(old.Info.Encoding), terminal.Quote(new.Info.Encoding))
	} else if values(old.Data)+values(new.Data) > mostValues {
		page.Problem = "These states have too many values to compare on a page; checkpoint diff does."
	} else if err := page.compare(old.Data, new.Data); err != nil {
		return answer{}, err
	}
	title := fmt.Sprintf("%s, version %d → %d", terminal.Quote(name), page.From, page.To)
	return req.render("diff", frame{Title: title, Thread: name, Links: req.way(name)}, page)
}

// loadBoth loads two versions of a thread: without to the latest, and without from
// the one before that.
func (req *request) loadBoth(ctx context.Context, name string, from, to int64) (old, new anystate.State, err error) {
	if new, err = anystate.Load(ctx, req.view, name, to); err != nil {
		return old, new, err
	}
	if from == 0 {
		if from = new.Info.Version - 1; from == 0 {
			return old, new, fmt.Errorf("the thread has version 1 alone: one to compare it with is %w", checkpoint.ErrNotFound)
		}
	}
	old, err = anystate.Load(ctx, req.view, name, from)
	return old, new, err
}

func describe(info checkpoint.Info) string {
	return fmt.Sprintf("version %d, %s", info.Version, human.Time(info.SavedAt))
}

func (page *diffPage) compare(old, new []byte) error {
	changes, err := jsondiff.Compare(old, new)
	if err != nil {
		return fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	page.Same = len(changes) == 0
	size := 0
	for i, c := range changes {
		row := change{Op: string(c.Op), Sign: signs[c.Op], Path: cut(terminal.Quote(c.Path), valueSize)}
		if c.From != "" {
			row.From = cut(terminal.Quote(c.From), valueSize)
		}
		if c.Count > 1 {
			row.Path += fmt.Sprintf(" (%d elements)", c.Count)
		}
		row.Old, row.New = excerpts(text(c.Old), text(c.New))
		size += 200 + escapedSize(row.Path) + escapedSize(row.From) + escapedSize(row.Old) + escapedSize(row.New)
		if i == mostChanges || size > diffSize {
			page.More = len(changes) - i
			break
		}
		page.Changes = append(page.Changes, row)
	}
	return nil
}

// values returns about how many values a state has, and never less.
func values(data []byte) int {
	return 1 + bytes.Count(data, []byte(",")) + bytes.Count(data, []byte("[")) + bytes.Count(data, []byte("{"))
}

// text is a value of a state as text that can be seen.
func text(value []byte) string {
	switch {
	case len(value) == 0:
		return ""
	case value[0] == '"' && len(value) > 2: // an empty string keeps its quotes
		return stringOf(value)
	}
	return string(terminal.JSON(value))
}

// excerpts cuts two values to what fits, from a little before where they differ if
// both are there.
func excerpts(old, new string) (string, string) {
	const context = 80 // bytes before the difference
	if len(old) > valueSize || len(new) > valueSize {
		same := 0
		for same < len(old) && same < len(new) && old[same] == new[same] {
			same++
		}
		if same > context {
			at := same - context
			for at > 0 && !utf8.RuneStart(old[at]) {
				at--
			}
			old, new = "…"+old[at:], "…"+new[at:]
		}
	}
	return strings.TrimSpace(cut(old, valueSize)), strings.TrimSpace(cut(new, valueSize))
}
