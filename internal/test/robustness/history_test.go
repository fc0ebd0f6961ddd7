package robustness

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-ckpt/checkpoint/driver"
)

// A history is what a number of handles did to the threads of one namespace and
// what they saw: for each thread a list of operations with the moments of their
// call and return.
type history struct {
	began    time.Time
	threads  []string
	indexLag bool // List may lag behind and says nothing about order

	mu       sync.Mutex
	ops      map[string][]porcupine.Operation
	issued   map[string][]version // by id: what saves were asked to write, version and creation unknown
	problems []string             // what no interleaving could excuse
	counts   map[string]int       // by kind and outcome
	late     time.Duration        // the longest time by which a call outlived its context
}

func newHistory(threads []string) *history {
	return &history{
		began: time.Now(), threads: threads,
		ops: map[string][]porcupine.Operation{}, issued: map[string][]version{}, counts: map[string]int{},
	}
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

// forever is the return time of an operation of which nobody knows whether and
// when it takes effect. The checker may place it after everything else, where
// it does no harm.
const forever = math.MaxInt64

func (h *history) add(client int, thread string, in call, out reply, called int64) {
	returned := h.now()
	if out.open {
		returned = forever
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[thread] = append(h.ops[thread], porcupine.Operation{ClientId: client, Input: in, Output: out, Call: called, Return: returned})
	kind := in.kind
	if in.previous.ID != "" {
		kind = "patch"
	}
	h.counts[kind+" "+out.outcome()]++
}

func (h *history) issue(id string, v version) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.issued[id] = append(h.issued[id], v)
}

func (h *history) problem(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.problems) < 20 {
		h.problems = append(h.problems, fmt.Sprintf(format, args...))
	}
}

// seen checks what holds even where acknowledged saves may be lost: a version
// that is read is one that somebody asked to be written, whole.
func (h *history) seen(thread string, v version) {
	h.mu.Lock()
	issued := h.issued[v.id]
	h.mu.Unlock()
	fits := func(want version) bool {
		want.number, want.created = v.number, v.created
		return agree(v, want)
	}
	switch {
	case len(issued) == 0:
		h.problem("thread %q: version %d has id %s, which nobody saved", thread, v.number, v.id)
	case !slices.ContainsFunc(issued, fits):
		h.problem("thread %q: version %d was read as %+v, saved as %+v", thread, v.number, v, issued)
	}
}

// overstayed notes how long a call outlived its context.
func (h *history) overstayed(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.late = max(h.late, time.Since(end))
	}
}

// A recorder is one handle whose operations go into a history.
type recorder struct {
	driver.Backend
	h      *history
	client int
}

// uncertain reports whether an error leaves open what happened.
func uncertain(err error) bool {
	return errors.Is(err, driver.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (r *recorder) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	return r.save(ctx, driver.PatchRequest{SaveRequest: req}, func() (driver.Info, error) { return r.Backend.Save(ctx, req) })
}

// save records a save, or a patch.
func (r *recorder) save(ctx context.Context, req driver.PatchRequest, save func() (driver.Info, error)) (driver.Info, error) {
	in := call{kind: "save", now: micros(req.Now), match: req.Match, keep: req.Keep, previous: req.Previous, chain: req.Base, save: version{
		id: req.ID, saved: micros(req.Now), expires: micros(req.ExpiresAt),
		content: fingerprint(req.Encoding, req.Payload), metadata: flatten(req.Metadata), digest: req.Digest, base: req.Base,
	}}
	if ctx.Err() != nil {
		info, err := save()
		if err == nil {
			r.h.problem("Save with a context that had ended succeeded")
		}
		return info, err
	}
	r.h.issue(req.ID, in.save)
	called := r.h.now()
	info, err := save()
	r.h.overstayed(ctx)

	var conflict *driver.ConflictError
	switch {
	case err == nil:
		r.h.add(r.client, req.Thread, in, reply{versions: []version{observed(info)}}, called)
	case errors.Is(err, driver.ErrBase) && req.Base != 0:
		r.h.add(r.client, req.Thread, in, reply{failed: true}, called)
	case errors.As(err, &conflict):
		r.h.add(r.client, req.Thread, in, reply{failed: true}, called)
		if !refuses(conflict.Current, req.Match) || conflict.Current.Version != 0 && conflict.Current.ID == req.ID {
			r.h.problem("Save(%s, %+v) met a conflict with itself: %v", req.ID, req.Match, err)
		}
		// What the conflict met is the thread at some moment of the call.
		r.stat(req.Thread, in.now, conflict.Current, called)
	case uncertain(err):
		r.h.add(r.client, req.Thread, in, reply{open: true}, called)
		if info.ID != req.ID || info.Key != req.Key {
			r.h.problem("Save returned %v without the id and key of the save: %+v", err, info)
		}
	default:
		r.h.problem("Save: %v", err)
	}
	return info, err
}

// stat records that the latest checkpoint was seen, or its absence.
func (r *recorder) stat(thread string, now int64, info driver.Info, called int64) {
	out := reply{failed: info.Version == 0}
	if !out.failed {
		v := observed(info)
		r.h.seen(thread, v)
		out.versions = []version{v}
	}
	r.h.add(r.client, thread, call{kind: "stat", now: now}, out, called)
}

func (r *recorder) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	called := r.h.now()
	cp, err := r.Backend.Load(ctx, req)
	r.h.overstayed(ctx)
	in := call{kind: "load", now: micros(req.Now), number: req.Version}
	switch {
	case err == nil:
		v := observed(cp.Info)
		if !cp.Known { // whose state the store has, and judges by its digest
			v.content = fingerprint(cp.Encoding, cp.Payload)
		} else if cp.ID != req.Known.ID || cp.Digest != req.Known.Digest {
			r.h.problem("Load of %q, version %d, is said to be known, and another one is: %s", req.Thread, cp.Version, req.Known.ID)
		}
		r.h.seen(req.Thread, v)
		r.h.add(r.client, req.Thread, in, reply{versions: []version{v}}, called)
	case errors.Is(err, driver.ErrNotFound):
		r.h.add(r.client, req.Thread, in, reply{failed: true}, called)
	case uncertain(err):
		r.lost("load")
	default:
		_, again := r.Backend.Load(ctx, req)
		r.h.problem("Load of %q, version %d: %v; once more: %v", req.Thread, req.Version, err, again)
	}
	return cp, err
}

