package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A Row receives the columns that make an Info, in this order:
//
//	thread   text
//	id       text
//	version  integer
//	size     integer
//	encoding text
//	metadata JSON, or NULL for none (see EncodeMetadata)
//	created  a time, or an integer: microseconds since 1970
//	saved    likewise
//	expires  likewise, or NULL for never
//	base     integer: of a chain of patches, 0 where it is whole
//
// A column that holds something else is driver.ErrCorrupt, and the error says
// which column and never what was in it.
type Row struct {
	thread, id, encoding    Text
	metadata                metadata
	version, size, base     integer
	created, saved, expires timestamp
}

// Dest returns what to hand to Scan, followed by the caller's own columns.
func (r *Row) Dest(more ...any) []any {
	return append([]any{
		&r.thread, &r.id, &r.version, &r.size, &r.encoding, &r.metadata, &r.created, &r.saved, &r.expires, &r.base,
	}, more...)
}

// Size returns the size of the payload as it was scanned.
func (r *Row) Size() int64 { return int64(r.size) }

// Info returns what was scanned. The metadata is the caller's own. With an error
// it holds what is known.
func (r *Row) Info(namespace string) (driver.Info, error) {
	info := driver.Info{
		Key:       driver.Key{Namespace: namespace, Thread: string(r.thread)},
		ID:        string(r.id),
		Version:   int64(r.version),
		Size:      int(r.size),
		Encoding:  string(r.encoding),
		Base:      int64(r.base),
		CreatedAt: r.created.Time,
		SavedAt:   r.saved.Time,
		ExpiresAt: r.expires.Time,
	}
	if r.created.IsZero() || r.saved.IsZero() || r.version < 1 || r.size < 0 || r.size > math.MaxInt || r.base < 0 || r.base >= r.version {
		return info, fmt.Errorf("%w: thread %q has a row without a version, a size or a time", driver.ErrCorrupt, r.thread)
	}
	var err error
	if info.Metadata, err = DecodeMetadata([]byte(r.metadata)); err != nil {
		return info, fmt.Errorf("thread %q version %d: %w", r.thread, r.version, err)
	}
	return info, nil
}

// A RowError is the error of a row that cannot be read. It matches
// driver.ErrCorrupt.
type RowError struct {
	Thread string
	err    error
}

func (e *RowError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong with the row.
func (e *RowError) Unwrap() error { return e.err }

// Infos reads every row of rows, whose columns are those of a Row, and closes
// it. The error is the database's own, for the driver to classify, or a RowError; the
// rows before it are returned too.
func Infos(rows *sql.Rows, namespace string, n int) ([]driver.Info, error) {
	defer rows.Close()
	infos := make([]driver.Info, 0, n)
	var row Row
	dest := row.Dest()
	for rows.Next() {
		row.thread = ""
		if err := rows.Scan(dest...); err != nil {
			if errors.Is(err, driver.ErrCorrupt) {
				err = &RowError{string(row.thread), err}
			}
			return infos, err
		}
		info, err := row.Info(namespace)
		if err != nil {
			return infos, &RowError{info.Thread, err}
		}
		infos = append(infos, info)
	}
	return infos, rows.Err()
}

// Micros is the integer that stands for t in a column of microseconds.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// NullMicros is Micros, or NULL for the zero time.
func NullMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// The types below read a column without database/sql's own conversions, whose
// errors show the value.

// Text receives a text.
type Text string

// Scan implements sql.Scanner.
func (t *Text) Scan(src any) error {
	switch v := src.(type) {
	case string:
		*t = Text(v)
	case []byte:
		*t = Text(v)
	default:
		return damaged("text", src)
	}
	return nil
}

// NullText receives a text, or NULL, which is "".
type NullText string

// Scan implements sql.Scanner.
func (t *NullText) Scan(src any) error {
	if src == nil {
		*t = ""
		return nil
	}
	return (*Text)(t).Scan(src)
}

type metadata []byte

// Scan implements sql.Scanner.
func (m *metadata) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*m = (*m)[:0]
	case string:
		*m = append((*m)[:0], v...)
	case []byte:
		*m = append((*m)[:0], v...)
	default:
		return damaged("text", src)
	}
	return nil
}

type integer int64

// Scan implements sql.Scanner.
func (i *integer) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return damaged("an integer", src)
	}
	*i = integer(v)
	return nil
}

type timestamp struct{ time.Time }

// Scan implements sql.Scanner.
func (t *timestamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	case time.Time:
		t.Time = v.UTC()
	default:
		return damaged("a time", src)
	}
	return nil
}

func damaged(want string, src any) error {
	return fmt.Errorf("%w: a column that should hold %s holds a %T", driver.ErrCorrupt, want, src)
}
