package driver

// Exampler is implemented by drivers that can show how a store of theirs is
// named. The command's "drivers" prints it.
type Exampler interface {
	// ExampleDSN returns a DSN for the name that the driver was registered
	// under, as a whole URL whose scheme is that name. It has no password, and
	// Open accepts it.
	ExampleDSN(name string) string
}
