package driver

// Pooler is implemented by backends that keep a pool of connections.
type Pooler interface {
	// Pool says how the pool is used at the moment. It MUST NOT do any I/O or wait,
	// and works on a closed backend.
	Pool() Pool
}

// A Pool says how many connections there are.
type Pool struct {
	Open  int // connections that are established
	InUse int // of these, those that an operation has
	Max   int // as many as there may be; 0 where the backend does not know
}
