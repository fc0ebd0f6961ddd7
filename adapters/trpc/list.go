package trpc

import (
	"context"
	"reflect"

	"trpc.group/trpc-go/trpc-agent-go/graph"

	"github.com/go-ckpt/checkpoint"
)

// List implements graph.CheckpointSaver: the checkpoints of a namespace, or of all of
// them where it is empty, the newest first. Filter.Before leaves those that were put
// before that checkpoint, and none when it is not there.
func (s *Saver) List(ctx context.Context, config map[string]any, filter *graph.CheckpointFilter) ([]*graph.CheckpointTuple, error) {
	sel, err := selectionOf(config)
	if err != nil {
		return nil, err
	}
	sel.id, sel.anyNamespace = "", sel.namespace == ""
	if filter == nil {
		filter = &graph.CheckpointFilter{}
	}
	var (
		tuples  []*graph.CheckpointTuple
		before  = graph.GetCheckpointID(filter.Before)
		later   = map[key][]record{}                    // writes whose checkpoint comes further on
		orphans = map[string][]*graph.CheckpointTuple{} // by the id of the parent that comes further on
		seen    = map[key]bool{}
	)
	for v, err := range s.log.Versions(ctx, sel.thread(), checkpoint.VersionsOptions{Newest: true}) {
		if err != nil {
			return nil, err
		}
		k := keyOf(v.Info)
		if !isCheckpoint(v.Info) {
			if sel.has(k) && !seen[k] {
				var r record
				if err := v.Decode(&r); err != nil {
					return nil, err
				}
				later[k] = append([]record{r}, later[k]...)
			}
			continue
		}
		for _, t := range orphans[k.id] {
			t.ParentConfig = graph.CreateCheckpointConfig(sel.lineage, k.id, k.namespace)
		}
		delete(orphans, k.id)
		full := filter.Limit > 0 && len(tuples) == filter.Limit
		skip := full || before != "" || !sel.has(k) || seen[k]
		if k.id == before {
			before = ""
		}
		seen[k] = true // what follows under this name was replaced
		if !skip {
			var r record
			if err := v.Decode(&r); err != nil {
				return nil, err
			}
			if r.Metadata == nil || !matches(r.Metadata.Extra, filter.Metadata) {
				continue
			}
			parent := key{id: v.Info.Metadata[metadataParent]}
			t := tuple(sel.lineage, k, parent, append([]record{r}, later[k]...))
			tuples = append(tuples, t)
			full = len(tuples) == filter.Limit
			if parent.id != "" {
				orphans[parent.id] = append(orphans[parent.id], t)
			}
		}
		if full && len(orphans) == 0 {
			break
		}
	}
	return tuples, nil
}

// matches reports whether the metadata has all the values, as they are once stored.
func matches(metadata, wanted map[string]any) bool {
	var stored map[string]any
	data, err := codec.Marshal(wanted)
	if err != nil || codec.Unmarshal(data, &stored) != nil {
		return false
	}
	for name, want := range stored {
		if got, ok := metadata[name]; !ok || !reflect.DeepEqual(got, want) {
			return false
		}
	}
	return true
}
