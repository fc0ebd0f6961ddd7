package driver

// Locator is implemented by backends whose data is on this machine and not in a
// server. With it the command makes no new database of a mistyped file name, and
// does not copy states to where they end with the process.
type Locator interface {
	// Location says where the data is, from the DSN alone: it MUST NOT do any
	// I/O, and works on a closed backend.
	Location() Location
}

// A Location says where a backend on this machine keeps its data. The zero
// Location says nothing.
type Location struct {
	File    string // the file, or folder, that holds the data; the first operation makes it
	Memory  bool   // the data is in this process's memory, and gone with it
	Private bool   // no other handle opened with the same DSN sees the data
}
