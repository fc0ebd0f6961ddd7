package checkpointtest

import (
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// DSNs says what the cases of [RunDriver] need to know of a driver. Nothing needs to
// be there where they lead to: but for Server and File, no case uses what it opens.
type DSNs struct {
	Names []string // under which the driver is registered: the schemes of its whole URLs

	// Valid has a DSN of every form that the driver reads, for each of Names at least
	// one whole URL, "NAME:…". Invalid has some that it refuses.
	Valid, Invalid []string

	// Words are the words that the driver knows, each with a value that it takes
	// beside the first of Valid: "timeout=5s".
	Words []string

	// Secret is a password that stands in some of Valid and Invalid, and nowhere else
	// in them. "" where a DSN of this driver has no place for one.
	Secret string

	// One of these is for a driver that connects, the other for one that keeps its
	// data in a file. They return the DSN of a server at an address, "127.0.0.1:6379",
	// and of a file in a folder. Both are nil where the data is in memory.
	Server func(address string) string
	File   func(folder string) string
}

// RunDriver runs the cases about [driver.Driver.Open] as subtests of t. A driver's
// test calls it beside [Run], which judges what Open returns:
//
//	func TestOpen(t *testing.T) {
//		checkpointtest.RunDriver(t, new(mydb.Driver), checkpointtest.DSNs{
//			Names: []string{"mydb"},
//			Valid: []string{"mydb://user:s3cret@localhost/agents"},
//			Words: []string{"timeout=5s"},
//			…
//		})
//	}
func RunDriver(t *testing.T, d driver.Driver, dsns DSNs) {
	t.Helper()
	s := newSuite(nil)
	for _, c := range openCases(d, dsns) {
		t.Run(c.name, func(t *testing.T) { s.runTest(t, c) })
	}
}

// openCases are about the contract of driver.Driver, which is none of the numbered
// rules.
func openCases(d driver.Driver, dsns DSNs) []testCase {
	cases := []struct {
		name, text string
		run        func(*opening)
	}{
		{"Open/Valid", "Open accepts every form of DSN that the driver has, and what it returns can be closed unused.", openValid},
		{"Open/WholeURL", "A DSN that begins with a name of the driver and a colon is a whole URL, and is accepted.", openWholeURL},
		{"Open/Invalid", "Open checks the whole DSN, and what it refuses is ErrInvalid.", openInvalid},
		{"Open/ForeignURL", "The URL of another database is refused, and not shown.", openForeignURL},
		{"Open/UnknownWord", "An unknown word is refused with an error that names it and the words allowed, and shows no value.", openUnknownWord},
		{"Open/RepeatedWord", "A word that stands there twice is refused with an error that names it.", openRepeatedWord},
		{"Open/Secrets", "No error of Open and nothing that prints a backend shows a password.", openSecrets},
		{"Open/NoConnection", "Open makes no connection; the first operation does.", openNoConnection},
		{"Open/NoFile", "Open makes no file; the first operation does.", openNoFile},
	}
	all := make([]testCase, len(cases))
	for i, c := range cases {
		all[i] = testCase{name: c.name, text: c.text, run: func(t *trial) { c.run(&opening{trial: t, driver: d, dsns: dsns}) }}
	}
	return all
}

// An opening is a trial of a driver.
type opening struct {
	*trial
	driver driver.Driver
	dsns   DSNs
}
