package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A handle passes everything on to a backend under test, notes the call for
// the failures that may follow, and which threads have to be removed in the
// end.
//
// It implements every optional interface. Where the backend does not, the
// answer is what package checkpoint makes of that: an error that matches
// errors.ErrUnsupported. Cases that need one are not run then.
type handle struct {
	inner  driver.Backend
	t      *trial
	closed atomic.Bool
}

var (
	_ driver.Backend         = (*handle)(nil)
	_ driver.Purger          = (*handle)(nil)
	_ driver.Collector       = (*handle)(nil)
	_ driver.Importer        = (*handle)(nil)
	_ driver.NamespaceLister = (*handle)(nil)
	_ driver.Rewriter        = (*handle)(nil)
	_ driver.Finder          = (*handle)(nil)
	_ driver.VersionReader   = (*handle)(nil)
	_ driver.PrefixDeleter   = (*handle)(nil)
	_ driver.Patcher         = (*handle)(nil)
	_ driver.LoggerSetter    = (*handle)(nil)
)

// visible is the handle with those of the interfaces Finder, VersionReader and
// PrefixDeleter alone that the backend has. Package checkpoint has ways of its own
// where one is missing, which are tried then; without one of the others it returns
// an error as the handle does. A Patcher is shown with all three of them.
func (h *handle) visible() driver.Backend {
	type rest interface {
		driver.Backend
		driver.Purger
		driver.Collector
		driver.Importer
		driver.NamespaceLister
		driver.Rewriter
		driver.LoggerSetter
	}
	finds, reads, deletes := has[driver.Finder](h.inner), has[driver.VersionReader](h.inner), has[driver.PrefixDeleter](h.inner)
	switch {
	case finds && reads && deletes && has[driver.Patcher](h.inner):
		return h
	case finds && reads && deletes:
		return struct {
			rest
			driver.Finder
			driver.VersionReader
			driver.PrefixDeleter
		}{h, h, h, h}
	case finds && reads:
		return struct {
			rest
			driver.Finder
			driver.VersionReader
		}{h, h, h}
	case finds && deletes:
		return struct {
			rest
			driver.Finder
			driver.PrefixDeleter
		}{h, h, h}
	case reads && deletes:
		return struct {
			rest
			driver.VersionReader
			driver.PrefixDeleter
		}{h, h, h}
	case finds:
		return struct {
			rest
			driver.Finder
		}{h, h}
	case reads:
		return struct {
			rest
			driver.VersionReader
		}{h, h}
	case deletes:
		return struct {
			rest
			driver.PrefixDeleter
		}{h, h}
	}
	return struct{ rest }{h}
}

// writes notes a thread that is being written, and whether it will expire.
func (h *handle) writes(key driver.Key, expiresAt time.Time) {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	h.t.wrote[key] = true
	h.t.expires = h.t.expires || !expiresAt.IsZero()
	h.t.lastWrite = time.Now()
}

// settle waits until a list that lags shows what was written before.
func (h *handle) settle(ctx context.Context) {
	h.t.mu.Lock()
	wait := time.Until(h.t.lastWrite.Add(h.t.suite.listLag))
	h.t.mu.Unlock()
	if h.t.suite.listLag == 0 || wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (h *handle) Ping(ctx context.Context) error {
	err := h.inner.Ping(ctx)
	h.t.called("Ping() = %v", err)
	return err
}

func (h *handle) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	h.writes(req.Key, req.ExpiresAt)
	info, err := h.inner.Save(ctx, req)
	h.t.called("Save(%s) = %s, %v", showSave(req), show(info), err)
	return info, err
}

func (h *handle) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	c, err := h.inner.Load(ctx, req)
	h.t.called("Load({%q version=%d now=%s}) = %s (%d bytes), %v", req.Thread, req.Version, clock(req.Now), show(c.Info), len(c.Payload), err)
	return c, err
}

func (h *handle) Delete(ctx context.Context, req driver.DeleteRequest) error {
	h.writes(req.Key, time.Time{})
	err := h.inner.Delete(ctx, req)
	h.t.called("Delete({%q%s now=%s}) = %v", req.Thread, showMatch(req.Match), clock(req.Now), err)
	return err
}

func (h *handle) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	call := fmt.Sprintf("List({%q prefix=%q after=%q limit=%d now=%s})", req.Namespace, req.Prefix, req.After, req.Limit, clock(req.Now))
	h.settle(ctx)
	return iterate(h, call, h.inner.List(ctx, req))
}

func (h *handle) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	call := fmt.Sprintf("History({%q before=%d limit=%d now=%s})", req.Thread, req.Before, req.Limit, clock(req.Now))
	return iterate(h, call, h.inner.History(ctx, req))
}

// iterate passes on what a loop yields, and notes how it ended.
func iterate[T any](h *handle, call string, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for info, err := range items {
			if err != nil {
				h.t.called("%s yielded %v after %d", call, err, n)
			} else {
				n++
			}
			if !yield(info, err) {
				return
			}
		}
		h.t.called("%s yielded %d", call, n)
	}
}

