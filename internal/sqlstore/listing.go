package sqlstore

import (
	"errors"
	"iter"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// List pages through the threads that req asks for. fetch returns, in
// ascending byte order, up to n live threads of the namespace with
// low <= name, and name < high unless high is "", and fewer than n only at the
// end. Both bounds are valid UTF-8 without NUL. When no name can be asked for,
// fetch is called with n = 0 and reports whether the backend can be used.
//
// After a RowError, with which fetch returns the rows before, the list goes on behind
// the thread that cannot be read.
func List(req driver.ListRequest, fetch func(low, high string, n int) ([]driver.Info, error)) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		for rest, left := req, req.Limit; ; {
			rest.Limit = left
			var bad *RowError
			for info, err := range listed(rest, fetch) {
				if errors.As(err, &bad) && bad.Thread != "" {
					info.Key = driver.Key{Namespace: req.Namespace, Thread: bad.Thread}
					rest.After = bad.Thread
				}
				left--
				if !yield(info, err) {
					return
				}
			}
			if bad == nil || bad.Thread == "" || req.Limit > 0 && left == 0 {
				return
			}
		}
	}
}

// listed is List up to the first error.
func listed(req driver.ListRequest, fetch func(low, high string, n int) ([]driver.Info, error)) iter.Seq2[driver.Info, error] {
	return Pages(req.Limit, func(last *driver.Info, n int) ([]driver.Info, error) {
		after := req.After
		if last != nil {
			after = last.Thread
		}
		low, high, ok := names.Range(req.Prefix, after)
		if !ok {
			n = 0
		}
		return fetch(low, high, n)
	})
}

// History pages through the versions that req asks for. fetch returns, newest
// first, up to n kept versions of the live thread that are lower than before,
// where 0 stands for no bound, and fewer than n only at the end.
//
// A thread that is deleted and saved again between two pages does not continue
// with versions of its new life: the history ends where a gap would begin.
func History(req driver.HistoryRequest, fetch func(before int64, n int) ([]driver.Info, error)) iter.Seq2[driver.Info, error] {
	return Pages(req.Limit, func(last *driver.Info, n int) ([]driver.Info, error) {
		if last == nil {
			return fetch(req.Before, n)
		}
		page, err := fetch(last.Version, n)
		if len(page) > 0 && page[0].Version != last.Version-1 {
			page = nil
		}
		return page, err
	})
}

// Namespaces pages through namespaces. fetch returns, in ascending byte order,
// up to n that are greater than after, and fewer than n only at the end.
func Namespaces(fetch func(after string, n int) ([]string, error)) iter.Seq2[string, error] {
	return Pages(0, func(last *string, n int) ([]string, error) {
		if last == nil {
			return fetch("", n)
		}
		return fetch(*last, n)
	})
}
