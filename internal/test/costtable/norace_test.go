//go:build !race

package costtable_test

const raceDetector = false
