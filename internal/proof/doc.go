// Package proof holds the tests that try to break the promises of package
// driver on real databases: random histories under faults checked for
// linearizability, every driver side by side with the memory driver, processes
// killed at random moments, hostile input, leaks and load. It has no code of its
// own.
//
// go test runs a short form of everything. The long forms are flags after the
// package, or scripts/prove.sh:
//
//	go test ./internal/proof -run TestLinearizable -proof.duration=10m -proof.seed=7
//
//	-proof.duration  how long TestLinearizable works on each system (a few seconds)
//	-proof.seed      what its operations follow from (random, and logged)
package proof
