package agentstate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Recording returns the messages of one run of a coding agent, in the shape of runs
// that were recorded in public: of 119 of these the median has 146 messages (86 to 236
// from the 10th to the 90th percentile) and 365 KB at the end; an assistant's messages
// have 1.6 KB in the median and 17 KB at the 99th percentile, tool results 1 KB and
// 14 KB; of the bytes of the JSON 3.6 % are backslashes. The state after each message
// is all messages up to it.
func Recording(seed uint64) []Message {
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	n := g.spread(146, 236/146., 1.2816)
	messages := make([]Message, 0, n)
	for step := range n {
		m := Message{ID: fmt.Sprintf("msg_%016x", g.Uint64()), At: time.Date(2026, 1, 2, 15, 0, 17*step, 0, time.UTC)}
		switch {
		case step == 0:
			m.Role, m.Content = "system", g.code(12<<10)
		case step%2 == 1:
			m.Role, m.Content = "assistant", g.code(g.spread(1600, 17/1.6, 2.3263))
		default:
			m.Role, m.Content = "tool", g.code(g.spread(1000, 14, 2.3263))
		}
		messages = append(messages, m)
	}
	return messages
}

// spread returns a number of a lognormal distribution by its median, and by how many
// times that is what lies at so many standard deviations.
func (g generator) spread(median, times, deviations float64) int {
	return max(1, int(median*math.Exp(g.NormFloat64()*math.Log(times)/deviations)))
}

// code returns about n bytes, as JSON, of lines as programs and their output have them.
func (g generator) code(n int) string {
	var b strings.Builder
	for escapes := 0; b.Len()+escapes < n; escapes++ {
		line := strings.Repeat("    ", g.IntN(3)) + g.word() + "(" + g.word() + ", " + g.word() + ") " + g.word() + " " + g.word()
		if g.IntN(8) == 0 {
			line += ` "` + g.word() + `"`
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
