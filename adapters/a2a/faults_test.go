package a2a_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	protocol "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"github.com/a2aproject/a2a-go/v2/a2asrv/taskstore"
	"github.com/a2aproject/a2a-go/v2/a2asrv/workqueue"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/a2a"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// TestLostReply: what was created or updated although its reply was lost is there once,
// and is neither a task that exists already nor a concurrent modification.
func TestLostReply(t *testing.T) {
	store, faults := adapterstores.OpenFaults(t, "memory:")
	s := a2a.NewTasks(store, nil)
	for _, lost := range []int{1, 3} {
		id := fmt.Sprint("t", lost)
		faults.LoseReplies(lost)
		create(t, t.Context(), s, task(id, "c", protocol.TaskStateSubmitted))
		faults.LoseReplies(lost)
		v, err := s.Update(t.Context(), &taskstore.UpdateRequest{Task: task(id, "c", protocol.TaskStateWorking), PrevVersion: 1})
		if v != 2 || err != nil {
			t.Errorf("Update = %d, %v", v, err)
		}
		if got, err := s.Get(t.Context(), protocol.TaskID(id)); err != nil || got.Version != 2 || got.Task.Status.State != protocol.TaskStateWorking {
			t.Errorf("Get = %+v, %v", got, err)
		}
	}
	faults.CutAfter(0)
	if _, err := s.Update(t.Context(), &taskstore.UpdateRequest{Task: task("t1", "c", protocol.TaskStateWorking)}); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
}

// TestCut: whatever write is the last, the task loads as it was or as it is.
func TestCut(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		done := taskstore.TaskVersion(0)
		adapterstores.Cut(t, newURL, func(store *checkpoint.Store) (err error) {
			s := a2a.NewTasks(store, nil)
			x := task("t", "c", protocol.TaskStateSubmitted)
			for done = 0; done < 3; done++ {
				if done == 0 {
					_, err = s.Create(t.Context(), x)
				} else {
					_, err = s.Update(t.Context(), &taskstore.UpdateRequest{Task: x, PrevVersion: done})
				}
				if err != nil {
					return err
				}
			}
			return nil
		}, func(t *testing.T, left *checkpoint.Store, _ bool) {
			got, err := a2a.NewTasks(left, nil).Get(t.Context(), "t")
			if done == 0 && errors.Is(err, protocol.ErrTaskNotFound) {
				return
			}
			if err != nil || got.Version != done || len(got.Task.History) != 2 {
				t.Errorf("after %d writes: %+v, %v", done, got, err)
			}
		})
	})
}

// TestProcesses: of two processes that update one task each version is one's alone.
func TestProcesses(t *testing.T) {
	const processes, updates = 2, 15
	if url, _, ok := adapterstores.Child(); ok {
		s := a2a.NewTasks(adapterstores.Open(t, url), nil)
		for range updates {
			for {
				got, err := s.Get(t.Context(), "t")
				if err != nil {
					t.Fatal(err)
				}
				n, _ := got.Task.Metadata["n"].(float64)
				got.Task.Metadata["n"] = n + 1
				_, err = s.Update(t.Context(), &taskstore.UpdateRequest{Task: got.Task, PrevVersion: got.Version})
				if err == nil {
					break
				}
				if !errors.Is(err, taskstore.ErrConcurrentModification) {
					t.Fatal(err)
				}
			}
		}
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		s := a2a.NewTasks(adapterstores.Open(t, url), nil)
		create(t, t.Context(), s, task("t", "c", protocol.TaskStateSubmitted))
		adapterstores.Processes(t, url, processes)
		if got, err := s.Get(t.Context(), "t"); err != nil || got.Version != 1+processes*updates || got.Task.Metadata["n"] != float64(processes*updates) {
			t.Errorf("after %d updates: %+v, %v", processes*updates, got, err)
		}
	})
}

// executor is an agent that answers after its last step.
type executor struct{ last func(*a2asrv.ExecutorContext) }

