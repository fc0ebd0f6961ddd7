package sqlite

import (
	"errors"
	"fmt"
	"testing"
)

// What the libraries behind New have, as far as it matters: a struct with fields, and
// types with methods.
type (
	sqliteCode     uint8
	sqliteExtended uint16

	sqliteFields struct {
		Code         int
		ExtendedCode int
	}
	sqliteMethods struct{ code sqliteExtended }
)

func (sqliteFields) Error() string                    { return "fields" }
func (*sqliteMethods) Error() string                  { return "methods" }
func (e *sqliteMethods) Code() sqliteCode             { return sqliteCode(e.code) }
func (e *sqliteMethods) ExtendedCode() sqliteExtended { return e.code }
func (sqliteExtended) Error() string                  { return "a code" }

// TestForeignCodes: errors of other libraries have their codes, wrapped or not, and
// errors that are not of SQLite have none.
func TestForeignCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err            error
		code, extended int
	}{
		{sqliteFields{Code: 19, ExtendedCode: 2067}, 19, 2067},
		{sqliteFields{Code: 5}, 5, 5},
		{&sqliteFields{Code: 13, ExtendedCode: 13}, 13, 13},
		{&sqliteMethods{2067}, 19, 2067},
		{sqliteExtended(773), 5, 773},
		{fmt.Errorf("wrapped: %w", &sqliteMethods{261}), 5, 261},
		{errors.Join(errors.New("another"), sqliteFields{Code: 26}), 26, 26},
		{fmt.Errorf("%w and %w", errors.New("another"), sqliteFields{Code: 11}), 11, 11},
		{errors.New("another"), 0, 0},
		{(*sqliteFields)(nil), 0, 0},
		{nil, 0, 0},
	} {
		if code(tt.err) != tt.code || extendedCode(tt.err) != tt.extended {
			t.Errorf("%T: code %d, extended %d, want %d, %d", tt.err, code(tt.err), extendedCode(tt.err), tt.code, tt.extended)
		}
	}
	if !busy(sqliteFields{Code: 5, ExtendedCode: 517}) || busy(sqliteFields{Code: 13}) || !contradicts(&sqliteMethods{1555}) {
		t.Error("busy and contradicts do not go by these codes")
	}
}
