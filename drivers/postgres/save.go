package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// maxPayload is what fits into a field and the message that brings it, which
// PostgreSQL limits to a gigabyte.
const maxPayload = 1<<30 - 1<<20

// save writes a checkpoint, whole or as a patch, whose Base is not 0.
func (o operation) save(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	asked := driver.Info{Key: req.Key, ID: req.ID}
	r := saveResult{info: driver.Info{
		Key: req.Key, ID: req.ID, Size: len(req.Payload), Encoding: req.Encoding, Base: req.Base,
		Metadata: backends.CloneMetadata(req.Metadata), SavedAt: req.Now, ExpiresAt: req.ExpiresAt,
	}}
	metadata := sqlstore.EncodeMetadata(req.Metadata)
	var err error
	direct, more := o.direct(req)
	if direct != "" {
		err = o.put(ctx, direct, req.Payload, req.Encoding, r.readDirect, func(state, payload any) []any {
			return append([]any{
				req.Namespace, req.Thread, req.ID, state, payload, len(req.Payload), req.Encoding,
				metadata, req.Now, nullTime(req.ExpiresAt),
			}, more...)
		})
	}
	args := func(state, payload any, link ...any) []any {
		return append([]any{
			req.Namespace, req.Thread, req.ID, state, payload, len(req.Payload), req.Encoding,
			metadata, req.Now, req.Now, nullTime(req.ExpiresAt), int64(req.Keep),
			req.Match.Absent, req.Match.Exists, nullText(req.Match.ID), nullVersion(req.Match.Version), nil, nil,
		}, link...)
	}
	called := err == nil && r.outcome == ""
	switch {
	case !called:
	case req.Digest != "":
		err = o.putLink(ctx, req, r.read, args)
	default:
		err = o.put(ctx, "save", req.Payload, req.Encoding, r.read, func(state, payload any) []any {
			return args(state, payload, nil, nil, nil, nil, nil)
		})
	}
	switch {
	case errors.As(err, new(errLost)) && !o.closed.Load() && backends.Ended(ctx) == nil:
		if info, found := o.known(ctx, req.SaveRequest); found {
			return info, nil
		}
		return asked, err
	case err != nil:
		return asked, err
	}
	if req.Digest == "" {
		o.contend(direct, called, r.outcome)
	}
	return r.result()
}

// putLink saves a payload into the table of chains. docs/design.md, "Incremental
// saves".
func (o operation) putLink(ctx context.Context, req driver.PatchRequest, rows func(*sql.Rows) error, args func(state, payload any, link ...any) []any) error {
	if len(req.Payload) > maxPayload {
		return tooLarge(req.Payload)
	}
	link := req.Payload
	if link == nil {
		link = []byte{} // nil would be NULL
	}
	o.chains.Store(chainLoads)
	return o.run(ctx, statement{name: "save", rows: rows, args: args(
		strconv.FormatInt(req.Base, 10), []byte{},
		req.Digest, req.Base, link, nullText(req.Previous.ID), nullText(req.Previous.Digest),
	)})
}

func tooLarge(payload []byte) error {
	return fmt.Errorf("%w: it has %d bytes, and PostgreSQL holds at most %d", driver.ErrTooLarge, len(payload), maxPayload)
}

// importCheckpoint takes a checkpoint over as it is.
func (o operation) importCheckpoint(ctx context.Context, req driver.ImportRequest) error {
	r := saveResult{info: req.Info}
	metadata := sqlstore.EncodeMetadata(req.Metadata)
	var err error
	direct := o.directImport(req)
	if direct != "" {
		err = o.put(ctx, direct, req.Payload, req.Encoding, r.readDirect, func(state, payload any) []any {
			return []any{
				req.Namespace, req.Thread, req.ID, state, payload, len(req.Payload), req.Encoding,
				metadata, req.SavedAt, nullTime(req.ExpiresAt), req.Version, req.CreatedAt,
			}
		})
	}
	called := err == nil && r.outcome == ""
	if called {
		err = o.put(ctx, "save", req.Payload, req.Encoding, r.read, func(state, payload any) []any {
			return []any{
				req.Namespace, req.Thread, req.ID, state, payload, len(req.Payload), req.Encoding,
				metadata, req.Now, req.SavedAt, nullTime(req.ExpiresAt), int64(req.Keep),
				req.Match.Absent, req.Match.Exists, nullText(req.Match.ID), nullVersion(req.Match.Version), req.Version, req.CreatedAt,
				nil, nil, nil, nil, nil,
			}
		})
	}
	if err != nil {
		return err
	}
	o.contend(direct, called, r.outcome)
	_, err = r.result()
	return err
}

