// Tenants is a web service with many tenants and any number of replicas: a
// namespace a tenant, a thread a conversation, and Update for two requests that
// meet on one conversation.
//
//	go run ./examples/tenants -store 'sqlite:tenants.db?ttl=720h'
//	curl -d hello localhost:8080/acme/conversations/7
//	curl localhost:8080/acme/conversations/7
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// Conversation is the state of a thread.
type Conversation struct {
	Messages []string `json:"messages"`
}

func main() {
	url := flag.String("store", "sqlite:tenants.db?ttl=720h", "URL of the store")
	address := flag.String("listen", "localhost:8080", "address to listen on")
	flag.Parse()
	store, err := checkpoint.OpenURL(*url)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	server := http.Server{Addr: *address, Handler: NewHandler(store), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// NewHandler returns the service on a store that its replicas share.
func NewHandler(store *checkpoint.Store) http.Handler {
	s := service{store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/conversations/{id}", s.read)
	mux.HandleFunc("POST /{tenant}/conversations/{id}", s.add)
	return mux
}

type service struct{ store *checkpoint.Store }

// conversation returns the tenant's part of the store and the thread. In a
// service that is not an example the tenant comes from the caller's credentials,
// never from what the caller writes.
func (s service) conversation(r *http.Request) (*checkpoint.Store, string) {
	return s.store.Namespace("tenant-" + r.PathValue("tenant")), r.PathValue("id")
}

func (s service) read(w http.ResponseWriter, r *http.Request) {
	tenant, thread := s.conversation(r)
	conversation, info, err := checkpoint.Get[Conversation](r.Context(), tenant, thread)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("ETag", `"`+info.ID+`"`)
	reply(w, conversation)
}

// add appends a message. A client that repeats a request because it got no answer
// sends the same Idempotency-Key, and the message is there once.
func (s service) add(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		http.Error(w, "the message is too long", http.StatusRequestEntityTooLarge)
		return
	}
	var opts []checkpoint.SaveOption
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		opts = append(opts, checkpoint.WithID(key))
	}
	tenant, thread := s.conversation(r)
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	info, err := checkpoint.Update(ctx, tenant, thread, func(c *Conversation) error {
		c.Messages = append(c.Messages, string(text))
		return nil
	}, opts...)
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, map[string]int64{"version": info.Version})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Print(err)
	}
}

// fail answers with the status that fits the error, and keeps its text for the log.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, checkpoint.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, checkpoint.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, checkpoint.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, checkpoint.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	}
	if status >= 500 {
		log.Print(err)
	}
	http.Error(w, http.StatusText(status), status)
}
