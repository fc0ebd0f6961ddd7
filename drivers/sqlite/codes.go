package sqlite

import (
	"errors"
	"reflect"
	"strings"

	sqlite "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// code returns SQLite's result code, without what extends it, or 0 if err is
// not from SQLite.
func code(err error) int { return extendedCode(err) & 0xff }

// busy reports whether err says that somebody else holds a lock, so that
// nothing has happened and another try may succeed.
func busy(err error) bool {
	c := code(err)
	return c == codes.SQLITE_BUSY || c == codes.SQLITE_LOCKED || c == codes.SQLITE_PROTOCOL
}

// contradicts reports whether a row that is already there stands in the way of
// one that the driver's own transaction found to be the next: somebody else has
// changed the rows. Triggers of somebody's own refuse with another code.
func contradicts(err error) bool {
	c := extendedCode(err)
	return c == codes.SQLITE_CONSTRAINT_UNIQUE || c == codes.SQLITE_CONSTRAINT_PRIMARYKEY
}

// extendedCode returns SQLite's extended result code, or 0 if err is not from
// SQLite. A pool that New was given may be another library's.
func extendedCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	for err != nil {
		if c := foreignCode(err); c != 0 {
			return c
		}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range several.Unwrap() {
				if c := extendedCode(one); c != 0 {
					return c
				}
			}
			return 0
		}
		err = errors.Unwrap(err)
	}
	return 0
}

// foreignCode reads the code of an error of another SQLite library, none of which is
// linked here: ncruces/go-sqlite3 has methods ExtendedCode and Code, mattn/go-sqlite3
// and what descends from it have fields of these names, and each has integer types of
// its own for them.
func foreignCode(err error) int {
	v := reflect.ValueOf(err)
	if name := v.Type().String(); !strings.Contains(name, "sqlite") && !strings.Contains(name, "sqlcipher") {
		return 0
	}
	for _, method := range []reflect.Value{v.MethodByName("ExtendedCode"), v.MethodByName("Code")} {
		if method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
			if c := integer(method.Call(nil)[0]); c != 0 {
				return c
			}
		}
	}
	if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
		return integer(v) // an error that is a code
	}
	if c := integer(v.FieldByName("ExtendedCode")); c != 0 {
		return c
	}
	return integer(v.FieldByName("Code"))
}

// integer returns a value of any type of integers as an int, 0 for all else.
func integer(v reflect.Value) int {
	switch {
	case v.IsValid() && v.CanInt():
		return int(v.Int())
	case v.IsValid() && v.CanUint():
		return int(v.Uint())
	}
	return 0
}
