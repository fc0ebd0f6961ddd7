// Package robustness holds the tests that try to break the promises of package
// driver on real databases: random histories under faults checked for
// linearizability, every driver side by side with the memory driver, processes
// killed at random moments, hostile input, leaks and load. It has no code of its
// own.
//
// go test runs a short form of everything. The long forms are flags after the
// package, or scripts/prove.sh:
//
//	go test ./internal/test/robustness -run TestLinearizable -proof.duration=10m -proof.seed=7
//
//	-proof.seed      what random operations follow from (random, and logged)
//	-proof.duration  how long TestLinearizable works on each system
//	-proof.kills     how many processes TestKilled kills on each database; the
//	                 tests of migration and import kill half as many
//	-proof.damages   how often TestDamaged damages what is stored
//	-proof.saves     how many saves TestManySaves does at once
//	-proof.soak      how long TestSoak works on each system
//	-rapid.checks    how many sequences TestSideBySide tries, and -rapid.seed
//
// A seed repeats the operations of each handle; how the handles interleave is up
// to the machine.
package robustness
