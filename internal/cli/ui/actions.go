package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// Each action is a question, which a GET asks and which changes nothing, and a POST of
// its form. What was done is told by the page that the POST leads to.

// mostEdited is how large a state can be edited on a page, in bytes as it is indented.
const mostEdited = 512 << 10

var errReadOnly = errors.New("this page only shows: start checkpoint ui with --write to change something")

// An askPage is a question before an action.
type askPage struct {
	Heading  string
	Question string
	Action   string // where the form is sent
	NewName  bool   // it asks for the name of a new thread
	Button   string
	Danger   bool
	Back     string
}

// asking lets a question be asked where its action is allowed.
func asking(ask func(context.Context, *request) (answer, error)) func(context.Context, *request) (answer, error) {
	return func(ctx context.Context, req *request) (answer, error) {
		if !req.Write {
			return answer{}, errReadOnly
		}
		return ask(ctx, req)
	}
}

func (req *request) ask(page askPage) (answer, error) {
	return req.render("ask", frame{Title: page.Heading, Links: req.way(req.name)}, page)
}

func (*server) askRestore(ctx context.Context, req *request) (answer, error) {
	version, latest, err := req.wanted(ctx)
	if err != nil {
		return answer{}, err
	}
	return req.ask(askPage{
		Heading:  fmt.Sprintf("Restore version %d?", version),
		Question: fmt.Sprintf("It is saved again as the latest version, on top of version %d. Nothing is lost.", latest.Version),
		Action:   req.to("/restore", "thread", req.name, "version", strconv.FormatInt(version, 10)),
		Button:   "Restore", Back: req.threadURL(req.name),
	})
}

func (*server) restore(ctx context.Context, req *request) (answer, error) {
	version, latest, err := req.wanted(ctx)
	if err != nil {
		return answer{}, err
	}
	info, err := req.saving(latest).Restore(ctx, req.name, version)
	if err != nil {
		return answer{}, err
	}
	return req.done(info, "restored", version), nil
}

func (*server) askFork(ctx context.Context, req *request) (answer, error) {
	version, _, err := req.wanted(ctx)
	if err != nil {
		return answer{}, err
	}
	return req.ask(askPage{
		Heading:  fmt.Sprintf("A new thread from version %d?", version),
		Question: "The new thread begins with the state of this version. This thread stays as it is.",
		Action:   req.to("/fork", "thread", req.name, "version", strconv.FormatInt(version, 10)),
		NewName:  true, Button: "Fork", Back: req.threadURL(req.name),
	})
}

func (*server) fork(ctx context.Context, req *request) (answer, error) {
	version, latest, err := req.wanted(ctx)
	if err != nil {
		return answer{}, err
	}
	info, err := req.saving(latest).Fork(ctx, req.name, version, req.Get("new"))
	if errors.Is(err, checkpoint.ErrConflict) {
		return answer{}, fmt.Errorf("%w: a thread of this name exists already", checkpoint.ErrConflict)
	}
	if err != nil {
		return answer{}, err
	}
	return req.done(info, "forked", version), nil
}

func (*server) askDelete(ctx context.Context, req *request) (answer, error) {
	latest, err := req.view.Stat(ctx, req.name)
	if err != nil {
		return answer{}, err
	}
	return req.ask(askPage{
		Heading:  "Delete this thread?",
		Question: fmt.Sprintf("All its versions go, the latest of which is %d. This cannot be undone.", latest.Version),
		Action:   req.to("/delete", "thread", req.name, "id", latest.ID),
		Button:   "Delete", Danger: true, Back: req.threadURL(req.name),
	})
}

// delete removes the thread as it was when the question was asked.
func (*server) delete(ctx context.Context, req *request) (answer, error) {
	if err := req.view.Delete(ctx, req.name, checkpoint.IfMatch(req.Get("id"))); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusSeeOther, location: req.to("/", "deleted", req.name)}, nil
}

// An editPage is a state in a form.
type editPage struct {
	Action  string
	Text    string
	Version int64
	Problem string // why it was not saved
	Back    string
}