// rewrite exchanges the payload of a version.
func (o operation) rewrite(ctx context.Context, req driver.RewriteRequest) error {
	// The version may become an old one while the statement waits for the row,
	// and is then in the history, where it stays, when the next one begins.
	for range 2 {
		var n int64
		err := o.put(ctx, "rewrite", req.Payload, req.Encoding, one(&n), func(state, payload any) []any {
			return []any{req.Namespace, req.Thread, req.Now, req.Version, req.ID, state, payload, len(req.Payload), req.Encoding, nullText(req.Digest), nullTime(req.CreatedAt)}
		})
		if err != nil || n > 0 {
			return err
		}
	}
	return driver.ErrNotFound
}

// put runs a statement that stores a payload: JSON as JSONB where that can hold
// it, and everything else as bytes, beside a JSON null.
func (o operation) put(ctx context.Context, name string, payload []byte, encoding string, rows func(*sql.Rows) error, args func(state, payload any) []any) error {
	if len(payload) > maxPayload {
		return tooLarge(payload)
	}
	if encoding == "json" && fitsJSONB(payload) {
		err := o.run(ctx, statement{name: name, args: args(payload, nil), rows: rows})
		if !errors.As(err, new(errState)) {
			return err
		}
	}
	if payload == nil {
		payload = []byte{} // nil would be NULL
	}
	return o.run(ctx, statement{name: name, args: args("null", payload), rows: rows})
}

// known looks for a save whose reply was lost. It is not repeated: when other
// saves came after it and kept no history, nothing would be left to recognise
// it by.
func (o operation) known(ctx context.Context, req driver.SaveRequest) (info driver.Info, found bool) {
	ctx, cancel := context.WithDeadline(ctx, o.start.Add(replyPatience))
	defer cancel()
	info, err := o.find(ctx, driver.FindRequest{Key: req.Key, ID: req.ID, Now: req.Now})
	return info, err == nil
}

// A saveResult reads what the function that saves returns: an outcome, and the
// columns of a sqlstore.Row, of which only the version and the creation are
// filled in when the save was applied.
type saveResult struct {
	outcome string
	info    driver.Info
}

func (r *saveResult) read(rows *sql.Rows) error {
	if !rows.Next() {
		return rows.Err() // none: an error that comes with the end of the rows
	}
	var version sql.NullInt64
	var created sql.NullTime
	if err := rows.Scan(&r.outcome, skip{}, skip{}, &version, skip{}, skip{}, skip{}, &created, skip{}, skip{}, skip{}); err != nil {
		return damaged(err)
	}
	switch r.outcome {
	case "moved":
		return errMoved
	case "saved":
		r.info.Version, r.info.CreatedAt = version.Int64, created.Time.UTC()
	case "known", "conflict":
		var row sqlstore.Row
		if err := rows.Scan(append([]any{skip{}}, row.Dest()...)...); err != nil {
			return damaged(err)
		}
		var err error
		r.info, err = row.Info(r.info.Namespace)
		return err
	}
	return nil
}

// readDirect reads what a direct save returns: nothing, or the version and the
// creation of what it has saved.
func (r *saveResult) readDirect(rows *sql.Rows) error {
	r.outcome = ""
	if !rows.Next() {
		return rows.Err()
	}
	if err := rows.Scan(&r.info.Version, &r.info.CreatedAt); err != nil {
		return damaged(err)
	}
	r.outcome, r.info.CreatedAt = "saved", r.info.CreatedAt.UTC()
	return nil
}

// result is what a save returns.
func (r *saveResult) result() (driver.Info, error) {
	switch r.outcome {
	case "saved", "known":
		return r.info, nil
	case "conflict":
		return driver.Info{}, &driver.ConflictError{Current: r.info}
	case "absent":
		return driver.Info{}, &driver.ConflictError{}
	case "base":
		return driver.Info{}, driver.ErrBase
	case "highest":
		return driver.Info{}, backends.ErrHighestVersion
	}
	return driver.Info{}, fmt.Errorf("%w: the function that saves returned no outcome that this version knows", driver.ErrCorrupt)
}

// skip is a destination for a column that is not needed.
type skip struct{}

// Scan implements sql.Scanner.
func (skip) Scan(any) error { return nil }

// damaged is the error of a column that is not what it should be. What
// database/sql says of it can show the value.
func damaged(err error) error {
	if errors.Is(err, driver.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: a column has an unexpected type", driver.ErrCorrupt)
}

// one reads a single number.
func one(n *int64) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		if !rows.Next() {
			return rows.Err()
		}
		return rows.Scan(n)
	}
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullVersion(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}
