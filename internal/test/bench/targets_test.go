package bench

// againstHistory1 is the comparison of a save that keeps 20 versions with one
// that keeps the latest, in place of the floor.
const againstHistory1 = "save, history 20 beside 1"

const pageOf100 = "list a page of 100"

// A goal is the ratio to the floor that an operation may have with states of 2 KB, of
// 100 KB and of 1 MB; 0 where none was set.
type goal struct{ small, large, huge float64 }

// goals are by the number of callers, the subject and the operation.
var goals = map[int]map[string]map[string]goal{
	1: {
		"Redis":      {"save": {1.8, 1.3, 1.2}, "load": {1.2, 1.1, 0}, againstHistory1: {1.5, 1.5, 0}},
		"PostgreSQL": {"save": {1.25, 1.25, 0}, "load": {1.15, 1.15, 0}, againstHistory1: {1.5, 1.5, 0}},
		"DynamoDB":   {"save": {1.15, 1.15, 0}, "load": {1.15, 1.15, 0}, againstHistory1: {2.2, 2.2, 0}, pageOf100: {1.5, 0, 0}},
		"SQLite":     {"save": {1.3, 1.3, 0}, "load": {1.15, 1.2, 0}, againstHistory1: {1.5, 1.5, 0}},
	},
	8: {
		"Redis": {
			"save": {1.6, 1.15, 0}, "save if match": {1.7, 0, 0}, "save, history 20": {1.9, 0, 0},
			"load": {1.1, 0, 0}, "load, one connection": {0.5, 0, 0},
		},
		"PostgreSQL": {
			"save": {1.1, 1.1, 0}, "save if match": {1.2, 1.2, 0}, "save, history 20": {1.4, 1.4, 0},
			"load": {1.05, 1.05, 0},
		},
		"DynamoDB": {"save": {1.3, 1.3, 0}, "load": {1.1, 1.1, 0}},
		"SQLite":   {"save": {1 / 3.5, 0, 0}, allVersions: {1.4, 0, 0}}, // 3.5 times the throughput
	},
	32: {
		"SQLite": {"save": {1. / 5, 0, 0}},
	},
}

// scaleGoal is how much slower the largest store, or the longest history, may be.
const scaleGoal = 1.5

// target returns the ratio that a result may have, 0 where none was set.
func target(subject string, r result) float64 {
	g := goals[r.Callers][subject][r.Name]
	switch r.Size {
	case 2 << 10:
		return g.small
	case 100 << 10:
		return g.large
	case 1 << 20:
		return g.huge
	}
	return 0
}
