// Package agentstate makes states of the kind that agents save, for benchmarks
// and tests: a conversation with tool calls and their results, a plan, files
// and notes. A state is made of its size and a seed and is the same every time.
//
// What matters for a measurement is as in real ones: sizes, depth, the share of
// text, and how well it compresses (about three to one with gzip).
package agentstate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// MinSize is the size in bytes of the smallest state.
const MinSize = 1024

// A State is what an agent needs to go on.
type State struct {
	Agent    string            `json:"agent"`
	Model    string            `json:"model"`
	Step     int               `json:"step"`
	Messages []Message         `json:"messages"`
	Plan     []Task            `json:"plan"`
	Files    map[string]string `json:"files"`
	Usage    Usage             `json:"usage"`
	Notes    string            `json:"notes"`
}

// A Message is one turn of the conversation.
type Message struct {
	ID        string     `json:"id"`
	Role      string     `json:"role"` // "user", "assistant" or "tool"
	Content   string     `json:"content"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
	ToolFor   string     `json:"tool_call_id,omitempty"`
	At        time.Time  `json:"at"`
}

// A ToolCall is a tool the assistant wants run.
type ToolCall struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

// A Task is a step of the plan.
type Task struct {
	Title string `json:"title"`
	Done  bool   `json:"done"`
}

// Usage counts what the model has cost.
type Usage struct {
	Input  int     `json:"input_tokens"`
	Output int     `json:"output_tokens"`
	Cost   float64 `json:"cost"`
}

// New returns the state that is size bytes long as compact JSON without escapes
// for HTML; at least MinSize. States of one seed with growing sizes are those
// of one conversation as it goes on.
func New(size int, seed uint64) State {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	s := State{
		Agent: "researcher", Model: "large-2", Messages: []Message{},
		Plan:  []Task{{g.sentence(6), true}, {g.sentence(5), false}},
		Files: map[string]string{"report.md": "# " + g.sentence(8)},
	}
	size = max(size, MinSize)
	length := encodedLen(s) + 40 // room for the counts to grow
	for {
		m := g.message(s.Step)
		n := encodedLen(m) + 1
		if length+n > size {
			break
		}
		length += n
		s.Step++
		s.Messages = append(s.Messages, m)
		s.Usage.Input += 4 * n
		s.Usage.Output += n / 8
	}
	s.Usage.Cost = float64(s.Usage.Input) / 1e6
	s.Notes = g.text(size - encodedLen(s))
	return s
}

// JSON returns the state as JSON of exactly size bytes, at least MinSize.
func JSON(size int, seed uint64) []byte {
	return encode(New(size, seed))
}

func encodedLen(v any) int { return len(encode(v)) }

func encode(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("agentstate: %v", err)) // the types above can all be encoded
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

type generator struct{ *rand.Rand }

// message returns the message of one step: question, tool call, result, answer.
func (g generator) message(step int) Message {
	m := Message{
		ID: fmt.Sprintf("msg_%016x", g.Uint64()),
		At: time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC).Add(time.Duration(step) * 17 * time.Second),
	}
	switch step % 4 {
	case 0:
		m.Role, m.Content = "user", g.paragraph(1+g.IntN(2))
	case 1:
		m.Role, m.Content = "assistant", g.sentence(8)
		m.ToolCalls = []ToolCall{{
			ID: fmt.Sprintf("call_%08x", g.Uint32()), Name: pick(g, "search", "read_file", "run_query", "fetch"),
			Arguments: map[string]any{"query": g.sentence(4), "limit": 1 + g.IntN(50), "offset": g.IntN(1000), "exact": g.IntN(2) == 0},
		}}
	case 2:
		m.Role, m.ToolFor, m.Content = "tool", fmt.Sprintf("call_%08x", g.Uint32()), g.rows()
	default:
		m.Role, m.Content = "assistant", g.paragraph(2+g.IntN(4))
	}
	return m
}

// rows is the result of a tool: a table as text, full of numbers.
func (g generator) rows() string {
	var b strings.Builder
	for range 3 + g.IntN(8) {
		fmt.Fprintf(&b, "%s\t%d\t%.4f\thttps://example.com/%s/%06x\n", g.word(), g.IntN(100_000), g.Float64()*100, g.word(), g.IntN(1<<24))
	}
	return b.String()
}

func (g generator) paragraph(sentences int) string {
	var b strings.Builder
	for i := range sentences {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(g.sentence(6 + g.IntN(14)))
	}
	return b.String()
}

func (g generator) sentence(words int) string {
	text := g.word()
	for range words - 1 {
		text += " " + g.word()
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// text returns n bytes of plain words.
func (g generator) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(g.word() + " ")
	}
	return b.String()[:max(n, 0)]
}

// word prefers the first words of the list, as speech does.
func (g generator) word() string {
	i := g.IntN(len(words))
	return words[min(i, g.IntN(len(words)))]
}

func pick(g generator, choices ...string) string { return choices[g.IntN(len(choices))] }

var words = strings.Fields(`the of and to in is that for it as was with be by on not this are or at from
but which have an they you were there one all we can has more if will about up out so said what its
when who may some time could them other than then these two only new into first over also after years
most should well because each people state where those through while between system result found data
used report work model number value search question answer file page summary source figure price region
customer order account invoice payment shipment quarter revenue growth estimate compare analysis approach
evidence therefore however assume verify schedule deliver available approximately recommendation
configuration infrastructure deployment latency throughput consistency transaction replication partition`)