func (e executor) Execute(_ context.Context, c *a2asrv.ExecutorContext) iter.Seq2[protocol.Event, error] {
	return func(yield func(protocol.Event, error) bool) {
		if c.StoredTask == nil && !yield(protocol.NewSubmittedTask(c, c.Message), nil) {
			return
		}
		if !yield(protocol.NewStatusUpdateEvent(c, protocol.TaskStateWorking, nil), nil) {
			return
		}
		e.last(c)
		if yield(protocol.NewArtifactEvent(c, protocol.NewTextPart("answer")), nil) {
			yield(protocol.NewStatusUpdateEvent(c, protocol.TaskStateCompleted, nil), nil)
		}
	}
}

func (executor) Cancel(context.Context, *a2asrv.ExecutorContext) iter.Seq2[protocol.Event, error] {
	return func(func(protocol.Event, error) bool) {}
}

func send(t *testing.T, s *a2a.Tasks, e executor) (*protocol.Task, error) {
	t.Helper()
	message := protocol.NewMessageForTask(protocol.MessageRoleUser, protocol.TaskInfo{TaskID: "t", ContextID: "c"}, protocol.NewTextPart("go on"))
	result, err := a2asrv.NewHandler(e, a2asrv.WithTaskStore(s)).SendMessage(t.Context(), &protocol.SendMessageRequest{Message: message})
	got, _ := result.(*protocol.Task)
	return got, err
}

// TestKilled: a server takes over the task of another one that was killed while its
// agent worked: its messages, and its lease when that has run out.
func TestKilled(t *testing.T) {
	const ttl = time.Second
	execute := &workqueue.Payload{Type: workqueue.PayloadTypeExecute, TaskID: "t"}
	if url, _, ok := adapterstores.Child(); ok {
		store := adapterstores.Open(t, url)
		s := a2a.NewTasks(store, nil)
		if _, err := a2a.NewLeases(store, ttl).Acquire(t.Context(), execute); err != nil {
			t.Fatal(err)
		}
		send(t, s, executor{func(*a2asrv.ExecutorContext) {
			for {
				if got, err := s.Get(t.Context(), "t"); err != nil || got.Task.Status.State == protocol.TaskStateWorking {
					break // the server has stored the event
				}
				time.Sleep(time.Millisecond)
			}
			fmt.Println("working")
			time.Sleep(time.Hour)
		}})
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		store := adapterstores.Open(t, url)
		s := a2a.NewTasks(store, nil)
		create(t, t.Context(), s, task("t", "c", protocol.TaskStateInputRequired))
		p := adapterstores.StartProcess(t, url, 0)
		p.Await(t, "working")
		leases := a2a.NewLeases(store, ttl)
		if _, err := leases.Acquire(t.Context(), execute); !errors.Is(err, workqueue.ErrLeaseAlreadyTaken) {
			t.Errorf("a lease beside the server's: %v", err)
		}
		p.Kill(t)
		for {
			l, err := leases.Acquire(t.Context(), execute)
			if err == nil {
				l.Release(t.Context())
				break
			}
			if !errors.Is(err, workqueue.ErrLeaseAlreadyTaken) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		var stored *protocol.Task
		got, err := send(t, s, executor{func(c *a2asrv.ExecutorContext) { stored = c.StoredTask }})
		if err != nil || got == nil || got.Status.State != protocol.TaskStateCompleted {
			t.Fatalf("the task that was taken over: %+v, %v", got, err)
		}
		if stored == nil || len(stored.History) < 3 || stored.Artifacts[0].Parts[0].Text() != "text" {
			t.Errorf("the agent was given %+v", stored)
		}
		if got, err := s.Get(t.Context(), "t"); err != nil || got.Task.Status.State != protocol.TaskStateCompleted || len(got.Task.Artifacts) != 2 {
			t.Errorf("stored: %+v, %v", got, err)
		}
	})
}
