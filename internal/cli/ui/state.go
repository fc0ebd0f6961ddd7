package ui

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// A statePage is the state of a version, or a part of it.
type statePage struct {
	Quoted   string // the thread, as a form carries it: browsers change the line ends of what it holds
	Version  int64
	Facts    []fact
	Problem  string // why there is no state to show: damaged, or sealed and no key
	Where    string // of a part: its path
	Whole    string // of a part: the address of the whole state
	Raw      string // the address of what is shown, as it is encoded
	Root     *node
	Dump     string // of a state that is no JSON: its beginning
	Query    string // what was searched for
	At       string // the part that is shown, for the search
	Matches  []match
	Full     bool // there may be more matches
	Previous string
	Next     string
}

// dumped is how much of a state that is no JSON is shown, in bytes.
const dumped = 4 << 10

// part returns the path and the place that a request asks for.
func (req *request) part() (path []int, from int, err error) {
	if path, err = parsePath(req.Get("at")); err != nil {
		return nil, 0, err
	}
	if text := req.Get("element"); text != "" {
		if from, err = strconv.Atoi(text); err != nil || from < 0 {
			return nil, 0, fmt.Errorf("%w element: want a number", checkpoint.ErrInvalid)
		}
	}
	return path, from, nil
}

// load loads the version that a request asks for; 0 is the latest.
func (req *request) load(ctx context.Context, name string) (anystate.State, error) {
	version, err := req.number("version")
	if err != nil {
		return anystate.State{}, err
	}
	return anystate.Load(ctx, req.view, name, version)
}

func (*server) state(ctx context.Context, req *request) (answer, error) {
	name := req.name
	path, from, err := req.part()
	if err != nil {
		return answer{}, err
	}
	st, err := req.load(ctx, name)
	if err != nil && (st.Info.Version == 0 || !errors.Is(err, checkpoint.ErrCorrupt)) {
		return answer{}, err
	}
	info := st.Info
	page := statePage{Quoted: url.QueryEscape(name), Version: info.Version, Facts: facts(info), Query: req.Get("q"), At: formatPath(path)}
	partURL := func(path []int, from int) string {
		at, element := formatPath(path), ""
		if from > 0 {
			element = strconv.Itoa(from)
		}
		return req.to("/state", "thread", name, "version", strconv.FormatInt(info.Version, 10), "at", at, "element", element)
	}
	page.Whole = partURL(nil, 0)
	switch {
	case err != nil:
		page.Problem = req.errorText(err)
	case !st.IsJSON:
		page.Raw = req.rawURL(info, nil)
		page.Dump = hex.Dump(st.Data[:min(dumped, len(st.Data))])
		if rest := len(st.Data) - dumped; rest > 0 {
			page.Dump += fmt.Sprintf("… and %s more", human.Size(int64(rest)))
		}
	default:
		value, where, err := find(st.Data, path)
		if err != nil {
			return answer{}, err
		}
		page.Where, page.Raw = where, req.rawURL(info, path)
		if page.Query != "" {
			page.Matches, page.Full = search(value, path, page.Query, partURL)
		} else {
			b := treeBuilder{base: len(path), part: partURL}
			page.Root, _ = b.build(value, path, from, treeSize)
		}
	}
	if info.Version > 1 {
		page.Previous = req.stateURL(name, info.Version-1)
	}
	if req.Get("version") != "" {
		page.Next = req.stateURL(name, info.Version+1)
	}
	title := fmt.Sprintf("%s, version %d", terminal.Quote(name), info.Version)
	return req.render("state", frame{Title: title, Thread: name, Links: req.way(name)}, page)
}

func (req *request) rawURL(info checkpoint.Info, path []int) string {
	return req.to("/raw", "thread", info.Thread, "version", strconv.FormatInt(info.Version, 10), "at", formatPath(path))
}

// raw is a state, or a part of it, as it was encoded, for copying and as a file. It is
// never shown by a browser as a page.
func (*server) raw(ctx context.Context, req *request) (answer, error) {
	path, _, err := req.part()
	if err != nil {
		return answer{}, err
	}
	st, err := req.load(ctx, req.name)
	if err != nil {
		return answer{}, err
	}
	data := st.Data
	file := fmt.Sprintf("state-%d.bin", st.Info.Version)
	if st.IsJSON {
		file = fmt.Sprintf("state-%d.json", st.Info.Version)
		if data, _, err = find(st.Data, path); err != nil {
			return answer{}, err
		}
	}
	return answer{
		status:      200,
		contentType: "application/octet-stream",
		disposition: `attachment; filename="` + file + `"`,
		body:        data,
	}, nil
}
