package ui

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// What a page shows of a log.
const (
	mostEvents = 50
	eventsRead = 8 << 20 // bytes of states, after which a page ends
	eventSize  = 3_000   // bytes of a state
)

// A logPage is the states of the newest versions, or of those up to one, the oldest
// first.
type logPage struct {
	Quoted string // the thread, as a form carries it
	events
	Older  string
	Newest string
	Tail   string // where script asks for what comes after
}

// Events are versions with their states, and where to go on.
type events struct {
	Rows  []event
	After int64 // the last version
	Life  int64 // when the thread began, in microseconds: a later thread of its name is another
	Again bool  // the thread was deleted and has begun again, with these
}

type event struct {
	Version              int64
	Saved, Size, URL     string
	Metadata, Text, More string
	Problem              string
}

// log shows a thread as a log, of which each version is an event.
func (*server) log(ctx context.Context, req *request) (answer, error) {
	to, err := req.number("to")
	if err != nil {
		return answer{}, err
	}
	page := logPage{Quoted: url.QueryEscape(req.name), Tail: req.to("/tail", "thread", req.name)}
	if err := page.read(ctx, req, checkpoint.VersionsOptions{To: to, Newest: true, Limit: mostEvents}); err != nil {
		return answer{}, err
	}
	if len(page.Rows) == 0 {
		return answer{}, fmt.Errorf("the thread %s, or what it kept up to this version, is %w", terminal.Quote(req.name), checkpoint.ErrNotFound)
	}
	if oldest := page.Rows[0].Version; oldest > 1 {
		page.Older = req.to("/log", "thread", req.name, "to", strconv.FormatInt(oldest-1, 10))
	}
	if to > 0 {
		page.Newest, page.Tail = req.to("/log", "thread", req.name), ""
	}
	return req.render("log", frame{Title: "Log of " + terminal.Quote(req.name), Links: req.way(req.name)}, page)
}

// tail returns the events after a version as a piece of a page, for script.
func (*server) tail(ctx context.Context, req *request) (answer, error) {
	after, err := req.number("after")
	if err != nil {
		return answer{}, err
	}
	life, err := req.number("life")
	if err != nil {
		return answer{}, err
	}
	next := events{After: after, Life: life}
	latest, err := req.view.Stat(ctx, req.name)
	if err != nil {
		return answer{}, err
	}
	if latest.CreatedAt.UnixMicro() != life {
		next = events{Again: true}
	}
	if latest.Version > next.After {
		if err := next.read(ctx, req, checkpoint.VersionsOptions{From: next.After + 1, Limit: mostEvents}); err != nil {
			return answer{}, err
		}
	}
	var piece bytes.Buffer
	if err := pages["log"].ExecuteTemplate(&piece, "events", next); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: piece.Bytes()}, nil
}

// read adds versions, the oldest first, and ends early where they are large.
func (e *events) read(ctx context.Context, req *request, opts checkpoint.VersionsOptions) error {
	read := 0
	for v, err := range req.view.Versions(ctx, req.name, opts) {
		if err != nil {
			return err
		}
		st, err := anystate.Decode(v)
		row := event{
			Version:  v.Info.Version,
			Saved:    human.Time(v.Info.SavedAt),
			Size:     human.Size(int64(v.Info.Size)),
			URL:      req.stateURL(req.name, v.Info.Version),
			Metadata: cut(human.Metadata(v.Info.Metadata), 200),
		}
		switch {
		case err != nil:
			row.Problem = req.errorText(err)
		case st.IsJSON:
			row.Text = cut(text(st.Data), eventSize)
		default:
			row.Text = fmt.Sprintf("%s encoded as %s", human.Size(int64(len(st.Data))), terminal.Quote(v.Info.Encoding))
		}
		if opts.Newest {
			e.Rows = append([]event{row}, e.Rows...)
			e.After = max(e.After, row.Version)
		} else {
			e.Rows = append(e.Rows, row)
			e.After = row.Version
		}
		e.Life = v.Info.CreatedAt.UnixMicro()
		if read += len(st.Data); read > eventsRead {
			break
		}
	}
	return nil
}
