package driver

// SelfPreparer is implemented by backends whose first operation, whichever it is, does
// what Ping does, and joins it with what it does anyway: so it takes fewer round trips
// than a Ping and the operation. Package checkpoint pings them only where the
// application does. Without this interface it pings before the first operation.
//
// An operation on a database that is not prepared MUST be as good as one after a Ping:
// concurrent first operations, of many processes, included.
type SelfPreparer interface {
	Backend

	// PreparesItself marks the backend and does nothing.
	PreparesItself()
}
