package dynamodb

import "strings"

// An expression collects an update. Values and names from outside go into it as
// parameters only.
type expression struct {
	sets, removes []string
	names         map[string]string
	values        attributes
}

func newExpression() *expression {
	return &expression{names: make(map[string]string), values: make(attributes)}
}

func (e *expression) name(attribute string) string {
	e.names["#"+attribute] = attribute
	return "#" + attribute
}

func (e *expression) set(attribute, value string) {
	e.sets = append(e.sets, e.name(attribute)+" = "+value)
}

// assign sets attributes to values, and removes those that are nil.
func (e *expression) assign(a attributes) {
	for attribute, value := range a {
		if value == nil {
			e.removes = append(e.removes, e.name(attribute))
			continue
		}
		e.set(attribute, ":"+attribute)
		e.values[":"+attribute] = value
	}
}

func (e *expression) update() *string {
	text := "SET " + strings.Join(e.sets, ", ")
	if len(e.removes) > 0 {
		text += " REMOVE " + strings.Join(e.removes, ", ")
	}
	return &text
}
