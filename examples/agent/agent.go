package main

import (
	"context"
	"fmt"

	"github.com/go-ckpt/checkpoint"
)

// State is everything that must outlive the process: the plan, the scratchpad and
// the files that the tools have made.
type State struct {
	Folder string            `json:"folder"`
	Plan   []Todo            `json:"plan"`
	Notes  []string          `json:"notes,omitempty"`
	Files  map[string]string `json:"files,omitempty"`
}

// A Todo is a step of the plan.
type Todo struct {
	Tool string `json:"tool"`
	Done bool   `json:"done"`
}

// A Tool does a step: it reads the state and writes what it found into it.
type Tool func(ctx context.Context, state *State) error

// An Agent works through its plan with its tools.
type Agent struct {
	State State

	tools map[string]Tool
	names []string // of the tools, in the order of the plan
	store *checkpoint.Store
	last  string // id of the checkpoint that State came from
}

// An Option sets up an agent.
type Option func(*Agent)

// WithCheckpointer makes the agent save its state in store.
func WithCheckpointer(store *checkpoint.Store) Option {
	return func(a *Agent) { a.store = store }
}

// WithTool gives the agent a tool; plans use the tools in the order given.
func WithTool(name string, tool Tool) Option {
	return func(a *Agent) {
		a.tools[name] = tool
		a.names = append(a.names, name)
	}
}

// NewAgent returns an agent without a task.
func NewAgent(opts ...Option) *Agent {
	a := &Agent{tools: map[string]Tool{}}
	for _, opt := range opts {
		opt(a)
	}
	return a
}

// Begin gives the agent a task and makes a plan.
func (a *Agent) Begin(folder string) {
	a.State = State{Folder: folder, Files: map[string]string{}}
	for _, name := range a.names {
		a.State.Plan = append(a.State.Plan, Todo{Tool: name})
	}
}

// Done reports whether nothing is left of the plan.
func (a *Agent) Done() bool { return a.next() == nil }

func (a *Agent) next() *Todo {
	for i := range a.State.Plan {
		if todo := &a.State.Plan[i]; !todo.Done {
			return todo
		}
	}
	return nil
}

// Step does the next step of the plan and returns its name.
func (a *Agent) Step(ctx context.Context) (string, error) {
	todo := a.next()
	tool := a.tools[todo.Tool]
	if tool == nil {
		return "", fmt.Errorf("the plan needs the tool %q, which this agent does not have", todo.Tool)
	}
	if err := tool(ctx, &a.State); err != nil {
		return "", fmt.Errorf("%s: %w", todo.Tool, err)
	}
	todo.Done = true
	return todo.Tool, nil
}

// SaveState saves the agent's state as the next checkpoint of the thread. It
// fails with checkpoint.ErrConflict when another agent has saved there since this
// one loaded: two runs of one thread never overwrite each other.
func (a *Agent) SaveState(ctx context.Context, thread string) (checkpoint.Info, error) {
	condition := checkpoint.IfAbsent()
	if a.last != "" {
		condition = checkpoint.IfMatch(a.last)
	}
	info, err := a.store.Save(ctx, thread, a.State, condition)
	if err == nil {
		a.last = info.ID
	}
	return info, err
}

// LoadState makes the thread's latest checkpoint the agent's state. It fails with
// checkpoint.ErrNotFound when there is none.
func (a *Agent) LoadState(ctx context.Context, thread string) (checkpoint.Info, error) {
	state, info, err := checkpoint.Get[State](ctx, a.store, thread)
	if err == nil {
		a.State, a.last = state, info.ID
	}
	return info, err
}
