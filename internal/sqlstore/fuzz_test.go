package sqlstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// FuzzRow scans a row with one column of any type and value, and others of what
// a damaged row may hold: it is a checkpoint or ErrCorrupt.
func FuzzRow(f *testing.F) {
	columns := []any{"thread", "id", int64(3), int64(2), "json", []byte(`{"k":"v"}`), int64(1), int64(2), nil, int64(0)}
	for column := range columns {
		for kind := range 7 {
			for _, value := range []string{"", "x", "{", `{"k":1}`, `{"k":null}`, "null", "\xff"} {
				f.Add(column, kind, value, int64(-1))
			}
		}
	}
	f.Fuzz(func(t *testing.T, column, kind int, text string, n int64) {
		if column < 0 || column >= len(columns) {
			t.Skip()
		}
		var row sqlstore.Row
		for i, dest := range row.Dest() {
			src := columns[i]
			if i == column {
				src = columnValue(kind, text, n)
			}
			if err := dest.(sql.Scanner).Scan(src); err != nil {
				if !errors.Is(err, driver.ErrCorrupt) {
					t.Errorf("column %d with %v: %v, want ErrCorrupt", i, src, err)
				}
				return
			}
		}
		info, err := row.Info("namespace")
		switch {
		case err != nil && !errors.Is(err, driver.ErrCorrupt):
			t.Errorf("column %d with %q or %d: %v, want ErrCorrupt", column, text, n, err)
		case err == nil && (info.Version < 1 || info.Size < 0 || info.CreatedAt.IsZero() || info.SavedAt.IsZero() || info.Namespace != "namespace"):
			t.Errorf("column %d with %q or %d: %+v, want a version, a size and times", column, text, n, info)
		}
	})
}

// columnValue is a value of one of the types that a database returns.
func columnValue(kind int, text string, n int64) any {
	switch kind {
	case 0:
		return text
	case 1:
		return []byte(text)
	case 2:
		return n
	case 3:
		return float64(n)
	case 4:
		return n%2 == 0
	case 5:
		return time.UnixMicro(n)
	}
	return nil
}

// FuzzMetadata: what DecodeMetadata reads, EncodeMetadata writes as text that
// reads the same; anything else is ErrCorrupt.
func FuzzMetadata(f *testing.F) {
	for _, text := range []string{"", "{}", "null", `{"k":"v"}`, `{"ü'":"\n%","\\":"{}"}`, `{"k":null}`, `{"k":1}`, `{"k":"v","k":"w"}`, `["k"]`, `{"\ud800":"\u0000"}`, "{\"\xff\":\"\"}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := sqlstore.DecodeMetadata(text)
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("DecodeMetadata(%q): %v, want ErrCorrupt", text, err)
			}
			return
		}
		var encoded []byte
		if v := sqlstore.EncodeMetadata(first); v != nil {
			encoded = fmt.Append(nil, v)
		}
		again, err := sqlstore.DecodeMetadata(encoded)
		if err != nil || !maps.Equal(first, again) {
			t.Errorf("DecodeMetadata(%q) = %q, written and read again %q, %v", text, first, again, err)
		}
	})
}
