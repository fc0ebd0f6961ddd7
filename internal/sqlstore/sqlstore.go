// Package sqlstore is what the SQL drivers share: how a row becomes an Info,
// how metadata is written, how listings are paged, and how statements and
// names of tables are made.
//
// The statements themselves, and how many of them a save takes, are each
// driver's own: a database across a network wants one round trip, an embedded
// one wants few dirty pages.
package sqlstore

import "iter"

// The first page of an iteration is small, because most callers want only the
// first few; each further page is twice as long, up to the size at which a
// page costs much more than asking for it.
const (
	firstPage = 128
	lastPage  = 1024
)

// Pages yields limit items, or all of them when limit is 0. fetch returns up
// to n items that follow last, which is nil for the first page, and fewer than
// n only at the end, or before an error. Nothing of the database is in use while the loop's body
// runs, as long as fetch has let go of it when it returns.
//
// Every use of the iterator starts from the beginning.
func Pages[T any](limit int, fetch func(last *T, n int) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for left, size := limit, firstPage; ; size = min(2*size, lastPage) {
			n := size
			if limit > 0 {
				n = min(n, left)
			}
			page, err := fetch(last, n)
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			if left -= len(page); len(page) < n || left == 0 {
				return
			}
			last = &page[len(page)-1]
		}
	}
}

// Batches calls remove, which removes up to size things and returns how many,
// until there are fewer, and returns the sum. With an error it returns the
// number removed so far.
func Batches(size int, remove func(size int) (int64, error)) (int64, error) {
	var sum int64
	for {
		n, err := remove(size)
		sum += n
		if err != nil || n < int64(size) {
			return sum, err
		}
	}
}
