package a2a

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv/taskstore"

	"github.com/go-ckpt/checkpoint"
)

// Tasks is a taskstore.Store on a checkpoint store.
type Tasks struct {
	store *checkpoint.Store
	user  taskstore.Authenticator
}

var _ taskstore.Store = (*Tasks)(nil)

// NewTasks returns a task store on the store, which the caller goes on closing. The
// authenticator tells whose request a context belongs to; nil is one user without a
// name, whose tasks cannot be listed.
func NewTasks(store *checkpoint.Store, user taskstore.Authenticator) *Tasks {
	if user == nil {
		user = func(context.Context) (string, error) { return "", nil }
	}
	return &Tasks{store, user}
}

// What List needs of a task stands in the metadata of its thread.
const (
	metadataContext  = "context"
	metadataState    = "state"
	metadataStatusAt = "status_at"
)

func metadata(task *a2a.Task) checkpoint.SaveOption {
	m := map[string]string{metadataContext: task.ContextID, metadataState: string(task.Status.State)}
	if at := task.Status.Timestamp; at != nil {
		m[metadataStatusAt] = at.UTC().Format(time.RFC3339Nano)
	}
	return checkpoint.Metadata(m)
}

func (t *Tasks) thread(ctx context.Context, id a2a.TaskID) (thread, user string, err error) {
	if user, err = t.user(ctx); err != nil {
		return "", "", fmt.Errorf("a2a: the user cannot be told: %w", err)
	}
	return taskPrefix(user) + url.PathEscape(string(id)), user, nil
}

func taskPrefix(user string) string { return "task/" + url.PathEscape(user) + "/" }

// Create implements taskstore.Store.
func (t *Tasks) Create(ctx context.Context, task *a2a.Task) (taskstore.TaskVersion, error) {
	if task == nil {
		return taskstore.TaskVersionMissing, fmt.Errorf("a2a: the task is nil: %w", a2a.ErrInvalidParams)
	}
	thread, _, err := t.thread(ctx, task.ID)
	if err != nil {
		return taskstore.TaskVersionMissing, err
	}
	info, err := t.save(ctx, thread, task, checkpoint.IfAbsent())
	if errors.Is(err, checkpoint.ErrConflict) {
		return taskstore.TaskVersionMissing, fmt.Errorf("a2a: task %q: %w", task.ID, taskstore.ErrTaskAlreadyExists)
	}
	if err != nil {
		return taskstore.TaskVersionMissing, err
	}
	return taskstore.TaskVersion(info.Version), nil
}

// Update implements taskstore.Store.
func (t *Tasks) Update(ctx context.Context, req *taskstore.UpdateRequest) (taskstore.TaskVersion, error) {
	if req.Task == nil {
		return taskstore.TaskVersionMissing, fmt.Errorf("a2a: the task is nil: %w", a2a.ErrInvalidParams)
	}
	thread, _, err := t.thread(ctx, req.Task.ID)
	if err != nil {
		return taskstore.TaskVersionMissing, err
	}
	condition := checkpoint.IfExists()
	if req.PrevVersion != taskstore.TaskVersionMissing {
		condition = checkpoint.IfVersion(int64(req.PrevVersion))
	}
	info, err := t.save(ctx, thread, req.Task, condition)
	if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
		if conflict.Current.Version == 0 {
			return taskstore.TaskVersionMissing, fmt.Errorf("a2a: task %q: %w", req.Task.ID, a2a.ErrTaskNotFound)
		}
		return taskstore.TaskVersionMissing, fmt.Errorf("a2a: task %q is at version %d: %w", req.Task.ID, conflict.Current.Version, taskstore.ErrConcurrentModification)
	}
	if err != nil {
		return taskstore.TaskVersionMissing, err
	}
	return taskstore.TaskVersion(info.Version), nil
}

// A save whose outcome is not known is repeated under its id: the server that repeats
// it would meet its own first attempt as a conflict.
const (
	attempts   = 4
	firstPause = 20 * time.Millisecond
)

func (t *Tasks) save(ctx context.Context, thread string, task *a2a.Task, condition checkpoint.SaveOption) (checkpoint.Info, error) {
	id := checkpoint.WithID(rand.Text())
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, 2*pause {
		info, err := t.store.Save(ctx, thread, task, condition, metadata(task), id)
		if attempt == attempts || !errors.Is(err, checkpoint.ErrUnavailable) {
			return info, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return info, err
		}
	}
}

