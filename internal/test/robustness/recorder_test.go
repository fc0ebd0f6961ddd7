package robustness

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-ckpt/checkpoint/driver"
)

// refuses reports whether what a conflict met is a reason for it.
func refuses(current driver.Info, m driver.Match) bool {
	var live thread
	if current.Version != 0 {
		live = thread{observed(current)}
	}
	return !satisfied(m, live)
}

// A patchRecorder records patches too, of a backend that takes them.
type patchRecorder struct{ lastSave }

func (r patchRecorder) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	return r.save(ctx, req, func() (driver.Info, error) { return r.Backend.(driver.Patcher).SavePatch(ctx, req) })
}

func (r *recorder) Delete(ctx context.Context, req driver.DeleteRequest) error {
	if ctx.Err() != nil {
		return r.Backend.Delete(ctx, req)
	}
	called := r.h.now()
	err := r.Backend.Delete(ctx, req)
	r.h.overstayed(ctx)

	in := call{kind: "delete", now: micros(req.Now), match: req.Match}
	var conflict *driver.ConflictError
	switch {
	case err == nil:
		r.h.add(r.client, req.Thread, in, reply{}, called)
	case errors.As(err, &conflict):
		r.h.add(r.client, req.Thread, in, reply{failed: true}, called)
		if !refuses(conflict.Current, req.Match) {
			r.h.problem("Delete(%+v) met a conflict with what it asked for: %v", req.Match, err)
		}
		r.stat(req.Thread, in.now, conflict.Current, called)
	case uncertain(err):
		r.h.add(r.client, req.Thread, in, reply{open: true}, called)
	default:
		r.h.problem("Delete: %v", err)
	}
	return err
}

func (r *recorder) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	f, ok := r.Backend.(driver.Finder)
	if !ok {
		return driver.Info{}, errors.ErrUnsupported
	}
	called := r.h.now()
	info, err := f.Find(ctx, req)
	r.h.overstayed(ctx)
	in := call{kind: "find", now: micros(req.Now), save: version{id: req.ID}}
	switch {
	case err == nil:
		v := observed(info)
		r.h.seen(req.Thread, v)
		r.h.add(r.client, req.Thread, in, reply{versions: []version{v}}, called)
	case errors.Is(err, driver.ErrNotFound):
		r.h.add(r.client, req.Thread, in, reply{failed: true}, called)
	case uncertain(err):
		r.lost("find")
	default:
		r.h.problem("Find: %v", err)
	}
	return info, err
}

func (r *recorder) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		reader, ok := r.Backend.(driver.VersionReader)
		if !ok {
			yield(driver.Checkpoint{}, errors.ErrUnsupported)
			return
		}
		called := r.h.now()
		checkpoints, err := collect(reader.Versions(ctx, req))
		r.h.overstayed(ctx)
		switch {
		case err != nil && !uncertain(err):
			r.h.problem("Versions: %v", err)
		case err != nil:
			r.lost("versions")
		default:
			in := call{kind: "versions", now: micros(req.Now), number: int64(req.Limit), from: req.From, to: req.To, descending: req.Newest}
			r.h.add(r.client, req.Thread, in, reply{versions: r.whole(req, checkpoints)}, called)
		}
		replay(checkpoints, err, yield)
	}
}

// DeletePrefix is recorded as an operation on every thread under the prefix, and
// on no other.
func (r *recorder) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	d, ok := r.Backend.(driver.PrefixDeleter)
	if !ok || ctx.Err() != nil {
		return 0, errors.Join(errors.ErrUnsupported, ctx.Err())
	}
	called := r.h.now()
	n, err := d.DeletePrefix(ctx, req)
	r.h.overstayed(ctx)
	if err != nil && !uncertain(err) {
		r.h.problem("DeletePrefix: %v", err)
	}
	for _, thread := range r.h.threads {
		if strings.HasPrefix(thread, req.Prefix) {
			r.h.add(r.client, thread, call{kind: "prefix", now: micros(req.Now)}, reply{open: err != nil}, called)
		}
	}
	return n, err
}

// whole checks what holds of a loop over versions whatever happens meanwhile.
func (r *recorder) whole(req driver.VersionsRequest, checkpoints []driver.Checkpoint) []version {
	var versions []version
	for i, cp := range checkpoints {
		v := observed(cp.Info)
		v.content = fingerprint(cp.Encoding, cp.Payload)
		r.h.seen(req.Thread, v)
		if v.number < req.From || req.To != 0 && v.number > req.To {
			r.h.problem("Versions(%+v) yields version %d", req, v.number)
		}
		if i > 0 {
			before := versions[i-1]
			if (before.number < v.number) == req.Newest || before.number == v.number {
				r.h.problem("Versions(%+v) yields version %d after %d", req, v.number, before.number)
			}
			if before.created != v.created {
				r.h.problem("Versions(%+v) yields versions of two lives of the thread: %+v after %+v", req, v, before)
			}
		}
		versions = append(versions, v)
	}
	return versions
}

// Purge is recorded as an operation on every thread.
func (r *recorder) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	p, ok := r.Backend.(driver.Purger)
	if !ok || ctx.Err() != nil {
		return 0, errors.Join(errors.ErrUnsupported, ctx.Err())
	}
	called := r.h.now()
	n, err := p.Purge(ctx, namespace, now)
	r.h.overstayed(ctx)
	if err != nil && !uncertain(err) {
		r.h.problem("Purge: %v", err)
	}
	for _, thread := range r.h.threads {
		r.h.add(r.client, thread, call{kind: "purge", now: micros(now)}, reply{open: err != nil}, called)
	}
	return n, err
}

// settled is a history with what the contract says of operations that take more
// than a moment. A loop over versions that no write disturbed saw the thread as
// it was; of any other each version that it saw was there at some moment. A
// deletion by prefix takes every thread that was not being saved; with indexLag
// it may miss any.
func settled(ops []porcupine.Operation, indexLag bool) []porcupine.Operation {
	overlapped := func(op porcupine.Operation, kinds ...string) bool {
		return slices.ContainsFunc(ops, func(other porcupine.Operation) bool {
			return slices.Contains(kinds, other.Input.(call).kind) && other.Call <= op.Return && op.Call <= other.Return
		})
	}
	var all []porcupine.Operation
	for _, op := range ops {
		in := op.Input.(call)
		switch in.kind {
		case "prefix":
			in.alone = !indexLag && !overlapped(op, "save")
			op.Input = in
		case "versions":
			if overlapped(op, "save", "delete", "prefix", "purge") {
				for _, v := range op.Output.(reply).versions {
					op.Input, op.Output = call{kind: "load", now: in.now, number: v.number}, reply{versions: []version{v}}
					all = append(all, op)
				}
				continue
			}
		}
		all = append(all, op)
	}
	return all
}
