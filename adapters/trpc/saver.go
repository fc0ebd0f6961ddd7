package trpc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"trpc.group/trpc-go/trpc-agent-go/graph"

	"github.com/go-ckpt/checkpoint"
)

// Saver is a graph.CheckpointSaver on a store.
type Saver struct{ log *checkpoint.Store }

var _ graph.CheckpointSaver = (*Saver)(nil)

// An Option sets up a Saver.
type Option func(*Saver)

// Keep keeps the n newest puts of each lineage, of all its namespaces together: a
// subgraph of many steps can push out the checkpoint that its parent resumes from, so
// be generous. An n below 1 makes every operation an error that matches
// checkpoint.ErrInvalid.
func Keep(n int) Option {
	return func(s *Saver) { s.log = s.log.Namespace(s.log.InNamespace(), checkpoint.WithHistory(n)) }
}

// codec keeps the digits of numbers.
var codec = checkpoint.JSONNumbers()

// NewSaver returns a saver on the store, which the caller goes on closing. The store's
// history and codec settings do not matter.
func NewSaver(store *checkpoint.Store, opts ...Option) *Saver {
	s := &Saver{store.Namespace(store.InNamespace(), checkpoint.WithHistory(checkpoint.KeepAll), checkpoint.WithCodec(codec))}
	for _, o := range opts {
		o(s)
	}
	return s
}

// A record is one version of a lineage's thread: a checkpoint with its writes, or
// writes that were put for it later.
type record struct {
	Checkpoint *graph.Checkpoint         `json:"checkpoint,omitempty"`
	Metadata   *graph.CheckpointMetadata `json:"metadata,omitempty"`
	Task       string                    `json:"task,omitempty"`
	Writes     []graph.PendingWrite      `json:"writes,omitempty"`
}

// What a record is about stands in the metadata of its version.
const (
	metadataNamespace  = "ns"
	metadataCheckpoint = "checkpoint" // the id
	metadataParent     = "parent"     // the id, of a checkpoint that has one
	metadataWrites     = "writes"     // "later" in a record of writes alone
)

// key names a checkpoint of a lineage.
type key struct{ namespace, id string }

func keyOf(info checkpoint.Info) key {
	return key{info.Metadata[metadataNamespace], info.Metadata[metadataCheckpoint]}
}

func isCheckpoint(info checkpoint.Info) bool { return info.Metadata[metadataWrites] == "" }

// selection is what a configuration asks for.
type selection struct {
	lineage, namespace, id string
	anyNamespace           bool
}

func selectionOf(config map[string]any) (selection, error) {
	s := selection{lineage: graph.GetLineageID(config), namespace: graph.GetNamespace(config), id: graph.GetCheckpointID(config)}
	if s.lineage == "" {
		return s, errors.New("trpc: the configuration has no lineage_id")
	}
	configurable, _ := config[graph.CfgKeyConfigurable].(map[string]any)
	_, given := configurable[graph.CfgKeyCheckpointNS].(string)
	s.anyNamespace = !given || s.namespace == "" && s.id != ""
	return s, nil
}

func (s selection) thread() string { return "lineage/" + s.lineage }

func (s selection) has(k key) bool {
	return (s.anyNamespace || s.namespace == k.namespace) && (s.id == "" || s.id == k.id)
}

// Put implements graph.CheckpointSaver.
func (s *Saver) Put(ctx context.Context, req graph.PutRequest) (map[string]any, error) {
	return s.PutFull(ctx, graph.PutFullRequest{Config: req.Config, Checkpoint: req.Checkpoint, Metadata: req.Metadata, NewVersions: req.NewVersions})
}

// PutFull implements graph.CheckpointSaver: the checkpoint and its writes are one
// version.
func (s *Saver) PutFull(ctx context.Context, req graph.PutFullRequest) (map[string]any, error) {
	sel, err := selectionOf(req.Config)
	if err != nil {
		return nil, err
	}
	if req.Checkpoint == nil || req.Checkpoint.ID == "" {
		return nil, errors.New("trpc: there is no checkpoint, or it has no id")
	}
	r := record{Checkpoint: req.Checkpoint, Metadata: req.Metadata, Writes: req.PendingWrites}
	if r.Metadata == nil {
		r.Metadata = graph.NewCheckpointMetadata(graph.CheckpointSourceUpdate, 0)
	}
	m := map[string]string{metadataNamespace: sel.namespace, metadataCheckpoint: req.Checkpoint.ID}
	if parent := req.Checkpoint.ParentCheckpointID; parent != "" {
		m[metadataParent] = parent
	}
	if _, err := s.log.Save(ctx, sel.thread(), r, checkpoint.Metadata(m)); err != nil {
		return nil, err
	}
	return graph.CreateCheckpointConfig(sel.lineage, req.Checkpoint.ID, sel.namespace), nil
}