// Get implements taskstore.Store.
func (t *Tasks) Get(ctx context.Context, id a2a.TaskID) (*taskstore.StoredTask, error) {
	thread, user, err := t.thread(ctx, id)
	if err != nil {
		return nil, err
	}
	task := new(a2a.Task)
	info, err := t.store.Load(ctx, thread, task)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, fmt.Errorf("a2a: task %q: %w", id, a2a.ErrTaskNotFound)
	}
	if err != nil {
		return nil, err
	}
	return &taskstore.StoredTask{Task: task, Version: taskstore.TaskVersion(info.Version), User: user}, nil
}

const (
	defaultPage    = 50
	largestPage    = 100
	defaultHistory = 100
)

// List implements taskstore.Store: the tasks of the user, the newest update first.
// StatusTimestampAfter leaves out tasks whose status has no time.
func (t *Tasks) List(ctx context.Context, req *a2a.ListTasksRequest) (*a2a.ListTasksResponse, error) {
	user, err := t.user(ctx)
	if err != nil || user == "" {
		return nil, a2a.ErrUnauthenticated
	}
	size := cmp.Or(req.PageSize, defaultPage)
	if size < 1 || size > largestPage {
		return nil, fmt.Errorf("a2a: a page has 1 to %d tasks, not %d: %w", largestPage, size, a2a.ErrInvalidRequest)
	}
	var infos []checkpoint.Info
	for info, err := range t.store.List(ctx, checkpoint.ListOptions{Prefix: taskPrefix(user)}) {
		if err != nil {
			return nil, err
		}
		if matches(info, req) {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, newestFirst)
	resp := &a2a.ListTasksResponse{Tasks: []*a2a.Task{}, TotalSize: len(infos), PageSize: size}
	if req.PageToken != "" {
		last, err := parseToken(req.PageToken)
		if err != nil {
			return nil, err
		}
		infos = infos[sortedAfter(infos, last):]
	}
	if len(infos) > size {
		infos = infos[:size]
		resp.NextPageToken = token(infos[size-1])
	}
	for _, info := range infos {
		task := new(a2a.Task)
		_, err := t.store.Load(ctx, info.Thread, task)
		if errors.Is(err, checkpoint.ErrNotFound) {
			continue // expired, or removed, since it was listed
		}
		if err != nil {
			return nil, err
		}
		resp.Tasks = append(resp.Tasks, shorten(task, req))
	}
	return resp, nil
}

func matches(info checkpoint.Info, req *a2a.ListTasksRequest) bool {
	m := info.Metadata
	if req.ContextID != "" && m[metadataContext] != req.ContextID || req.Status != a2a.TaskStateUnspecified && m[metadataState] != string(req.Status) {
		return false
	}
	if req.StatusTimestampAfter == nil {
		return true
	}
	at, err := time.Parse(time.RFC3339Nano, m[metadataStatusAt])
	return err == nil && !at.Before(*req.StatusTimestampAfter)
}

// newestFirst orders tasks by their last update, and those of one instant by their
// threads.
func newestFirst(a, b checkpoint.Info) int {
	return cmp.Or(b.SavedAt.Compare(a.SavedAt), strings.Compare(b.Thread, a.Thread))
}

// sortedAfter returns the index of the first task that comes after the last one of a
// page, which may have gone.
func sortedAfter(infos []checkpoint.Info, last checkpoint.Info) int {
	i, found := slices.BinarySearchFunc(infos, last, newestFirst)
	if found {
		i++
	}
	return i
}

// A page token is the time and the thread of the last task of a page.
func token(last checkpoint.Info) string {
	return base64.RawURLEncoding.EncodeToString([]byte(last.SavedAt.Format(time.RFC3339Nano) + " " + last.Thread))
}

func parseToken(s string) (checkpoint.Info, error) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	at, thread, found := strings.Cut(string(text), " ")
	saved, timeErr := time.Parse(time.RFC3339Nano, at)
	if err != nil || timeErr != nil || !found {
		return checkpoint.Info{}, fmt.Errorf("a2a: the page token was not made by this server: %w", a2a.ErrParseError)
	}
	info := checkpoint.Info{SavedAt: saved}
	info.Thread = thread
	return info, nil
}

// shorten leaves out of a task what the request does not ask for.
func shorten(task *a2a.Task, req *a2a.ListTasksRequest) *a2a.Task {
	length := defaultHistory
	if req.HistoryLength != nil {
		length = max(0, *req.HistoryLength)
	}
	task.History = task.History[max(0, len(task.History)-length):]
	if !req.IncludeArtifacts {
		task.Artifacts = nil
	}
	return task
}
