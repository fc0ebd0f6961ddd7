package a2a_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	protocol "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv/push"
	"github.com/a2aproject/a2a-go/v2/a2asrv/taskstore"
	"github.com/a2aproject/a2a-go/v2/a2asrv/workqueue"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/a2a"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
	"github.com/go-ckpt/checkpoint/lease"
)

func TestMain(m *testing.M) { adapterstores.Main(m) }

// each runs a test on every database of this run.
func each(t *testing.T, test func(t *testing.T, store *checkpoint.Store)) {
	for name, newURL := range adapterstores.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, adapterstores.Open(t, newURL(t)))
		})
	}
}

type userKey struct{}

func as(t *testing.T, user string) context.Context {
	return context.WithValue(t.Context(), userKey{}, user)
}

func authenticate(ctx context.Context) (string, error) {
	user, _ := ctx.Value(userKey{}).(string)
	return user, nil
}

func task(id, contextID string, state protocol.TaskState) *protocol.Task {
	return &protocol.Task{
		ID: protocol.TaskID(id), ContextID: contextID, Status: protocol.TaskStatus{State: state},
		History:   []*protocol.Message{protocol.NewMessage(protocol.MessageRoleUser, protocol.NewTextPart("one")), protocol.NewMessage(protocol.MessageRoleAgent, protocol.NewTextPart("two"))},
		Artifacts: []*protocol.Artifact{{ID: "a", Parts: protocol.ContentParts{protocol.NewTextPart("text")}}},
		Metadata:  map[string]any{"k": "v"},
	}
}

func create(t *testing.T, ctx context.Context, s *a2a.Tasks, tasks ...*protocol.Task) {
	t.Helper()
	for _, task := range tasks {
		if v, err := s.Create(ctx, task); v != 1 || err != nil {
			t.Fatalf("Create = %d, %v", v, err)
		}
	}
}

// TestTasks: created, updated on condition, got, and never another user's.
func TestTasks(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s := a2a.NewTasks(store, authenticate)
		ada, eve := as(t, "ada/1"), as(t, "ada")
		want := task("1/x_y", "c", protocol.TaskStateSubmitted)
		create(t, ada, s, want)
		if _, err := s.Create(ada, want); !errors.Is(err, taskstore.ErrTaskAlreadyExists) {
			t.Errorf("a second Create: %v", err)
		}
		want.Metadata["k"] = "changed after saving"
		got, err := s.Get(ada, want.ID)
		if err != nil || got.Version != 1 || got.User != "ada/1" || got.Task.Metadata["k"] != "v" || len(got.Task.History) != 2 || got.Task.History[1].Parts[0].Text() != "two" {
			t.Errorf("Get = %+v, %v", got, err)
		}
		update := func(ctx context.Context, previous taskstore.TaskVersion) (taskstore.TaskVersion, error) {
			return s.Update(ctx, &taskstore.UpdateRequest{Task: task("1/x_y", "c", protocol.TaskStateWorking), PrevVersion: previous})
		}
		if v, err := update(ada, 1); v != 2 || err != nil {
			t.Errorf("Update = %d, %v", v, err)
		}
		if _, err := update(ada, 1); !errors.Is(err, taskstore.ErrConcurrentModification) {
			t.Errorf("an update of an old version: %v", err)
		}
		if v, err := update(ada, taskstore.TaskVersionMissing); v != 3 || err != nil {
			t.Errorf("an update of any version: %d, %v", v, err)
		}
		for _, v := range []taskstore.TaskVersion{0, 1, 3} {
			if _, err := update(eve, v); !errors.Is(err, protocol.ErrTaskNotFound) {
				t.Errorf("another user's update: %v", err)
			}
		}
		if _, err := s.Get(eve, want.ID); !errors.Is(err, protocol.ErrTaskNotFound) {
			t.Errorf("another user's Get: %v", err)
		}
		if _, err := s.Get(ada, "none"); !errors.Is(err, protocol.ErrTaskNotFound) {
			t.Errorf("Get of no task: %v", err)
		}
	})
}

