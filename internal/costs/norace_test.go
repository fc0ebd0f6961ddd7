//go:build !race

package costs_test

const raceDetector = false
