// Package demo is the story that "checkpoint demo" tells: an agent that works
// through a plan, is killed half-way, and goes on where it was.
package demo

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed lamp.txt
var text string

// A State is all that the agent knows. It is saved after every step, and nothing
// else is.
type State struct {
	Task    string            `json:"task"`
	Letters int               `json:"letters"` // words shorter than this do not count as topics
	Plan    []Todo            `json:"plan"`
	Files   map[string]string `json:"files"`
	Notes   []string          `json:"notes"`
}

// A Todo is a step of the plan.
type Todo struct {
	Do   string `json:"do"`
	Done bool   `json:"done"`
}

// A step of the plan and the tool that does it.
var steps = []struct {
	do   string
	tool func(*State)
}{
	{"read the text", read},
	{"count the words", count},
	{"find the words used most", topics},
	{"find the longest sentence", longest},
	{"estimate the reading time", readingTime},
	{"write the report", report},
	{"check the report", check},
	{"file it", file},
}

// newState returns the state of an agent that has a task and a plan, and has
// done nothing yet.
func newState() State {
	s := State{Task: "tell what the text is about", Letters: 4, Files: map[string]string{}}
	for _, step := range steps {
		s.Plan = append(s.Plan, Todo{Do: step.do})
	}
	return s
}

// next returns the index of the first step that is not done, or the number of
// steps.
func (s *State) next() int {
	for i, todo := range s.Plan {
		if !todo.Done {
			return i
		}
	}
	return len(s.Plan)
}

// step does the next step of the plan.
func (s *State) step() {
	i := s.next()
	steps[i].tool(s)
	s.Plan[i].Done = true
}

func (s *State) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

func read(s *State) {
	s.Files["lamp.txt"] = text
	s.note("read lamp.txt, %d characters", utf8.RuneCountInString(text))
}

func words(s *State) []string {
	return strings.FieldsFunc(s.Files["lamp.txt"], func(r rune) bool { return !unicode.IsLetter(r) })
}

func count(s *State) {
	s.note("%d words in %d paragraphs", len(words(s)), strings.Count(s.Files["lamp.txt"], "\n\n")+1)
}

// common words say nothing of what a text is about.
const common = " between beside nobody passed that what which with when have this from been were there they them then than into done had and the for was his her she him out not but how much next "

func topics(s *State) {
	uses := map[string]int{}
	for _, word := range words(s) {
		if word = strings.ToLower(word); len(word) >= s.Letters && !strings.Contains(common, " "+word+" ") {
			uses[word]++
		}
	}
	most := slices.SortedFunc(maps.Keys(uses), func(a, b string) int {
		if uses[a] != uses[b] {
			return uses[b] - uses[a]
		}
		return strings.Compare(a, b)
	})
	var table strings.Builder
	for _, word := range most[:5] {
		fmt.Fprintf(&table, "%s,%d\n", word, uses[word])
	}
	s.Files["words.csv"] = table.String()
	s.note("used most: %s", strings.Join(most[:5], ", "))
}

func sentences(s *State) []string {
	return strings.FieldsFunc(s.Files["lamp.txt"], func(r rune) bool { return r == '.' || r == '\n' })
}

func longest(s *State) {
	long := slices.MaxFunc(sentences(s), func(a, b string) int { return len(strings.Fields(a)) - len(strings.Fields(b)) })
	s.note("the longest sentence has %d words and begins %q", len(strings.Fields(long)), strings.Join(strings.Fields(long)[:4], " ")+" …")
}

func readingTime(s *State) {
	s.note("about %d seconds to read", len(words(s))*60/230)
}

func report(s *State) {
	var b strings.Builder
	fmt.Fprintf(&b, "Report: %s\n\n", s.Task)
	for line := range strings.Lines(s.Files["words.csv"]) {
		word, uses, _ := strings.Cut(strings.TrimSpace(line), ",")
		fmt.Fprintf(&b, "%10s  %s\n", word, strings.Repeat("*", len(uses)*int(uses[0]-'0')))
	}
	b.WriteString("\n")
	for _, note := range s.Notes[1:] {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	s.Files["report.md"] = b.String()
	s.note("wrote report.md, %d lines", strings.Count(b.String(), "\n"))
}

func check(s *State) {
	found := 0
	for line := range strings.Lines(s.Files["words.csv"]) {
		word, _, _ := strings.Cut(line, ",")
		if strings.Contains(strings.ToLower(s.Files["lamp.txt"]), word) {
			found++
		}
	}
	s.note("checked: %d of 5 words stand in the text", found)
}

func file(s *State) {
	s.note("filed report.md; the task is done")
}
