package adk_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"google.golang.org/adk/v2/agent"
	"google.golang.org/adk/v2/agent/llmagent"
	"google.golang.org/adk/v2/model"
	"google.golang.org/adk/v2/runner"
	"google.golang.org/adk/v2/tool"
	"google.golang.org/adk/v2/tool/functiontool"
	"google.golang.org/genai"

	"github.com/go-ckpt/checkpoint/adapters/adk"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// scripted is a model that calls the tool once for each message of the user, and then
// says how many messages and results it has seen.
type scripted struct{ before func(answers int) }

func (scripted) Name() string { return "scripted" }

func (m scripted) GenerateContent(_ context.Context, req *model.LLMRequest, _ bool) iter.Seq2[*model.LLMResponse, error] {
	return func(yield func(*model.LLMResponse, error) bool) {
		asked, results := 0, 0
		for _, c := range req.Contents {
			for _, p := range c.Parts {
				if p.FunctionResponse != nil {
					results++
				} else if c.Role == genai.RoleUser {
					asked++
				}
			}
		}
		content := genai.NewContentFromText(fmt.Sprintf("%d asked, %d done", asked, results), genai.RoleModel)
		if results < asked {
			content = genai.NewContentFromFunctionCall("count", map[string]any{"n": results + 1}, genai.RoleModel)
		}
		if m.before != nil {
			m.before(results)
		}
		yield(&model.LLMResponse{Content: content}, nil)
	}
}

// turn sends a message to an agent on the store, and returns the agent's last words.
func turn(t *testing.T, s *adk.Sessions, m scripted) string {
	t.Helper()
	type args struct {
		N int `json:"n"`
	}
	count, err := functiontool.New(functiontool.Config{Name: "count", Description: "counts"}, func(ctx agent.Context, a args) (args, error) {
		return a, ctx.State().Set("counted", a.N)
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := llmagent.New(llmagent.Config{Name: "assistant", Model: m, Tools: []tool.Tool{count}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := runner.New(runner.Config{AppName: "app", Agent: a, SessionService: s, AutoCreateSession: true})
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for e, err := range r.Run(t.Context(), "user", "s", genai.NewContentFromText("count", genai.RoleUser), agent.RunConfig{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range e.Content.Parts {
			last = p.Text
		}
	}
	return last
}

// TestKilled: an agent whose process was killed while its model was thinking goes on in
// another process with all that was said and done before.
func TestKilled(t *testing.T) {
	if url, _, ok := adapterstores.Child(); ok {
		s := adk.NewSessions(adapterstores.Open(t, url))
		for range 3 {
			turn(t, s, scripted{before: func(results int) {
				if results == 2 {
					fmt.Println("thinking")
					time.Sleep(time.Hour)
				}
			}})
		}
		t.Fatal("not killed")
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		p := adapterstores.StartProcess(t, url, 0)
		p.Await(t, "thinking")
		p.Kill(t)
		s := adk.NewSessions(adapterstores.Open(t, url))
		before := ids(get(t, s, "s", 0))
		if len(before) != 7 { // a turn of four events, and the message, the call and the result of the next
			t.Fatalf("%d events are left", len(before))
		}
		if last := turn(t, s, scripted{}); last != "3 asked, 3 done" {
			t.Errorf("the agent says %q", last)
		}
		sess := get(t, s, "s", 0)
		if n, err := sess.State().Get("counted"); n != 3.0 {
			t.Errorf("the state that the tool has set: %v, %v", n, err)
		}
		after := ids(sess)
		if len(after) != 11 || !slices.Equal(after[:7], before) {
			t.Errorf("the events before\n%v, and after\n%v", before, after)
		}
	})
}
