package genkit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/firebase/genkit/go/ai"
	aix "github.com/firebase/genkit/go/ai/exp"
	"github.com/firebase/genkit/go/genkit"
	"github.com/firebase/genkit/go/genkit/exp"

	sessions "github.com/go-ckpt/checkpoint/adapters/genkit"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// define defines an agent that counts its turns, as each server of a service does.
func define(ctx context.Context, s *store, turn func(context.Context, int64) error) *aix.Agent[custom] {
	g := genkit.Init(ctx, genkit.WithExperimental())
	return exp.DefineCustomAgent(g, "counter", func(ctx context.Context, _ aix.Responder, sess *aix.SessionRunner[custom]) (*aix.AgentResult, error) {
		err := sess.Run(ctx, func(ctx context.Context, input *aix.AgentInput) (*aix.TurnResult, error) {
			var n int64
			sess.UpdateCustom(func(c custom) custom { c.Counter++; n = c.Counter; return c })
			if err := turn(ctx, n); err != nil {
				return nil, err
			}
			sess.AddMessages(ai.NewModelTextMessage(fmt.Sprint("turn ", n)))
			return nil, nil
		})
		if err != nil {
			return nil, err
		}
		return sess.Result(), nil
	}, aix.WithSessionStore[custom](s))
}

func nothing(context.Context, int64) error { return nil }

// TestKilled: a conversation goes on in another process after its own was killed in
// the middle of a turn.
func TestKilled(t *testing.T) {
	if url, _, ok := adapterstores.Child(); ok {
		s := sessions.NewSessions[custom](adapterstores.Open(t, url))
		a := define(t.Context(), s, func(_ context.Context, n int64) error {
			if n == 3 {
				fmt.Println("in turn 3")
				time.Sleep(time.Hour)
			}
			return nil
		})
		session := ""
		for range 3 {
			out, err := a.RunText(t.Context(), "go on", aix.WithSessionID[custom]("S"))
			if err != nil {
				t.Fatal(err)
			}
			session = out.SessionID
		}
		t.Fatal("not killed", session)
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		p := adapterstores.StartProcess(t, url, 0)
		p.Await(t, "in turn 3")
		p.Kill(t)
		a := define(t.Context(), sessions.NewSessions[custom](adapterstores.Open(t, url)), nothing)
		out, err := a.RunText(t.Context(), "go on", aix.WithSessionID[custom]("S"))
		if err != nil || out.Message.Text() != "turn 3" {
			t.Fatalf("%+v, %v", out, err)
		}
		last, err := a.GetLatestSnapshot(t.Context(), "S")
		if err != nil || len(last.State.Messages) != 6 || last.ParentID == "" || last.SnapshotID != out.SnapshotID {
			t.Errorf("the session: %+v, %v", last, err)
		}
	})
}

// TestDetached: a turn that was detached on one server is aborted from another.
func TestDetached(t *testing.T) {
	each(t, func(t *testing.T, s, other *store) {
		aborted := make(chan struct{})
		one := define(t.Context(), s, func(ctx context.Context, _ int64) error {
			<-ctx.Done()
			close(aborted)
			return ctx.Err()
		})
		two := define(t.Context(), other, nothing)
		task, err := one.RunDetached(t.Context(), &aix.AgentInput{Message: ai.NewUserTextMessage("go")})
		if err != nil {
			t.Fatal(err)
		}
		if st, err := two.Abort(t.Context(), task.SnapshotID()); err != nil || st != aix.SnapshotStatusAborting {
			t.Errorf("Abort = %q, %v", st, err)
		}
		<-aborted
		last, err := two.WaitForSnapshot(t.Context(), task.SnapshotID())
		if err != nil || last.Status != aix.SnapshotStatusAborted {
			t.Errorf("after the abort: %+v, %v", last, err)
		}
	})
}