func (*server) edit(ctx context.Context, req *request) (answer, error) {
	st, err := anystate.Load(ctx, req.view, req.name, 0)
	if err != nil {
		return answer{}, err
	}
	if !st.IsJSON {
		return answer{}, fmt.Errorf("%w state for a page: it is %s, and JSON alone can be edited", checkpoint.ErrInvalid, terminal.Quote(st.Info.Encoding))
	}
	var text bytes.Buffer
	if err := json.Indent(&text, st.Data, "", "  "); err != nil {
		return answer{}, fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	if text.Len() > mostEdited {
		return answer{}, fmt.Errorf("%w for a page, %s: use checkpoint edit", checkpoint.ErrTooLarge, human.Size(int64(text.Len())))
	}
	return req.editing(text.String(), st.Info.ID, st.Info.Version, nil)
}

func (req *request) editing(text, id string, version int64, problem error) (answer, error) {
	page := editPage{
		Action:  req.to("/edit", "thread", req.name, "id", id, "version", strconv.FormatInt(version, 10)),
		Text:    text,
		Version: version,
		Back:    req.threadURL(req.name),
	}
	if problem != nil {
		page.Problem = req.errorText(problem)
	}
	a, err := req.render("edit", frame{Title: "Edit", Links: req.way(req.name)}, page)
	if problem != nil {
		a.status = statusOf(problem)
	}
	return a, err
}

// saveEdited saves what was written on condition that the latest checkpoint is the one
// that was shown, with its metadata. Otherwise the form comes back with what was
// written and the reason.
func (*server) saveEdited(ctx context.Context, req *request) (answer, error) {
	version, err := req.number("version")
	if err != nil {
		return answer{}, err
	}
	id, text := req.Get("id"), req.Get("state")
	info, err := req.saveIf(ctx, id, text)
	if err != nil {
		return req.editing(text, id, version, err)
	}
	return req.done(info, "edited", version), nil
}

func (req *request) saveIf(ctx context.Context, id, text string) (checkpoint.Info, error) {
	var problem *json.SyntaxError
	if err := json.Unmarshal([]byte(text), new(json.RawMessage)); errors.As(err, &problem) {
		line := 1 + bytes.Count([]byte(text)[:min(int(problem.Offset), len(text))], []byte("\n"))
		return checkpoint.Info{}, fmt.Errorf("%w state: it is no JSON, see line %d", checkpoint.ErrInvalid, line)
	}
	latest, err := req.view.Stat(ctx, req.name)
	if err != nil {
		return checkpoint.Info{}, err
	}
	if latest.ID == id { // otherwise the database refuses it, with the present version
		req.view = req.saving(latest)
	}
	return req.view.Save(ctx, req.name, json.RawMessage(text), checkpoint.IfMatch(id), checkpoint.Metadata(latest.Metadata))
}

// wanted returns the version that an action is about and the thread's latest one.
func (req *request) wanted(ctx context.Context) (version int64, latest checkpoint.Info, err error) {
	if version, err = req.number("version"); err != nil {
		return 0, latest, err
	}
	if version == 0 {
		return 0, latest, fmt.Errorf("%w version: none is named", checkpoint.ErrInvalid)
	}
	latest, err = req.view.Stat(ctx, req.name)
	return version, latest, err
}

// saving is the view in which a save lets the thread live as long as the one before
// did, unless the store says how long.
func (req *request) saving(before checkpoint.Info) *checkpoint.Store {
	if req.OwnTTL || before.ExpiresAt.IsZero() {
		return req.view
	}
	return req.view.Namespace(req.namespace, checkpoint.WithTTL(before.ExpiresAt.Sub(before.SavedAt)))
}

// done leads to the thread that was saved, with a notice.
func (req *request) done(info checkpoint.Info, what string, from int64) answer {
	query := url.Values{"done": {what}, "saved": {strconv.FormatInt(info.Version, 10)}, "from": {strconv.FormatInt(from, 10)}}
	return answer{status: http.StatusSeeOther, location: req.threadURL(info.Thread) + "&" + query.Encode()}
}