// lost counts an operation that has no effect and whose answer is not known.
func (r *recorder) lost(kind string) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	r.h.counts[kind+" lost"]++
}

func (r *recorder) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		called := r.h.now()
		infos, err := collect(r.Backend.History(ctx, req))
		r.h.overstayed(ctx)
		switch {
		case err != nil && !uncertain(err):
			r.h.problem("History: %v", err)
		case err != nil:
			r.lost("history")
		case req.Before == 0:
			out := reply{}
			for i, info := range infos {
				v := observed(info)
				r.h.seen(req.Thread, v)
				if i > 0 && info.Version != infos[i-1].Version-1 {
					r.h.problem("History of %q has a gap: %d after %d", req.Thread, info.Version, infos[i-1].Version)
				}
				out.versions = append(out.versions, v)
			}
			in := call{kind: "history", now: micros(req.Now)}
			if req.Limit > 0 {
				in.kind, in.number = "newest", int64(req.Limit)
			}
			r.h.add(r.client, req.Thread, in, out, called)
		}
		replay(infos, err, yield)
	}
}

// List of a whole namespace is recorded as a look at the latest checkpoint of
// every thread, none of which need have been taken at the same moment.
func (r *recorder) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		called := r.h.now()
		infos, err := collect(r.Backend.List(ctx, req))
		r.h.overstayed(ctx)
		switch {
		case err != nil && !uncertain(err):
			r.h.problem("List: %v", err)
		case err != nil:
			r.lost("list")
		case req.Prefix == "" && req.After == "" && req.Limit == 0:
			listed := map[string]driver.Info{}
			for i, info := range infos {
				listed[info.Thread] = info
				r.h.seen(info.Thread, observed(info))
				if i > 0 && info.Thread <= infos[i-1].Thread {
					r.h.problem("List yields %q after %q", info.Thread, infos[i-1].Thread)
				}
			}
			for _, thread := range r.h.threads {
				if !r.h.indexLag {
					r.stat(thread, micros(req.Now), listed[thread], called)
				}
				delete(listed, thread)
			}
			for thread := range listed {
				r.h.problem("List yields %q, which nobody saved", thread)
			}
		}
		replay(infos, err, yield)
	}
}

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for one, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

func replay[T any](all []T, err error, yield func(T, error) bool) {
	for _, one := range all {
		if !yield(one, nil) {
			return
		}
	}
	if err != nil {
		yield(*new(T), err)
	}
}

// observed is the version that an Info describes; its content is unknown.
func observed(i driver.Info) version {
	return version{
		id: i.ID, number: i.Version, created: micros(i.CreatedAt), saved: micros(i.SavedAt), expires: micros(i.ExpiresAt),
		metadata: flatten(i.Metadata),
	}
}

// micros is a time in microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fingerprint tells payloads apart: JSON by its value, anything else by its
// bytes.
func fingerprint(encoding string, payload []byte) string {
	if encoding == "json" {
		d := json.NewDecoder(strings.NewReader(string(payload)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return "not JSON: " + err.Error()
		}
		payload, _ = json.Marshal(exact(v)) // sorts keys, drops white space
	}
	return fmt.Sprintf("%s %x", encoding, sha256.Sum256(payload))
}

// exact writes every number of a JSON value as a fraction, however it was
// spelled.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return []string{"number", r.RatString()}
		}
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

func flatten(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	b, _ := json.Marshal(m)
	return string(b)
}
