package ui

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// A threadPage is the versions of a thread, newest first.
type threadPage struct {
	Name     string
	Quoted   string // the thread, as a form carries it: browsers change the line ends of what it holds
	Latest   []fact // what is known of the latest version; none on a later page
	Version  int64  // the latest one
	State    string // addresses
	Last     string // of the last save's difference
	Log      string
	Edit     string
	Delete   string
	Timeline *timeline
	Rows     []versionRow
	Older    string
	Newest   string
	Notice   string // what was just done
}

type versionRow struct {
	Version            int64
	Saved, Size        string
	Encoding, Metadata string
	URL, Diff          string // Diff from the version before, or ""
	Restore, Fork      string // questions
}

// A fact is a name and a value.
type fact struct{ Name, Value string }

func (*server) thread(ctx context.Context, req *request) (answer, error) {
	name := req.name
	before, err := req.number("before")
	if err != nil {
		return answer{}, err
	}
	var infos []checkpoint.Info
	for info, err := range req.view.History(ctx, name, checkpoint.HistoryOptions{Before: before, Limit: pageLength}) {
		if err != nil {
			return answer{}, err
		}
		infos = append(infos, info)
	}
	if len(infos) == 0 {
		return answer{}, fmt.Errorf("the thread %s, or what it kept before this version, is %w", terminal.Quote(name), checkpoint.ErrNotFound)
	}
	page := threadPage{
		Name:    terminal.Quote(name),
		Quoted:  url.QueryEscape(name),
		State:   req.stateURL(name, 0),
		Log:     req.to("/log", "thread", name),
		Edit:    req.to("/edit", "thread", name),
		Delete:  req.to("/delete", "thread", name),
		Version: infos[0].Version,
	}
	for i, info := range infos {
		row := versionRow{
			Version:  info.Version,
			Saved:    human.Time(info.SavedAt),
			Size:     human.Size(int64(info.Size)),
			Encoding: terminal.Quote(info.Encoding),
			Metadata: cut(human.Metadata(info.Metadata), 200),
			URL:      req.stateURL(name, info.Version),
			Restore:  req.to("/restore", "thread", name, "version", strconv.FormatInt(info.Version, 10)),
			Fork:     req.to("/fork", "thread", name, "version", strconv.FormatInt(info.Version, 10)),
		}
		if i+1 < len(infos) || len(infos) == pageLength && info.Version > 1 {
			row.Diff = req.diffURL(name, info.Version-1, info.Version)
		}
		page.Rows = append(page.Rows, row)
	}
	page.Timeline = req.newTimeline(infos)
	if before == 0 {
		page.Latest = facts(infos[0])
		page.Last = page.Rows[0].Diff
	} else {
		page.Newest = req.threadURL(name)
	}
	if oldest := infos[len(infos)-1].Version; len(infos) == pageLength && oldest > 1 {
		page.Older = req.to("/thread", "thread", name, "before", strconv.FormatInt(oldest, 10))
	}
	page.Notice = notice(req)
	return req.render("thread", frame{Title: page.Name, Thread: name}, page)
}

// facts is what is known of a checkpoint without its state.
func facts(info checkpoint.Info) []fact {
	expires := "never"
	if !info.ExpiresAt.IsZero() {
		expires = human.Time(info.ExpiresAt) + " (" + human.Expiry(info.ExpiresAt, time.Now()) + ")"
	}
	all := []fact{
		{"version", strconv.FormatInt(info.Version, 10)},
		{"id", terminal.Quote(info.ID)},
		{"saved", human.Time(info.SavedAt)},
		{"created", human.Time(info.CreatedAt)},
		{"expires", expires},
		{"stored size", human.Size(int64(info.Size))},
		{"encoding", terminal.Quote(info.Encoding)},
	}
	if info.Base != 0 {
		all = append(all, fact{"stored as", "a patch on version " + strconv.FormatInt(info.Base, 10)})
	}
	if len(info.Metadata) > 0 {
		all = append(all, fact{"metadata", human.Metadata(info.Metadata)})
	}
	return all
}

func (req *request) threadURL(thread string) string { return req.to("/thread", "thread", thread) }

// stateURL is the address of a version's state; 0 is the latest.
func (req *request) stateURL(thread string, version int64) string {
	if version == 0 {
		return req.to("/state", "thread", thread)
	}
	return req.to("/state", "thread", thread, "version", strconv.FormatInt(version, 10))
}

func (req *request) diffURL(thread string, from, to int64) string {
	return req.to("/diff", "thread", thread, "from", strconv.FormatInt(from, 10), "to", strconv.FormatInt(to, 10))
}

// way is the links from the threads to a page about one.
func (req *request) way(thread string) []link {
	return []link{{terminal.Quote(thread), req.threadURL(thread)}}
}

// notice says what an action has done before it led here. It is made of numbers and
// words of our own alone.
func notice(req *request) string {
	version, err := req.number("saved")
	if err != nil || version == 0 {
		return ""
	}
	from, err := req.number("from")
	if err != nil {
		return ""
	}
	switch req.Get("done") {
	case "restored":
		return fmt.Sprintf("Version %d was restored: it is saved as version %d.", from, version)
	case "forked":
		return fmt.Sprintf("This thread was made from version %d of the other one.", from)
	case "edited":
		return fmt.Sprintf("What you wrote is saved as version %d.", version)
	}
	return ""
}

// cut shortens text to about n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
