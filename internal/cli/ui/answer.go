package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// answered is within what time every request is, whatever the store does, with some
// left to send the answer before three seconds are over. The store is given two thirds
// of it, which leaves a driver most of a second to return once its context has ended;
// what has still not come back then is left to itself.
const answered = 2800 * time.Millisecond

var (
	errSlow = errors.New("the store has not answered in time: it may be down, out of reach or overloaded, or the state too large for a page; try again")
	errBusy = errors.New("too many pages are waiting for the store; try again")
)

// maxForm is the most that a form may hold, in bytes: an edited state, encoded.
const maxForm = 4 << 20

// A request is what a page is asked for.
type request struct {
	*server
	url.Values // of the query and the form
	namespace  string
	view       *checkpoint.Store // of the namespace
	name       string            // of the thread, or ""
}

// An answer is what a browser is sent.
type answer struct {
	status      int
	contentType string
	disposition string // Content-Disposition, or ""
	location    string // of a redirection, or ""
	body        []byte
}

// page answers requests with what show returns, in a place of its own among those
// that are made at a time.
func (s *server) page(places chan struct{}, show func(context.Context, *request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		req, err := s.newRequest(r)
		if err != nil {
			s.write(w, req.failed(err))
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.limit*2/3)
		if r.Method != http.MethodPost { // an action goes on when the browser has left
			stop := context.AfterFunc(r.Context(), cancel)
			defer stop()
		}
		made := make(chan answer, 1)
		go func() {
			defer cancel()
			made <- req.within(ctx, places, show)
		}()
		select {
		case a := <-made:
			s.write(w, a)
		case <-time.After(s.limit):
			s.write(w, req.failed(errSlow))
		}
	})
}

func (s *server) newRequest(r *http.Request) (*request, error) {
	req := &request{server: s, namespace: s.store.InNamespace(), view: s.store}
	if err := r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return req, fmt.Errorf("%w: the form has more than %d bytes", checkpoint.ErrTooLarge, maxForm)
		}
		return req, fmt.Errorf("%w address or form: it cannot be decoded", checkpoint.ErrInvalid)
	}
	req.Values = r.Form
	if ns := req.Get("ns"); ns != "" && ns != req.namespace {
		req.namespace, req.view = ns, s.store.Namespace(ns)
	}
	req.name = req.Get("thread")
	if quoted := req.Get("quoted"); quoted != "" {
		var err error
		if req.name, err = url.QueryUnescape(quoted); err != nil {
			return req, fmt.Errorf("%w thread: it cannot be decoded", checkpoint.ErrInvalid)
		}
	}
	return req, nil
}

// within makes an answer when there is a place. A state that crashes what shows it
// must not end the server.
func (req *request) within(ctx context.Context, places chan struct{}, show func(context.Context, *request) (answer, error)) (a answer) {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return req.failed(errBusy)
	}
	defer func() {
		<-places
		if recover() != nil {
			a = req.failed(errors.New("this page cannot be shown: please report it"))
		}
	}()
	a, err := show(ctx, req)
	if err != nil {
		return req.failed(err)
	}
	return a
}

func (s *server) write(w http.ResponseWriter, a answer) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	if a.disposition != "" {
		h.Set("Content-Disposition", a.disposition)
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// failed is the page that says what went wrong.
func (req *request) failed(err error) answer {
	a, failure := req.render("error", frame{Title: "Error"}, req.errorText(err))
	if failure != nil {
		a = answer{contentType: "text/plain; charset=utf-8", body: []byte("this page cannot be shown\n")}
	}
	a.status = statusOf(err)
	return a
}

func (s *server) errorText(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errSlow.Error()
	case s.ErrorText != nil:
		return s.ErrorText(err)
	}
	return err.Error()
}

func statusOf(err error) int {
	for _, known := range []struct {
		err    error
		status int
	}{
		{checkpoint.ErrNotFound, http.StatusNotFound},
		{checkpoint.ErrInvalid, http.StatusBadRequest},
		{checkpoint.ErrConflict, http.StatusConflict},
		{checkpoint.ErrTooLarge, http.StatusRequestEntityTooLarge},
		{checkpoint.ErrCorrupt, http.StatusUnprocessableEntity},
		{errors.ErrUnsupported, http.StatusNotImplemented},
		{context.DeadlineExceeded, http.StatusGatewayTimeout},
		{errSlow, http.StatusGatewayTimeout},
		{errReadOnly, http.StatusForbidden},
		{errBusy, http.StatusServiceUnavailable},
		{checkpoint.ErrUnavailable, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, known.err) {
			return known.status
		}
	}
	return http.StatusInternalServerError
}

// unknown is every other path.
func (*server) unknown(_ context.Context, req *request) (answer, error) {
	return answer{}, fmt.Errorf("this page is %w", checkpoint.ErrNotFound)
}

// A frame is what every page has.
type frame struct {
	Title     string
	Namespace string
	Write     bool
	Thread    string // the page's, or ""
	Links     []link // the way to this page
	Main      any    // what its template shows
}

// A link is a place to go.
type link struct{ Text, URL string }

// render makes the page of a template.
func (req *request) render(name string, f frame, main any) (answer, error) {
	f.Namespace, f.Write, f.Main = req.namespace, req.Write, main
	var page bytes.Buffer
	page.Grow(48 << 10)
	if err := pages[name].ExecuteTemplate(&page, "page", f); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: page.Bytes()}, nil
}

// to returns the address of a page about the request's namespace. Parameters are
// names and values in turn; empty values are left out.
func (req *request) to(path string, parameters ...string) string {
	query := url.Values{"ns": {req.namespace}}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			query.Set(parameters[i], parameters[i+1])
		}
	}
	return path + "?" + query.Encode()
}

// number returns a parameter that is a number of at least 1, or 0 where it is not
// given.
func (req *request) number(name string) (int64, error) {
	text := req.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w %s: want a number of at least 1", checkpoint.ErrInvalid, name)
	}
	return n, nil
}
