// Package browser tests the page of "checkpoint ui" in Debian's chromium, through every
// action, on SQLite, PostgreSQL and Redis. It is a module of its own, so that the client
// of the browser is nobody's dependency.
//
//	go test .                                        # needs chromium
//	go test . -run 'TestPage/sqlite|TestReading' -screenshots ../../../docs
package browser
