package ui

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/url"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// pageLength is how many threads, versions and namespaces a page shows.
const pageLength = 100

// A threadsPage is one page of threads, in the order of their names.
type threadsPage struct {
	Prefix  string
	After   string
	Rows    template.HTML // of the table, see writeRow
	First   string        // the address of the first page, or ""
	Next    string        // of the next page, or ""
	Deleted string        // the thread that was just deleted, or ""
}

// writeRow writes a row of the table, with what html/template escapes texts by: through
// a template a hundred rows would take longer than the store takes for them. About is
// the address of a thread but for its name; problem is why its latest checkpoint
// cannot be read, or "".
func writeRow(b *bytes.Buffer, about string, info checkpoint.Info, problem string, now time.Time) {
	b.WriteString("\n<tr><th scope=\"row\"><a href=\"")
	b.WriteString(template.HTMLEscapeString(about + url.QueryEscape(info.Thread)))
	b.WriteString("\"><bdi>")
	b.WriteString(template.HTMLEscapeString(terminal.Quote(info.Thread)))
	b.WriteString("</bdi></a>")
	if problem != "" {
		b.WriteString("<td colspan=\"4\" class=\"problem\">")
		b.WriteString(template.HTMLEscapeString(problem))
		return
	}
	for _, cell := range []struct{ start, text string }{ // whose texts are numbers and words of ours
		{`<td class="n">`, strconv.FormatInt(info.Version, 10)},
		{`<td class="n">`, human.Size(int64(info.Size))},
		{`<td>`, human.Time(info.SavedAt)},
		{`<td>`, human.Expiry(info.ExpiresAt, now)},
	} {
		b.WriteString(cell.start)
		b.WriteString(cell.text)
	}
}

func (*server) threads(ctx context.Context, req *request) (answer, error) {
	page := threadsPage{Prefix: req.Get("prefix"), After: req.Get("after"), Deleted: req.Get("deleted")}
	now := time.Now()
	var last string
	var rows bytes.Buffer
	rows.Grow(32 << 10)
	n, about := 0, req.to("/thread")+"&thread="
	opts := checkpoint.ListOptions{Prefix: page.Prefix, After: page.After, Limit: pageLength}
	for info, err := range req.view.List(ctx, opts) {
		if err != nil && (info.Thread == "" || !errors.Is(err, checkpoint.ErrCorrupt)) {
			return answer{}, err
		}
		last = info.Thread
		problem := ""
		if err != nil {
			problem = req.errorText(err)
		}
		writeRow(&rows, about, info, problem, now)
		n++
	}
	page.Rows = template.HTML(rows.String())
	if page.After != "" {
		page.First = req.to("/", "prefix", page.Prefix)
	}
	if n == pageLength {
		page.Next = req.to("/", "prefix", page.Prefix, "after", last)
	}
	if page.Deleted != "" {
		page.Deleted = terminal.Quote(page.Deleted)
	}
	return req.render("threads", frame{Title: "Threads"}, page)
}

// A namespacesPage is one page of namespaces.
type namespacesPage struct {
	Rows []link
	Next string
}

func (*server) namespaces(ctx context.Context, req *request) (answer, error) {
	var page namespacesPage
	after := req.Get("after")
	for ns, err := range req.view.Namespaces(ctx) {
		if err != nil {
			return answer{}, err
		}
		if ns <= after {
			continue
		}
		if len(page.Rows) == pageLength {
			page.Next = req.to("/namespaces", "after", page.Rows[pageLength-1].Text)
			break
		}
		page.Rows = append(page.Rows, link{ns, "/?ns=" + ns})
	}
	return req.render("namespaces", frame{Title: "Namespaces"}, page)
}
