// Package agentstate makes states of the shape that agents save: a conversation
// with tool calls, a plan, files and notes. Benchmarks and tests share it, so
// that their figures speak of the same thing. The same arguments give the same
// state, on every machine.
package agentstate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// A State is what a small agent remembers.
type State struct {
	Model    string            `json:"model"`
	Messages []Message         `json:"messages"`
	Todos    []Todo            `json:"todos"`
	Files    map[string]string `json:"files"`
	Step     int               `json:"step"`
}

// A Message is one turn of the conversation.
type Message struct {
	ID       string    `json:"id"`
	Role     string    `json:"role"`
	Content  string    `json:"content"`
	ToolCall *ToolCall `json:"tool_call,omitempty"`
	Tokens   int       `json:"tokens"`
}

// A ToolCall is what a message asks a tool to do.
type ToolCall struct {
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

// A Todo is a step of the plan.
type Todo struct {
	Text string `json:"text"`
	Done bool   `json:"done"`
}

// Conversation returns a state whose JSON has at least size bytes, and less than
// one message more.
func Conversation(size int) State {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	s := State{
		Model: "small-1",
		Files: map[string]string{"notes.md": sentence(r, 12)},
	}
	for i := range 3 {
		s.Todos = append(s.Todos, Todo{Text: sentence(r, 5), Done: i == 0})
	}
	for have := encodedSize(s); have < size; {
		m := s.next(r, size-have)
		have += encodedSize(m) + len(",")
		s.Messages = append(s.Messages, m)
		s.Step++
	}
	return s
}

// Grow returns the state with further messages, of about size bytes of JSON: one
// more step of the conversation.
func Grow(s State, size int) State {
	r := rand.New(rand.NewPCG(2, uint64(len(s.Messages))))
	for have := 0; have < size; {
		m := s.next(r, size-have)
		have += encodedSize(m) + len(",")
		s.Messages = append(s.Messages, m)
	}
	s.Step++
	return s
}

// JSON returns Conversation(size), encoded.
func JSON(size int) []byte {
	b, err := json.Marshal(Conversation(size))
	if err != nil {
		panic(err) // every part of a State can be encoded
	}
	return b
}

// next makes the message that follows, of about the bytes left at most.
func (s *State) next(r *rand.Rand, left int) Message {
	roles := []string{"user", "assistant", "tool", "assistant"}
	m := Message{
		ID:     fmt.Sprintf("msg_%016x", r.Uint64()),
		Role:   roles[len(s.Messages)%len(roles)],
		Tokens: r.IntN(900),
	}
	if m.Role == "assistant" && len(s.Messages)%4 == 1 {
		m.ToolCall = &ToolCall{Name: "read_file", Arguments: map[string]any{
			"path": "src/" + words[r.IntN(len(words))] + ".go", "offset": r.IntN(2000), "limit": 200,
		}}
	}
	m.Content = sentence(r, max(1, min(20+r.IntN(200), (left-100)/6)))
	return m
}

// sentence returns text of n words, which are chosen as unevenly as in prose, so
// that it compresses as prose does.
func sentence(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		rank := int(math.Exp(r.Float64()*math.Log(float64(len(words)*8)))) - 1
		b.WriteString(words[rank%len(words)])
		if rank >= len(words) {
			fmt.Fprintf(&b, "%d", rank) // names and numbers, which repeat less
		}
		if r.IntN(12) == 0 {
			b.WriteString(".\n")
		}
	}
	return b.String()
}

func encodedSize(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return len(b)
}

var words = strings.Fields(`the of to and a in is it you that he was for on are with as his they be at one have
this from or had by not word but what some we can out other were all there when up use your how said an each she
which do their time if will way about many then them write would like so these her long make thing see him two has
look more day could go come did number sound no most people my over know water than call first who may down side been
now find any new work part take get place made live where after back little only round man year came show every good me
give our under name very through just form sentence great think say help low line differ turn cause much mean before
move right boy old too same tell does set three want air well also play small end put home read hand port large spell
add even land here must big high such follow act why ask men change went light kind off need house picture try us again
animal point mother world near build self earth father function return error string value request response table index
version thread checkpoint agent tool plan model context token prompt result commit branch test queue worker retry cache`)
