package dynamodb

import (
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

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

// matches is the condition that an item of ours is the one that m asks for; it
// says nothing of its expiry.
func (e *expression) matches(m driver.Match) string {
	switch {
	case m.ID != "":
		e.values[":match"] = str(m.ID)
		return e.name("id") + " = :match"
	case m.Version != 0:
		e.values[":match"] = num(m.Version)
		return e.name("version") + " = :match"
	}
	return "attribute_exists(" + e.name("id") + ")"
}

// alive is the condition that an item has not expired.
func (e *expression) alive(now time.Time) string {
	e.values[":now"] = micros(now)
	return "(attribute_not_exists(" + e.name("expires_at") + ") OR #expires_at > :now)"
}

// given returns the values, nil where there are none, which DynamoDB insists on.
func (e *expression) given() attributes {
	if len(e.values) == 0 {
		return nil
	}
	return e.values
}
