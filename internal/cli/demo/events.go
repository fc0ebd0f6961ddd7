package demo

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// relay tells what a worker reports, until it has nothing more to say. onStart is
// called when a step begins.
func (s *Story) relay(events io.Reader, onStart func(step int)) {
	for lines := bufio.NewScanner(events); lines.Scan(); {
		event, rest, _ := strings.Cut(lines.Text(), "\t")
		if event == "wrote" {
			s.report(rest)
			continue
		}
		var n [4]int
		for i, field := range strings.Split(rest, "\t") {
			if i < len(n) {
				n[i], _ = strconv.Atoi(field)
			}
		}
		switch event {
		case "found":
			s.found(n[0], n[1])
		case "start":
			s.unfinished("   [%d/%d] %-27s", n[0], len(steps), steps[(n[0]-1)%len(steps)].do)
			if onStart != nil {
				onStart(n[0])
			}
		case "saved":
			if n[0] == 0 {
				s.unfinished("   %-33s", "make a plan of "+strconv.Itoa(len(steps))+" steps")
			}
			s.say(" saved as version %d %s", n[1], s.Style.Dim(fmt.Sprintf("(%d bytes, %.1f ms)", n[2], float64(n[3])/1000)))
		}
	}
	io.Copy(io.Discard, events)
}

func (s *Story) found(version, done int) {
	switch version {
	case 0:
		s.say("   no checkpoint yet: a new task")
	default:
		s.say("   %s of %d steps done", s.Style.Green(fmt.Sprintf("found version %d: %d", version, done)), len(steps))
	}
}

// unfinished is say without the line's end.
func (s *Story) unfinished(format string, args ...any) {
	if _, err := fmt.Fprintf(s.Out, format, args...); err != nil {
		s.failed = err
	}
}

// report shows what the agent wrote.
func (s *Story) report(quoted string) {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return
	}
	s.say("")
	for line := range strings.Lines(text) {
		s.say("   %s %s", s.Style.Dim("|"), strings.TrimRight(line, "\n"))
	}
}
