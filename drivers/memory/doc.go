// Package memory is the checkpoint driver that keeps everything in the
// process: for tests, for examples, and for states that may be lost when the
// process ends.
//
// Its data source names are
//
//	""             a store of its own for each Open
//	"memory:"      the same
//	"memory:NAME"  the store called NAME, shared by everything in the process
//	               that opens it; NAME is 1 to 128 of A-Z a-z 0-9 . _ -
//
// A named store lives as long as the process, also while no handle on it is
// open. The driver has no words of its own after a '?'.
//
// Nothing is ever written to a disk. An expired thread is invisible at once
// and gives its memory back when it is saved again, deleted, or purged.
//
// # Reference
//
// The package is the reference for authors of drivers, and short on purpose:
// memory.go is what a driver is made of (parsing, handles, the closed check),
// store.go decides every rule of package driver in one place, under one lock,
// list.go and versions.go iterate without holding it, delete.go removes, and
// sorted.go keeps names in order.
// A database has its own ways to do what store.go does with a lock; what must
// come out is the same, and package checkpointtest checks it.
package memory
