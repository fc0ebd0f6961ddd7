package trpc_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"trpc.group/trpc-go/trpc-agent-go/agent"
	"trpc.group/trpc-go/trpc-agent-go/graph"

	"github.com/go-ckpt/checkpoint/adapters/trpc"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// run runs a graph of the nodes a, b, c of a lineage, from where it stands, and returns
// the nodes that ran and the trail that all of them have left in the state.
func run(t *testing.T, s graph.CheckpointSaver, state graph.State, node func(name string, state graph.State) error) (ran []string, trail string) {
	t.Helper()
	schema := graph.NewStateSchema().AddField("trail", graph.StateField{Type: reflect.TypeFor[string](), Reducer: graph.DefaultReducer})
	g := graph.NewStateGraph(schema)
	for _, name := range []string{"a", "b", "c"} {
		g.AddNode(name, func(_ context.Context, state graph.State) (any, error) {
			if err := node(name, state); err != nil {
				return nil, err
			}
			ran = append(ran, name)
			trail, _ = state["trail"].(string)
			trail += name
			return graph.State{"trail": trail}, nil
		})
	}
	compiled, err := g.SetEntryPoint("a").AddEdge("a", "b").AddEdge("b", "c").SetFinishPoint("c").Compile()
	if err != nil {
		t.Fatal(err)
	}
	executor, err := graph.NewExecutor(compiled, graph.WithCheckpointSaver(s))
	if err != nil {
		t.Fatal(err)
	}
	events, err := executor.Execute(t.Context(), state, &agent.Invocation{InvocationID: "i", AgentName: "agent"})
	if err != nil {
		t.Fatal(err)
	}
	for range events {
	}
	return ran, trail
}

func lineage(id string) graph.State { return graph.State{graph.CfgKeyLineageID: id} }

func latest(id string) graph.State {
	return graph.State{graph.CfgKeyLineageID: id, graph.CfgKeyCheckpointID: ""}
}

// TestKilled: a graph whose process was killed in node b goes on with b in another
// one, and a does not run again.
func TestKilled(t *testing.T) {
	if url, _, ok := adapterstores.Child(); ok {
		run(t, trpc.NewSaver(adapterstores.Open(t, url)), lineage("L"), func(name string, _ graph.State) error {
			if name == "b" {
				fmt.Println("in b")
				time.Sleep(time.Hour)
			}
			return nil
		})
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		p := adapterstores.StartProcess(t, url, 0)
		p.Await(t, "in b")
		p.Kill(t)
		s := trpc.NewSaver(adapterstores.Open(t, url))
		ran, trail := run(t, s, latest("L"), func(string, graph.State) error { return nil })
		if !slices.Equal(ran, []string{"b", "c"}) || trail != "abc" {
			t.Errorf("ran %v, trail %q", ran, trail)
		}
	})
}

// TestInterrupted: a graph that asks a person is resumed with the answer through
// another handle.
func TestInterrupted(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		var answer any
		ask := func(name string, state graph.State) (err error) {
			if name == "b" {
				answer, err = graph.Interrupt(t.Context(), state, "approval", "may I?")
			}
			return err
		}
		if ran, _ := run(t, trpc.NewSaver(adapterstores.Open(t, url)), lineage("L"), ask); !slices.Equal(ran, []string{"a"}) {
			t.Fatalf("ran %v before the answer", ran)
		}
		s := trpc.NewSaver(adapterstores.Open(t, url))
		stopped, err := s.Get(t.Context(), graph.CreateCheckpointConfig("L", "", ""))
		if err != nil || !stopped.IsInterrupted() || stopped.GetInterruptValue() != "may I?" {
			t.Fatalf("the interrupt: %+v, %v", stopped, err)
		}
		state := latest("L")
		state[graph.StateKeyCommand] = graph.NewResumeCommand().AddResumeValue("approval", "yes")
		if ran, trail := run(t, s, state, ask); !slices.Equal(ran, []string{"b", "c"}) || trail != "abc" || answer != "yes" {
			t.Errorf("ran %v, trail %q, answer %v", ran, trail, answer)
		}
	})
}

// TestStartsOver pins what doc.go warns of: without the key of the checkpoint in the
// state, the executor of v1.11.2 starts over when the store cannot be reached at the
// beginning, and with it the run fails.
func TestStartsOver(t *testing.T) {
	store, faults := adapterstores.OpenFaults(t, "memory:")
	s := trpc.NewSaver(store)
	run(t, s, lineage("L"), func(name string, _ graph.State) error {
		if name == "c" {
			return fmt.Errorf("failed")
		}
		return nil
	})
	faults.CutAfter(0)
	if ran, _ := run(t, s, lineage("L"), func(string, graph.State) error { return nil }); !slices.Contains(ran, "a") {
		t.Errorf("ran %v: the framework no longer starts over, say so in doc.go", ran)
	}
	if ran, _ := run(t, s, latest("L"), func(string, graph.State) error { return nil }); ran != nil {
		t.Errorf("ran %v although the latest checkpoint was asked for", ran)
	}
}

// TestProcesses: two processes put checkpoints of one lineage; none is lost or doubled.
func TestProcesses(t *testing.T) {
	const processes, each = 2, 20
	if url, number, ok := adapterstores.Child(); ok {
		s := trpc.NewSaver(adapterstores.Open(t, url))
		for i := range each {
			put(t, s, "L", fmt.Sprint(number), fmt.Sprint(number, ".", i), "", nil)
		}
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		adapterstores.Processes(t, url, processes)
		s := trpc.NewSaver(adapterstores.Open(t, url))
		all, err := s.List(t.Context(), anywhere("L"), nil)
		if err != nil || len(all) != processes*each {
			t.Fatalf("%d checkpoints, %v", len(all), err)
		}
		for number := range processes {
			own, err := s.List(t.Context(), graph.CreateCheckpointConfig("L", "", fmt.Sprint(number)), nil)
			if err != nil || len(own) != each {
				t.Fatalf("%d checkpoints of process %d, %v", len(own), number, err)
			}
			for i, x := range own {
				if want := fmt.Sprint(number, ".", each-1-i); !strings.HasSuffix(name(x), "/"+want) {
					t.Errorf("%s instead of %s", name(x), want)
				}
			}
		}
	})
}