func (h *handle) Close() error {
	h.closed.Store(true)
	err := h.inner.Close()
	h.t.called("Close() = %v", err)
	return err
}

func (h *handle) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	p, ok := h.inner.(driver.Purger)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	n, err := p.Purge(ctx, namespace, now)
	h.t.called("Purge(%q, %s) = %d, %v", namespace, clock(now), n, err)
	return n, err
}

func (h *handle) Collect(ctx context.Context, req driver.CollectRequest) (int64, error) {
	c, ok := h.inner.(driver.Collector)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	n, err := c.Collect(ctx, req)
	h.t.called("Collect(dry run %t) = %d, %v", req.DryRun, n, err)
	return n, err
}

func (h *handle) Import(ctx context.Context, req driver.ImportRequest) error {
	i, ok := h.inner.(driver.Importer)
	if !ok {
		return errors.ErrUnsupported
	}
	h.writes(req.Key, req.ExpiresAt)
	err := i.Import(ctx, req)
	h.t.called("Import({%s keep=%d%s now=%s}) = %v", show(req.Info), req.Keep, showMatch(req.Match), clock(req.Now), err)
	return err
}

func (h *handle) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	l, ok := h.inner.(driver.NamespaceLister)
	if !ok {
		return func(yield func(string, error) bool) { yield("", errors.ErrUnsupported) }
	}
	return l.Namespaces(ctx)
}

func (h *handle) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	r, ok := h.inner.(driver.Rewriter)
	if !ok {
		return errors.ErrUnsupported
	}
	err := r.Rewrite(ctx, req)
	h.t.called("Rewrite({%q version=%d id=%s %d bytes %s created=%s now=%s}) = %v", req.Thread, req.Version, req.ID, len(req.Payload), req.Encoding, clock(req.CreatedAt), clock(req.Now), err)
	return err
}

func (h *handle) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	f, ok := h.inner.(driver.Finder)
	if !ok {
		return driver.Info{}, errors.ErrUnsupported
	}
	info, err := f.Find(ctx, req)
	h.t.called("Find({%q id=%s now=%s}) = %s, %v", req.Thread, req.ID, clock(req.Now), show(info), err)
	return info, err
}

func (h *handle) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	r, ok := h.inner.(driver.VersionReader)
	if !ok {
		return func(yield func(driver.Checkpoint, error) bool) { yield(driver.Checkpoint{}, errors.ErrUnsupported) }
	}
	call := fmt.Sprintf("Versions({%q from=%d to=%d newest=%t limit=%d now=%s})", req.Thread, req.From, req.To, req.Newest, req.Limit, clock(req.Now))
	return iterate(h, call, r.Versions(ctx, req))
}

func (h *handle) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	d, ok := h.inner.(driver.PrefixDeleter)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	h.settle(ctx) // a database whose index lags finds the threads by it
	n, err := d.DeletePrefix(ctx, req)
	h.t.called("DeletePrefix({%q prefix=%q now=%s}) = %d, %v", req.Namespace, req.Prefix, clock(req.Now), n, err)
	return n, err
}

func (h *handle) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	p, ok := h.inner.(driver.Patcher)
	if !ok {
		return driver.Info{}, errors.ErrUnsupported
	}
	h.writes(req.Key, req.ExpiresAt)
	info, err := p.SavePatch(ctx, req)
	h.t.called("SavePatch(%s base=%d previous=%s %s) = %s, %v", showSave(req.SaveRequest), req.Base, req.Previous.ID, req.Previous.Digest, show(info), err)
	return info, err
}

func (h *handle) SetLogger(l *slog.Logger) {
	if s, ok := h.inner.(driver.LoggerSetter); ok {
		s.SetLogger(l)
	}
}

// show prints an Info for a failure.
func show(i driver.Info) string {
	if i.Version == 0 && i.ID == "" {
		return "nothing"
	}
	return fmt.Sprintf("{%q v%d id=%s size=%d %s metadata=%d created=%s saved=%s expires=%s}",
		i.Thread, i.Version, i.ID, i.Size, i.Encoding, len(i.Metadata), clock(i.CreatedAt), clock(i.SavedAt), clock(i.ExpiresAt))
}

// showSave prints a SaveRequest for a failure.
func showSave(r driver.SaveRequest) string {
	return fmt.Sprintf("{%q id=%s %d bytes %s metadata=%d now=%s expires=%s keep=%d%s}",
		r.Thread, r.ID, len(r.Payload), r.Encoding, len(r.Metadata), clock(r.Now), clock(r.ExpiresAt), r.Keep, showMatch(r.Match))
}

// showMatch prints a condition for a failure.
func showMatch(m driver.Match) string {
	switch {
	case m.Absent:
		return " if absent"
	case m.Exists:
		return " if it exists"
	case m.ID != "":
		return " if " + m.ID
	case m.Version != 0:
		return fmt.Sprintf(" if v%d", m.Version)
	}
	return ""
}

// clock prints a time for a failure.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format("2006-01-02T15:04:05.999999999Z07:00")
}