// PutWrites implements graph.CheckpointSaver. The writes of a task replace those that it
// put before, one by one, and leave those of other tasks alone. A checkpoint that is
// not there is an error that matches checkpoint.ErrNotFound.
func (s *Saver) PutWrites(ctx context.Context, req graph.PutWritesRequest) error {
	sel, err := selectionOf(req.Config)
	if err != nil {
		return err
	}
	if sel.id == "" {
		return errors.New("trpc: the configuration has no checkpoint_id")
	}
	found, err := s.find(ctx, sel)
	if err == nil && found == nil {
		err = fmt.Errorf("trpc: checkpoint %q of lineage %q: %w", sel.id, sel.lineage, checkpoint.ErrNotFound)
	}
	if err != nil {
		return err
	}
	m := map[string]string{metadataNamespace: found.key.namespace, metadataCheckpoint: sel.id, metadataWrites: "later"}
	_, err = s.log.Save(ctx, sel.thread(), record{Task: req.TaskID, Writes: req.Writes}, checkpoint.IfExists(), checkpoint.Metadata(m))
	return err
}

// Get implements graph.CheckpointSaver; nil when there is none.
func (s *Saver) Get(ctx context.Context, config map[string]any) (*graph.Checkpoint, error) {
	tuple, err := s.GetTuple(ctx, config)
	if err != nil || tuple == nil {
		return nil, err
	}
	return tuple.Checkpoint, nil
}

// GetTuple implements graph.CheckpointSaver: the checkpoint that config names, or the
// newest one, and nil when there is none.
func (s *Saver) GetTuple(ctx context.Context, config map[string]any) (*graph.CheckpointTuple, error) {
	sel, err := selectionOf(config)
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, sel)
	if err != nil || found == nil {
		return nil, err
	}
	records := make([]record, 0, 1)
	for _, version := range found.versions {
		var r record
		_, err := s.log.LoadVersion(ctx, sel.thread(), version, &r)
		if errors.Is(err, checkpoint.ErrNotFound) {
			return nil, nil // removed since it was found
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return tuple(sel.lineage, found.key, found.parent, records), nil
}

// found says where a checkpoint is.
type found struct {
	key      key
	parent   key     // the id is empty where there is no parent, the namespace also where it is gone
	versions []int64 // of the checkpoint, and of the writes that were put later
}

// find looks for the newest checkpoint that is selected, in the order from the newest
// version, without loading any. It returns nil when there is none.
func (s *Saver) find(ctx context.Context, sel selection) (*found, error) {
	later := map[key][]int64{}
	var f *found
	for info, err := range s.log.History(ctx, sel.thread(), checkpoint.HistoryOptions{}) {
		if err != nil {
			return nil, err
		}
		k := keyOf(info)
		switch {
		case !isCheckpoint(info):
			later[k] = append([]int64{info.Version}, later[k]...)
		case f == nil && sel.has(k):
			f = &found{key: k, parent: key{id: info.Metadata[metadataParent]}, versions: append([]int64{info.Version}, later[k]...)}
		case f != nil && k.id == f.parent.id:
			f.parent = k
			return f, nil
		}
		if f != nil && f.parent.id == "" {
			return f, nil
		}
	}
	return f, nil
}

// tuple puts together what the records of a checkpoint say, its own the first.
func tuple(lineage string, k, parent key, records []record) *graph.CheckpointTuple {
	t := &graph.CheckpointTuple{
		Config:     graph.CreateCheckpointConfig(lineage, k.id, k.namespace),
		Checkpoint: records[0].Checkpoint,
		Metadata:   records[0].Metadata,
	}
	if parent.id != "" {
		t.ParentConfig = graph.CreateCheckpointConfig(lineage, parent.id, parent.namespace)
	}
	at := map[string]int{} // by task and number, in t.PendingWrites
	for i, r := range records {
		for n, w := range r.Writes {
			if i > 0 && r.Task != "" {
				w.TaskID = r.Task
			}
			place := strconv.Itoa(n) + " " + w.TaskID
			if old, ok := at[place]; ok {
				t.PendingWrites[old] = w
				continue
			}
			at[place] = len(t.PendingWrites)
			t.PendingWrites = append(t.PendingWrites, w)
		}
	}
	return t
}

// DeleteLineage implements graph.CheckpointSaver.
func (s *Saver) DeleteLineage(ctx context.Context, lineage string) error {
	if lineage == "" {
		return errors.New("trpc: the lineage_id is empty")
	}
	return s.log.Delete(ctx, selection{lineage: lineage}.thread())
}

// Close implements graph.CheckpointSaver and does nothing: the store is the caller's.
func (s *Saver) Close() error { return nil }
