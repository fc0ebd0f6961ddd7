package ui

import (
	"context"
	"errors"
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
	Rows    []threadRow
	First   string // the address of the first page, or ""
	Next    string // of the next page, or ""
	Deleted string // the thread that was just deleted, or ""
}

type threadRow struct {
	Name, URL, Version, Size, Saved, Expires string
	Problem                                  string // why its latest checkpoint cannot be read
}

func (*server) threads(ctx context.Context, req *request) (answer, error) {
	page := threadsPage{Prefix: req.Get("prefix"), After: req.Get("after"), Deleted: req.Get("deleted")}
	now := time.Now()
	var last string
	opts := checkpoint.ListOptions{Prefix: page.Prefix, After: page.After, Limit: pageLength}
	for info, err := range req.view.List(ctx, opts) {
		if err != nil && (info.Thread == "" || !errors.Is(err, checkpoint.ErrCorrupt)) {
			return answer{}, err
		}
		last = info.Thread
		row := threadRow{Name: terminal.Quote(info.Thread), URL: req.to("/thread", "thread", info.Thread)}
		if err != nil {
			row.Problem = req.errorText(err)
		} else {
			row.Version, row.Size = strconv.FormatInt(info.Version, 10), human.Size(int64(info.Size))
			row.Saved, row.Expires = human.Time(info.SavedAt), human.Expiry(info.ExpiresAt, now)
		}
		page.Rows = append(page.Rows, row)
	}
	if page.After != "" {
		page.First = req.to("/", "prefix", page.Prefix)
	}
	if len(page.Rows) == pageLength {
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
