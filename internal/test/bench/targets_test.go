package bench

import "math"

// againstHistory1 is the comparison of a save that keeps 20 versions with one
// that keeps the latest, in place of the floor.
const againstHistory1 = "save, history 20 beside 1"

// A goal is the ratio to the floor that an operation may have, for one caller
// and states of 2 KB and of 100 KB.
type goal struct{ small, large float64 }

var goals = map[string]map[string]goal{
	"Redis":      {"save": {1.8, 1.3}, "load": {1.2, 1.1}, againstHistory1: {1.5, 1.5}},
	"PostgreSQL": {"save": {1.25, 1.25}, "load": {1.15, 1.15}, againstHistory1: {1.5, 1.5}},
	"DynamoDB":   {"save": {1.15, 1.15}, "load": {1.15, 1.15}, againstHistory1: {2.2, 2.2}},
	"SQLite":     {"save": {1.3, 1.3}, "load": {1.3, 1.2}, againstHistory1: {1.5, 1.5}},
}

// scaleGoal is how much slower the largest store, or the longest history, may be.
const scaleGoal = 1.5

// target returns the ratio that a result may have, 0 where none was set.
func target(subject string, r result) float64 {
	if subject == "SQLite" && r.Name == "save" && r.Size == 2<<10 && r.Callers == 8 {
		return math.Round(1/2.5*100) / 100 // 2.5 times the throughput
	}
	if r.Callers != 1 {
		return 0
	}
	g := goals[subject][r.Name]
	switch r.Size {
	case 2 << 10:
		return g.small
	case 100 << 10:
		return g.large
	}
	return 0
}
