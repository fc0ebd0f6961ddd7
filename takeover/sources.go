package takeover

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// mostBytes bounds a state that is read: what a store holds at most by default.
const mostBytes = checkpoint.DefaultMaxStateSize

// JSONLines yields the states of JSON Lines, an object a line:
//
//	{"thread": "user-1", "state": {"step": 3}}
//	{"thread": "user-1", "state": {"step": 4}, "saved_at": "2026-05-01T12:00:00Z", "expires_at": "2027-05-01T12:00:00Z"}
//
// Lines that hold nothing are passed over. A line is 16 MiB long at most; one that is
// longer, is no such object or has other keys is an error with its number.
func JSONLines(r io.Reader) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), mostBytes)
		n := 0
		for lines.Scan() {
			n++
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			s, err := lineState(line)
			if err != nil {
				yield(State{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d bytes: %w", mostBytes, checkpoint.ErrTooLarge)
		}
		if err != nil {
			yield(State{}, fmt.Errorf("line %d: %w", n+1, err))
		}
	}
}

func lineState(line []byte) (State, error) {
	var s struct {
		Thread    *string         `json:"thread"`
		State     json.RawMessage `json:"state"`
		SavedAt   time.Time       `json:"saved_at"`
		ExpiresAt time.Time       `json:"expires_at"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return State{}, fmt.Errorf("not an object with thread and state, saved_at and expires_at at most: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return State{}, errors.New("there is more than one object in it")
	}
	if s.Thread == nil || s.State == nil {
		return State{}, errors.New(`"thread" or "state" is missing`)
	}
	return State{*s.Thread, s.State, s.SavedAt, s.ExpiresAt}, nil
}

// Folder yields the files *.json of a folder and of those in it, in the order of
// their names: a thread each, whose name is the file's path without .json and whose
// SavedAt is when the file was changed last. A file is 16 MiB large at most. Other
// files, and links to folders, are passed over.
//
//	takeover.Folder(os.DirFS("sessions"))
func Folder(folder fs.FS) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() || path.Ext(name) != ".json" {
				return nil
			}
			s, err := fileState(folder, name)
			if err != nil {
				return err
			}
			if !yield(s, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(State{}, err)
		}
	}
}

func fileState(folder fs.FS, name string) (State, error) {
	f, err := folder.Open(name)
	if err != nil {
		return State{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return State{}, err
	}
	if !info.Mode().IsRegular() {
		return State{}, fmt.Errorf("%s is no regular file", name)
	}
	b, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return State{}, err
	}
	if len(b) > mostBytes {
		return State{}, fmt.Errorf("%s has more than %d bytes: %w", name, mostBytes, checkpoint.ErrTooLarge)
	}
	return State{Thread: strings.TrimSuffix(name, ".json"), JSON: b, SavedAt: info.ModTime()}, nil
}

// Query yields the rows of a query: the thread, its state as JSON and, where they
// are selected, the time at which it was saved and the time at which it expires. A
// time is what the database has for one, text as in 2026-05-01T12:00:00Z or
// 2026-05-01 12:00:00, or the seconds since 1970; NULL is none. The query is run as it
// is, with args; it should order the states of a thread, the oldest first.
func Query(ctx context.Context, db *sql.DB, query string, args ...any) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		if err := queryStates(ctx, db, query, args, func(s State) bool { return yield(s, nil) }); err != nil {
			yield(State{}, err)
		}
	}
}

func queryStates(ctx context.Context, db *sql.DB, query string, args []any, yield func(State) bool) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("the query failed: %w", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	if len(columns) < 2 || len(columns) > 4 {
		return fmt.Errorf("the query selects %d columns; want the thread, the state and, if they are known, when it was saved and when it expires", len(columns))
	}
	for n := 1; rows.Next(); n++ {
		var thread sql.NullString
		var state sql.RawBytes
		var saved, expires any
		if err := rows.Scan([]any{&thread, &state, &saved, &expires}[:len(columns)]...); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if !thread.Valid || state == nil {
			return fmt.Errorf("row %d: the thread or the state is NULL; leave such rows out by a WHERE", n)
		}
		s := State{Thread: thread.String, JSON: bytes.Clone(state)}
		if s.SavedAt, err = timeOf(saved); err == nil {
			s.ExpiresAt, err = timeOf(expires)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if !yield(s) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("the query failed: %w", err)
	}
	return nil
}

func timeOf(v any) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return v, nil
	case int64:
		return time.Unix(v, 0), nil
	case float64:
		return time.UnixMicro(int64(v * 1e6)), nil
	case []byte:
		return timeOf(string(v))
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", time.DateTime, time.DateOnly} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, errors.New("a time is wanted, as 2026-05-01T12:00:00Z or in seconds since 1970")
}
