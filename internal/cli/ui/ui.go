// Package ui is a web page over a store, for one person on the same machine: the
// threads, the time line of each, the states as trees, and what changed between any
// two versions. It works on any driver, and without script for reading.
//
// Everything it shows was written by others, and any page in the same browser can
// reach its address: guard.go is what keeps these apart. States become text in
// html/template, never markup, and what a page of a large state holds is bounded.
package ui

import (
	"crypto/rand"
	"embed"
	"net/http"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// Options say who may use the page and for what.
type Options struct {
	// Token opens the page: the first address is the server's with /?token= and this.
	Token string

	// Hosts are the values of the header Host that are answered, as
	// 127.0.0.1:8080 and localhost:8080.
	Hosts []string

	// Write allows the actions that change something.
	Write bool

	// OwnTTL says that what is saved expires as the store's settings say; otherwise a
	// thread expires as long after a save as it would have after the one before.
	OwnTTL bool

	// ErrorText words an error for people; nil is its text.
	ErrorText func(error) string

	limit time.Duration // within which every request is answered, for tests; 0 is the usual one
}

//go:embed assets/style.css assets/script.js
var assets embed.FS

// A server answers the requests.
type server struct {
	Options
	store   *checkpoint.Store
	routes  *http.ServeMux
	cookie  string        // its name
	session string        // its value
	light   chan struct{} // a place for each page that is being made without states
	heavy   chan struct{} // and for each one with them
	double  chan struct{} // and for each one that compares two
}

// How many pages are made at a time; others wait.
const (
	lightPages = 16
	heavyPages = 2 // each holds a state and a tree of it
	diffPages  = 1 // each holds two, and all their values
)

// New returns the handler of a page over a store, which stays the caller's to close.
func New(store *checkpoint.Store, opts Options) http.Handler {
	if opts.limit == 0 {
		opts.limit = answered
	}
	s := &server{
		Options: opts,
		store:   store,
		routes:  http.NewServeMux(),
		// Browsers send the cookies of an address to all of its ports: the name keeps
		// two servers from taking each other's.
		cookie:  "checkpoint_" + strings.ToLower(rand.Text()[:8]),
		session: rand.Text(),
		light:   make(chan struct{}, lightPages),
		heavy:   make(chan struct{}, heavyPages),
		double:  make(chan struct{}, diffPages),
	}
	s.routes.Handle("GET /style.css", asset("assets/style.css", "text/css; charset=utf-8"))
	s.routes.Handle("GET /script.js", asset("assets/script.js", "text/javascript; charset=utf-8"))

	s.routes.Handle("GET /{$}", s.page(s.light, s.threads))
	s.routes.Handle("GET /namespaces", s.page(s.light, s.namespaces))
	s.routes.Handle("GET /thread", s.page(s.light, s.thread))
	s.routes.Handle("GET /state", s.page(s.heavy, s.state))
	s.routes.Handle("GET /raw", s.page(s.heavy, s.raw))
	s.routes.Handle("GET /diff", s.page(s.double, s.diff))
	s.routes.Handle("GET /log", s.page(s.heavy, s.log))
	s.routes.Handle("GET /tail", s.page(s.heavy, s.tail))

	s.routes.Handle("GET /restore", s.page(s.light, asking(s.askRestore)))
	s.routes.Handle("POST /restore", s.page(s.heavy, s.restore))
	s.routes.Handle("GET /fork", s.page(s.light, asking(s.askFork)))
	s.routes.Handle("POST /fork", s.page(s.heavy, s.fork))
	s.routes.Handle("GET /edit", s.page(s.heavy, asking(s.edit)))
	s.routes.Handle("POST /edit", s.page(s.heavy, s.saveEdited))
	s.routes.Handle("GET /delete", s.page(s.light, asking(s.askDelete)))
	s.routes.Handle("POST /delete", s.page(s.light, s.delete))
	s.routes.Handle("/", s.page(s.light, s.unknown))
	return s
}

// asset serves an embedded file.
func asset(name, contentType string) http.Handler {
	content, err := assets.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Write(content)
	})
}
