// Package lease tests package lease with real processes, which are paused and
// killed while they hold a lease in a database that they share.
package lease