// TestWriters: of servers that update one task at the same time one wins each version.
func TestWriters(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s := a2a.NewTasks(store, nil)
		create(t, t.Context(), s, task("t", "c", protocol.TaskStateSubmitted))
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 5 {
					for {
						got, err := s.Get(t.Context(), "t")
						if err != nil {
							t.Error(err)
							return
						}
						n, _ := got.Task.Metadata["n"].(float64)
						got.Task.Metadata["n"] = n + 1
						_, err = s.Update(t.Context(), &taskstore.UpdateRequest{Task: got.Task, PrevVersion: got.Version})
						if err == nil {
							break
						}
						if !errors.Is(err, taskstore.ErrConcurrentModification) {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		if got, err := s.Get(t.Context(), "t"); err != nil || got.Version != 41 || got.Task.Metadata["n"] != 40.0 {
			t.Errorf("after 40 updates: %+v, %v", got, err)
		}
	})
}

// TestList: the newest update first, filters, pages, and what a page holds of a task.
// The in-memory store of a2a-go v2.4.0 refuses its own page token when the id of a task
// has an underscore, and takes a task without a status time as newer than any.
func TestList(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s := a2a.NewTasks(store, authenticate)
		ada := as(t, "ada")
		at := time.Now().UTC()
		for i := range 25 {
			x := task(fmt.Sprintf("task_%02d", i), fmt.Sprint("c", i%2), protocol.TaskStateWorking)
			if i%5 == 0 {
				x.Status = protocol.TaskStatus{State: protocol.TaskStateCompleted, Timestamp: &at}
			}
			create(t, ada, s, x)
		}
		create(t, as(t, "eve"), s, task("hers", "c0", protocol.TaskStateWorking))
		if _, err := s.Update(ada, &taskstore.UpdateRequest{Task: task("task_03", "c1", protocol.TaskStateWorking)}); err != nil {
			t.Fatal(err)
		}
		list := func(req protocol.ListTasksRequest) (ids []string, resp *protocol.ListTasksResponse) {
			t.Helper()
			resp, err := s.List(ada, &req)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range resp.Tasks {
				ids = append(ids, string(x.ID))
			}
			return ids, resp
		}
		var want []string
		for i := 24; i >= 0; i-- {
			if i != 3 {
				want = append(want, fmt.Sprintf("task_%02d", i))
			}
		}
		want = append([]string{"task_03"}, want...)
		var paged []string
		for token, first := "", true; first || token != ""; first = false {
			ids, resp := list(protocol.ListTasksRequest{PageSize: 7, PageToken: token})
			if resp.TotalSize != 25 || resp.PageSize != 7 {
				t.Errorf("a page says %d tasks, %d a page", resp.TotalSize, resp.PageSize)
			}
			paged, token = append(paged, ids...), resp.NextPageToken
		}
		if !slices.Equal(paged, want) {
			t.Errorf("pages\n%v, want\n%v", paged, want)
		}
		if ids, _ := list(protocol.ListTasksRequest{ContextID: "c0", Status: protocol.TaskStateCompleted}); !slices.Equal(ids, []string{"task_20", "task_10", "task_00"}) {
			t.Errorf("filtered: %v", ids)
		}
		if ids, _ := list(protocol.ListTasksRequest{StatusTimestampAfter: &at}); len(ids) != 5 {
			t.Errorf("with a status since: %v", ids)
		}
		one, _ := 1, 0
		_, resp := list(protocol.ListTasksRequest{PageSize: 1, HistoryLength: &one, IncludeArtifacts: true})
		if x := resp.Tasks[0]; len(x.History) != 1 || x.History[0].Parts[0].Text() != "two" || len(x.Artifacts) != 1 {
			t.Errorf("a short history: %+v", x)
		}
		if _, resp := list(protocol.ListTasksRequest{}); resp.Tasks[0].Artifacts != nil || len(resp.Tasks[0].History) != 2 {
			t.Error("artifacts that were not asked for, or no history")
		}
		for name, c := range map[string]struct {
			ctx  context.Context
			req  protocol.ListTasksRequest
			want error
		}{
			"no user":         {as(t, ""), protocol.ListTasksRequest{}, protocol.ErrUnauthenticated},
			"large page":      {ada, protocol.ListTasksRequest{PageSize: 101}, protocol.ErrInvalidRequest},
			"negative page":   {ada, protocol.ListTasksRequest{PageSize: -1}, protocol.ErrInvalidRequest},
			"foreign token":   {ada, protocol.ListTasksRequest{PageToken: "abc"}, protocol.ErrParseError},
			"not base64":      {ada, protocol.ListTasksRequest{PageToken: "%%"}, protocol.ErrParseError},
			"token no thread": {ada, protocol.ListTasksRequest{PageToken: "MjAzMA"}, protocol.ErrParseError},
		} {
			if _, err := s.List(c.ctx, &c.req); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}

func TestPushConfigs(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s, ctx := a2a.NewPushConfigs(store), t.Context()
		for _, bad := range []*protocol.PushConfig{nil, {}, {URL: "no url"}} {
			if _, err := s.Save(ctx, "t", bad); !errors.Is(err, protocol.ErrInvalidParams) {
				t.Errorf("Save(%+v) = %v", bad, err)
			}
		}
		config := &protocol.PushConfig{URL: "https://example.com/hook", Token: "secret", Auth: &protocol.PushAuthInfo{Scheme: "Bearer", Credentials: "c"}}
		first, err := s.Save(ctx, "t", config)
		if err != nil || first.ID == "" || first.TaskID != "t" || config.ID != "" {
			t.Fatalf("Save = %+v, %v", first, err)
		}
		config.Auth.Credentials = "changed"
		if got, err := s.Get(ctx, "t", first.ID); err != nil || got.Token != "secret" || got.Auth.Credentials != "c" {
			t.Errorf("Get = %+v, %v", got, err)
		}
		if _, err := s.Save(ctx, "t", &protocol.PushConfig{ID: "own/id", URL: "http://x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Save(ctx, "t/own", &protocol.PushConfig{ID: "id", URL: "http://y"}); err != nil {
			t.Fatal(err)
		}
		if all, err := s.List(ctx, "t"); err != nil || len(all) != 2 {
			t.Errorf("List = %v, %v", all, err)
		}
		if all, err := s.List(ctx, "none"); err != nil || all == nil || len(all) != 0 {
			t.Errorf("List of a task without = %v, %v", all, err)
		}
		for range 2 {
			if err := s.Delete(ctx, "t", first.ID); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.Get(ctx, "t", first.ID); !errors.Is(err, push.ErrPushConfigNotFound) {
			t.Errorf("Get of a deleted one = %v", err)
		}
		if err := s.DeleteAll(ctx, "t"); err != nil {
			t.Error(err)
		}
		if all, err := s.List(ctx, "t"); err != nil || len(all) != 0 {
			t.Errorf("List after DeleteAll = %v, %v", all, err)
		}
		if _, err := s.Get(ctx, "t/own", "id"); err != nil {
			t.Errorf("another task's went too: %v", err)
		}
	})
}

func TestLeases(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		one, other := a2a.NewLeases(store, 0), a2a.NewLeases(store, 0)
		execute := &workqueue.Payload{Type: workqueue.PayloadTypeExecute, TaskID: "t"}
		cancel := &workqueue.Payload{Type: workqueue.PayloadTypeCancel, TaskID: "t"}
		held, err := one.Acquire(t.Context(), execute)
		if err != nil || held.TaskID() != "t" {
			t.Fatal(err)
		}
		if _, err := other.Acquire(t.Context(), execute); !errors.Is(err, workqueue.ErrLeaseAlreadyTaken) || !errors.Is(err, lease.ErrHeld) {
			t.Errorf("a second execution: %v", err)
		}
		cancelling, err := other.Acquire(t.Context(), cancel)
		if err != nil {
			t.Fatalf("a cancellation beside an execution: %v", err)
		}
		if _, err := one.Acquire(t.Context(), cancel); !errors.Is(err, workqueue.ErrLeaseAlreadyTaken) {
			t.Errorf("a second cancellation: %v", err)
		}
		if err := held.(workqueue.Heartbeater).Heartbeat(t.Context()); err != nil {
			t.Errorf("Heartbeat = %v", err)
		}
		held.Release(t.Context())
		if err := held.(workqueue.Heartbeater).Heartbeat(t.Context()); err == nil {
			t.Error("a released lease beats")
		}
		if _, err := one.Acquire(t.Context(), execute); !errors.Is(err, workqueue.ErrLeaseAlreadyTaken) {
			t.Errorf("an execution during a cancellation: %v", err)
		}
		cancelling.Release(t.Context())
		again, err := other.Acquire(t.Context(), execute)
		if err != nil {
			t.Fatalf("after both were released: %v", err)
		}
		again.Release(t.Context())
	})
}
