package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// A patching is a memory backend that counts what is sent to it, and lets a test
// change what it answers.
type patching struct {
	driver.Backend
	mu      sync.Mutex
	patches int
	wholes  int
	bytes   int
	digests int                      // whole states that patches can be made against
	refused int                      // patches answered with ErrBase
	onPatch func() error             // called before a patch is saved
	onLoad  func(*driver.Checkpoint) // with what was loaded
	knows   bool                     // leaves out what the caller has
	brought int                      // bytes of what was loaded
}

// newPatching returns one on a store shared by all that have the same Driver.
func newPatching(t testing.TB, d *memory.Driver) *patching {
	t.Helper()
	b, err := d.Open("memory:shared")
	if err != nil {
		t.Fatal(err)
	}
	return &patching{Backend: b}
}

func (p *patching) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	p.mu.Lock()
	p.wholes++
	p.bytes += len(req.Payload)
	p.mu.Unlock()
	info, err := p.Backend.Save(ctx, req)
	if err == nil && req.Digest != "" {
		p.mu.Lock()
		p.digests++
		p.mu.Unlock()
	}
	return info, err
}

func (p *patching) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	p.mu.Lock()
	if len(req.Payload) > 0 { // else it only asks
		p.patches++
	}
	p.bytes += len(req.Payload)
	onPatch := p.onPatch
	p.mu.Unlock()
	if onPatch != nil {
		if err := onPatch(); err != nil {
			return driver.Info{Key: req.Key, ID: req.ID}, err
		}
	}
	info, err := p.Backend.(driver.Patcher).SavePatch(ctx, req)
	if errors.Is(err, driver.ErrBase) {
		p.mu.Lock()
		p.refused++
		p.mu.Unlock()
	}
	return info, err
}

func (p *patching) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	cp, err := p.Backend.Load(ctx, req)
	if err == nil && p.onLoad != nil {
		p.onLoad(&cp)
	}
	if err == nil && p.knows && req.Version == 0 && req.Known == (driver.Previous{ID: cp.ID, Digest: cp.Digest}) {
		cp = driver.Checkpoint{Info: cp.Info, Digest: cp.Digest, Known: true}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.brought += len(cp.Payload)
	for _, l := range cp.Links {
		p.brought += len(l.Payload)
	}
	return cp, err
}

func (p *patching) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	return p.Backend.(driver.Rewriter).Rewrite(ctx, req)
}

func (p *patching) Import(ctx context.Context, req driver.ImportRequest) error {
	return p.Backend.(driver.Importer).Import(ctx, req)
}

type talk struct {
	Turn     int
	Messages []string
}

// longTalk returns a conversation of so many messages of about 300 bytes.
func longTalk(messages int) talk {
	return talk{Turn: messages, Messages: slices.Clone(talkMessages()[:messages])}
}

var talkMessages = sync.OnceValue(func() (messages []string) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b strings.Builder
		for b.Len() < 300 {
			fmt.Fprintf(&b, "%x ", r.Uint32())
		}
		messages = append(messages, b.String())
	}
	return messages
})

func patchedStore(t testing.TB, b driver.Backend, opts ...checkpoint.Option) *checkpoint.Store {
	t.Helper()
	return checkpoint.New(b, append([]checkpoint.Option{checkpoint.WithIncremental()}, opts...)...)
}

func saved(t testing.TB, s *checkpoint.Store, thread string, state any, opts ...checkpoint.SaveOption) checkpoint.Info {
	t.Helper()
	info, err := s.Save(t.Context(), thread, state, opts...)
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	return info
}

func wantState(t testing.TB, s *checkpoint.Store, thread string, version int64, want talk) {
	t.Helper()
	var got talk
	var err error
	if version == 0 {
		_, err = s.Load(t.Context(), thread, &got)
	} else {
		_, err = s.LoadVersion(t.Context(), thread, version, &got)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("load of version %d: a state of turn %d, %v, want turn %d", version, got.Turn, err, want.Turn)
	}
}

var sealings = map[string][]checkpoint.Option{
	"plain":      nil,
	"compressed": {checkpoint.WithCompression(flater{"flate"})},
	"sealed":     {checkpoint.WithEncryption(aead(1))},
}

func aead(n byte) *checkpoint.Keyring {
	k, err := checkpoint.NewKeyring(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

func TestIncrementalSaves(t *testing.T) {
	t.Parallel()
	for name, opts := range sealings {
		t.Run(name, func(t *testing.T) {
			b := newPatching(t, new(memory.Driver))
			s := patchedStore(t, b, append(opts, checkpoint.WithHistory(5))...)
			const steps = 100
			for i := 1; i <= steps; i++ {
				info := saved(t, s, "thread", longTalk(20+i))
				if info.Version != int64(i) || info.Base != 0 && (info.Base >= info.Version || info.Version-info.Base > driver.MaxChain) {
					t.Fatalf("save %d returns version %d with base %d", i, info.Version, info.Base)
				}
			}
			if b.refused != 0 || b.wholes > 8 || b.patches != steps-b.wholes {
				t.Errorf("%d patches, %d of them refused, and %d whole states, want few whole ones", b.patches, b.refused, b.wholes)
			}
			// Another handle, which remembers nothing and has not the setting.
			plain := checkpoint.New(b, opts...)
			wantState(t, plain, "thread", 0, longTalk(20+steps))
			for v := int64(steps - 4); v <= steps; v++ {
				wantState(t, plain, "thread", v, longTalk(20+int(v)))
			}
			if _, err := plain.LoadVersion(t.Context(), "thread", steps-5, new(talk)); !errors.Is(err, checkpoint.ErrNotFound) {
				t.Errorf("LoadVersion of an invisible version: %v, want ErrNotFound", err)
			}
			for _, newest := range []bool{false, true} {
				var got []int64
				for v, err := range plain.Versions(t.Context(), "thread", checkpoint.VersionsOptions{Newest: newest}) {
					var state talk
					if err == nil {
						err = v.Decode(&state)
					}
					if err != nil || state.Turn != 20+int(v.Info.Version) {
						t.Fatalf("Versions: version %d has turn %d, %v", v.Info.Version, state.Turn, err)
					}
					got = append(got, v.Info.Version)
				}
				if newest {
					slices.Reverse(got)
				}
				if !slices.Equal(got, []int64{96, 97, 98, 99, 100}) {
					t.Errorf("Versions (newest first: %v) yields %v", newest, got)
				}
			}
			if info := saved(t, plain, "thread", longTalk(1)); info.Base != 0 || info.Version != steps+1 {
				t.Errorf("a save without the setting: version %d with base %d, want %d whole", info.Version, info.Base, steps+1)
			}
			before := b.refused
			if info := saved(t, s, "thread", longTalk(122)); info.Base != 0 || b.refused > before+1 {
				t.Errorf("a save after another handle's: base %d after %d refused patches, want a whole one after at most 1", info.Base, b.refused-before)
			}
			if info := saved(t, s, "thread", longTalk(123)); info.Base != steps+2 {
				t.Errorf("the save after it: base %d, want %d", info.Base, steps+2)
			}
		})
	}
}

// TestIncrementalBesideWhole runs random operations on an incremental store and on a
// whole one, and compares what all of its methods return.
func TestIncrementalBesideWhole(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "sealed"} {
		opts := sealings[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			clock := newClock()
			r := rand.New(rand.NewPCG(7, uint64(len(name))))
			d := new(memory.Driver)
			var stores [2][]*checkpoint.Store // incremental ones on one store; a whole one
			common := append(slices.Clone(opts), checkpoint.WithClock(clock.Now))
			for i := range 3 {
				stores[0] = append(stores[0], patchedStore(t, newPatching(t, d), append(common, checkpoint.WithHistory(1+i*3))...))
			}
			whole := newPatching(t, new(memory.Driver))
			for i := range 3 {
				stores[1] = append(stores[1], checkpoint.New(whole, append(common, checkpoint.WithHistory(1+i*3))...))
			}
			threads := []string{"a"}
			states := map[string]talk{"a": longTalk(30)}
			for step := range 120 {
				handle := r.IntN(3)
				if r.IntN(4) > 0 {
					handle = 2 // so that chains grow
				}
				thread := threads[r.IntN(len(threads))]
				clock.advance(time.Second)
				var results [2]string
				id := fmt.Sprintf("id-%d", step)
				if r.IntN(20) == 0 {
					id = fmt.Sprintf("id-%d", step-r.IntN(6))
				}
				what := r.IntN(100)
				state := states[thread]
				state.Turn++
				state.Messages = slices.Clone(state.Messages)
				at := r.IntN(len(state.Messages))
				switch r.IntN(4) {
				case 0:
					state.Messages[at] = fmt.Sprint("changed in ", step)
				case 1:
					state.Messages = slices.Delete(state.Messages, at, at+1)
				default:
					state.Messages = append(state.Messages, longTalk(1+r.IntN(9)).Messages...)
				}
				if len(state.Messages) > 50 || len(state.Messages) < 20 {
					state.Messages = longTalk(30).Messages
				}
				states[thread] = state
				version := int64(1 + r.IntN(40))
				ttl := time.Duration(r.IntN(40)) * time.Second
				for i := range stores {
					s := stores[i][handle]
					var info checkpoint.Info
					var err error
					got := ""
					switch {
					case what < 70:
						info, err = s.Save(ctx, thread, state, checkpoint.WithID(id), checkpoint.ExpiresIn(ttl))
					case what < 75:
						info, err = s.Save(ctx, thread, state, checkpoint.WithID(id), checkpoint.IfVersion(version%6))
					case what < 80:
						var restored checkpoint.Info
						if restored, err = s.Stat(ctx, thread); err == nil {
							info, err = s.Restore(ctx, thread, max(1, restored.Version-version%6))
							info.ID = ""
						}
					case what < 82:
						err = s.Delete(ctx, thread)
					case what < 86:
						var old talk
						if info, err = s.Load(ctx, thread, &old); err == nil {
							info, err = checkpoint.Update(ctx, s, thread, func(s *talk) error { s.Turn += 1000; return nil })
							info.ID = ""
						}
					default:
						var old talk
						info, err = s.Load(ctx, thread, &old)
						info.ID = ""
						got = fmt.Sprint(old)
					}
					kind := ""
					for _, e := range []error{checkpoint.ErrNotFound, checkpoint.ErrConflict, checkpoint.ErrCorrupt, checkpoint.ErrInvalid} {
						if errors.Is(err, e) {
							kind = e.Error()
						}
					}
					if err != nil && kind == "" {
						t.Fatalf("step %d: %v", step, err)
					}
					results[i] = fmt.Sprint(info.ID, info.Version, info.Metadata, info.CreatedAt, info.ExpiresAt, kind, got)
					for v, err := range s.Versions(ctx, thread, checkpoint.VersionsOptions{Newest: step%2 == 0}) {
						var state json.RawMessage
						if err == nil {
							err = v.Decode(&state)
						}
						if err != nil {
							t.Fatalf("step %d: Versions: %v", step, err)
						}
						results[i] += fmt.Sprint("\n", v.Info.Version, v.SavedAt, string(state))
					}
				}
				if results[0] != results[1] {
					t.Fatalf("step %d (%d): with the setting\n%.2000s\nwithout\n%.2000s", step, what, results[0], results[1])
				}
			}
		})
	}
}

func TestIncrementalDamage(t *testing.T) {
	t.Parallel()
	for name, opts := range sealings {
		b := newPatching(t, new(memory.Driver))
		s := patchedStore(t, b, opts...)
		for i := range 6 {
			saved(t, s, "thread", longTalk(40+i))
		}
		flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
		for damage, do := range map[string]func(*driver.Checkpoint){
			"the whole state":      func(cp *driver.Checkpoint) { cp.Links[0].Payload = flip(cp.Links[0].Payload) },
			"a patch":              func(cp *driver.Checkpoint) { cp.Links[2].Payload = flip(cp.Links[2].Payload) },
			"the last patch":       func(cp *driver.Checkpoint) { cp.Payload = flip(cp.Payload) },
			"a missing patch":      func(cp *driver.Checkpoint) { cp.Links = slices.Delete(cp.Links, 2, 3) },
			"a missing base":       func(cp *driver.Checkpoint) { cp.Links = cp.Links[1:] },
			"no links":             func(cp *driver.Checkpoint) { cp.Links = nil },
			"two exchanged":        func(cp *driver.Checkpoint) { cp.Links[2], cp.Links[3] = cp.Links[3], cp.Links[2] },
			"an exchanged text":    func(cp *driver.Checkpoint) { cp.Links[2].Payload = cp.Links[3].Payload },
			"another base":         func(cp *driver.Checkpoint) { cp.Base-- },
			"no base":              func(cp *driver.Checkpoint) { cp.Base = 0 },
			"a base in the future": func(cp *driver.Checkpoint) { cp.Base = cp.Version + 1 },
			"another encoding":     func(cp *driver.Checkpoint) { cp.Links[1].Encoding = cp.Links[0].Encoding },
			"another codec":        func(cp *driver.Checkpoint) { cp.Encoding = strings.Replace(cp.Encoding, "json", "bytes", 1) },
		} {
			b.onLoad = func(cp *driver.Checkpoint) {
				if cp.Base == 0 {
					t.Fatalf("version %d is whole", cp.Version)
				}
				do(cp)
			}
			if _, err := s.Load(t.Context(), "thread", new(talk)); !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("%s: %s: Load: %v, want ErrCorrupt", name, damage, err)
			}
		}
		b.onLoad = nil
		saved(t, s, "whole", longTalk(40))
		b.onLoad = func(cp *driver.Checkpoint) { cp.Payload = flip(cp.Payload) }
		if _, err := s.Load(t.Context(), "whole", new(talk)); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("%s: a damaged whole state: Load: %v, want ErrCorrupt", name, err)
		}
	}
}

func TestIncrementalBounds(t *testing.T) {
	t.Parallel()
	b := newPatching(t, new(memory.Driver))
	s := patchedStore(t, b)
	// The chain's length: one byte changes at a time.
	state := longTalk(100)
	longest := int64(0)
	for range 150 {
		state.Turn++
		info := saved(t, s, "long", state)
		if info.Base != 0 {
			longest = max(longest, info.Version-info.Base)
		}
	}
	if longest != driver.MaxChain {
		t.Errorf("the longest chain has %d patches, want %d", longest, driver.MaxChain)
	}
	// Its bytes: a fifth changes at a time.
	sum := 0
	for i := range 20 {
		for j := range 20 {
			state.Messages[(i*20+j)%100] = longTalk(101 + i).Messages[j+1][:250] + fmt.Sprint(i, j)
		}
		info := saved(t, s, "heavy", state)
		if info.Base == 0 {
			sum = 0
		} else if sum += info.Size; sum > 100*303/2+2000 {
			t.Errorf("version %d: patches of %d bytes together, want at most half of the state", info.Version, sum)
		}
	}
	// A state that shrinks does not bring a large one along.
	saved(t, s, "shrinking", longTalk(200))
	if info := saved(t, s, "shrinking", longTalk(50)); info.Base != 0 {
		t.Errorf("a state of a quarter of its base builds on it")
	}
	// Small and random states cost nothing.
	b.patches = 0
	for range 32 {
		saved(t, s, "small", longTalk(3))
		saved(t, s, "random", random(8000))
	}
	if b.patches != 0 {
		t.Errorf("small and random states make %d patches, want none", b.patches)
	}
}

// TestIncrementalFutile: while no patch is looked for, a save has no digest and its
// state is not remembered, whatever is done between saves.
func TestIncrementalFutile(t *testing.T) {
	t.Parallel()
	const size = 8000
	for name, between := range map[string]func(s *checkpoint.Store, last checkpoint.Info) []checkpoint.SaveOption{
		"saves": func(*checkpoint.Store, checkpoint.Info) []checkpoint.SaveOption { return nil },
		"loads": func(s *checkpoint.Store, _ checkpoint.Info) []checkpoint.SaveOption {
			if _, err := s.Load(t.Context(), "thread", new(checkpoint.Bytes)); err != nil {
				t.Error(err)
			}
			return nil
		},
		"conditions": func(_ *checkpoint.Store, last checkpoint.Info) []checkpoint.SaveOption {
			return []checkpoint.SaveOption{checkpoint.IfMatch(last.ID)}
		},
		"conflicts": func(s *checkpoint.Store, _ checkpoint.Info) []checkpoint.SaveOption {
			if _, err := s.Save(t.Context(), "thread", random(size), checkpoint.IfMatch("another")); !errors.Is(err, checkpoint.ErrConflict) {
				t.Errorf("Save on a condition that does not hold: %v, want ErrConflict", err)
			}
			return nil
		},
	} {
		b := newPatching(t, new(memory.Driver))
		s := patchedStore(t, b)
		last := saved(t, s, "thread", random(size))
		empty := 0
		for range 99 {
			last = saved(t, s, "thread", random(size), between(s, last)...)
			if checkpoint.RememberedBytes(s) < size {
				empty++
			}
		}
		// A patch is looked for by the 2nd, 4th, 8th, 16th, 32nd, 64th and 96th save.
		if b.digests > 7 || empty < 93 || b.patches > 0 {
			t.Errorf("%s: of 100 states that have nothing in common %d have digests, %d are not remembered and %d are patches, want 7, 93 and 0",
				name, b.digests, empty, b.patches)
		}
		// Where the states become alike again, patches are soon found.
		state := random(size)
		for range 34 {
			last = saved(t, s, "thread", append(state, '!'))
			state = append(state, '!')
		}
		if last.Base == 0 {
			t.Errorf("%s: no patch is found after 32 saves of states that are alike", name)
		}
	}
}

// random returns a state that has nothing in common with any other.
func random(size int) (state checkpoint.Bytes) {
	for len(state) < size {
		state = fmt.Appendf(state, "%x", rand.Uint64())
	}
	return state
}

func TestIncrementalMemory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := newPatching(t, new(memory.Driver))
	const bound = 100_000 // about seven states
	s := patchedStore(t, b, checkpoint.WithIncrementalMemory(bound))
	view := s.Namespace("other")
	for i := range 40 {
		saved(t, s, fmt.Sprint(i), longTalk(40))
		saved(t, view, fmt.Sprint(i), longTalk(40))
		if used := checkpoint.RememberedBytes(s); used > bound {
			t.Fatalf("%d bytes are remembered, want at most %d", used, bound)
		}
	}
	if used := checkpoint.RememberedBytes(view); used < bound/2 {
		t.Errorf("%d bytes are remembered, want about %d", used, bound)
	}
	if info := saved(t, s, "39", longTalk(41)); info.Base == 0 {
		t.Error("the thread saved last is not remembered")
	}
	if info := saved(t, s, "0", longTalk(41)); info.Base != 0 {
		t.Error("the thread saved first is remembered")
	}
	// What was loaded is remembered too.
	if _, err := s.Load(ctx, "7", new(talk)); err != nil {
		t.Fatal(err)
	}
	if info := saved(t, s, "7", longTalk(41)); info.Base == 0 {
		t.Error("a thread that was loaded is not remembered")
	}
	none := patchedStore(t, b, checkpoint.WithIncrementalMemory(0))
	for range 3 {
		if info := saved(t, none, "none", longTalk(40)); info.Base != 0 {
			t.Error("a memory of 0 bytes remembers")
		}
	}
	if err := patchedStore(t, b, checkpoint.WithIncrementalMemory(-1)).Ping(ctx); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("a negative memory: %v, want ErrInvalid", err)
	}
	s.Close()
	if used := checkpoint.RememberedBytes(s); used != 0 {
		t.Errorf("%d bytes are remembered after Close, want none", used)
	}
}

// TestIncrementalKnown: what a handle remembers does not come again, and what others
// have saved does.
func TestIncrementalKnown(t *testing.T) {
	t.Parallel()
	b := newPatching(t, new(memory.Driver))
	b.knows = true
	s, other := patchedStore(t, b), patchedStore(t, b)
	load := func(s *checkpoint.Store, want talk, brings bool) {
		t.Helper()
		b.brought = 0
		var got talk
		if _, err := s.Load(t.Context(), "thread", &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Load: %v, turn %d, want turn %d", err, got.Turn, want.Turn)
		}
		if (b.brought > 0) != brings {
			t.Errorf("a load of turn %d brings %d bytes", want.Turn, b.brought)
		}
	}
	for turn := 40; turn < 44; turn++ {
		saved(t, s, "thread", longTalk(turn))
		load(s, longTalk(turn), false)
		load(other, longTalk(turn), true)
		load(other, longTalk(turn), false)
	}
	// A state is the caller's, and what is remembered the handle's.
	saved(t, s, "thread", random(8000))
	want := checkpoint.Bytes{}
	for range 3 {
		var got checkpoint.Bytes
		if _, err := s.Load(t.Context(), "thread", &got); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 {
			want = bytes.Clone(got)
		}
		if !bytes.Equal(got, want) {
			t.Error("a caller has changed what is remembered")
		}
		got[0]++
	}
	// An answer that is about another version is found.
	b.onLoad = func(cp *driver.Checkpoint) { cp.Known, cp.Payload, cp.Links, cp.ID = true, nil, nil, "another" }
	if _, err := s.Load(t.Context(), "thread", new(checkpoint.Bytes)); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("a backend that takes another version for the known one: %v, want ErrCorrupt", err)
	}
}

// TestIncrementalLostRace: a save that has lost to another one of the same handle sends
// no state, and one on a condition that holds is made though the memory speaks against it.
func TestIncrementalLostRace(t *testing.T) {
	t.Parallel()
	b := newPatching(t, new(memory.Driver))
	s, other := patchedStore(t, b), patchedStore(t, b)
	first := saved(t, s, "thread", longTalk(40))
	last := saved(t, s, "thread", longTalk(41))
	for name, condition := range map[string]checkpoint.SaveOption{
		"IfMatch": checkpoint.IfMatch(first.ID), "IfVersion": checkpoint.IfVersion(first.Version), "IfAbsent": checkpoint.IfAbsent(),
	} {
		b.wholes, b.bytes = 0, 0
		_, err := s.Save(t.Context(), "thread", longTalk(42), condition)
		conflict, ok := errors.AsType[*checkpoint.ConflictError](err)
		if !ok || conflict.Current.ID != last.ID || b.wholes+b.bytes > 0 {
			t.Errorf("%s: %v, with %d whole states and %d bytes sent, want a conflict with version 2 and neither", name, err, b.wholes, b.bytes)
		}
	}
	if info := saved(t, s, "thread", longTalk(42), checkpoint.IfMatch(last.ID)); info.Base == 0 {
		t.Error("a lost race has made the handle forget the thread")
	}
	theirs := saved(t, other, "thread", longTalk(43))
	if info := saved(t, s, "thread", longTalk(44), checkpoint.IfMatch(theirs.ID)); info.Version != 5 {
		t.Errorf("a save on a condition that holds made version %d, want 5", info.Version)
	}
	if err := s.Delete(t.Context(), "thread"); err != nil {
		t.Fatal(err)
	}
	saved(t, other, "thread", longTalk(44), checkpoint.IfAbsent())
}

// TestIncrementalCallersMemory: what the caller does with a state after the call
// changes nothing.
func TestIncrementalCallersMemory(t *testing.T) {
	t.Parallel()
	b := newPatching(t, new(memory.Driver))
	s := patchedStore(t, b)
	state := checkpoint.Bytes(bytes.Repeat([]byte("0123456789"), 1000))
	saved(t, s, "thread", state)
	state[5000] = 'x'
	saved(t, s, "thread", state)
	var loaded checkpoint.Bytes
	if _, err := s.Load(t.Context(), "thread", &loaded); err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(loaded)
	clear(loaded)
	info := saved(t, s, "thread", append(checkpoint.Bytes(nil), append(want, "more"...)...))
	if _, err := s.Load(t.Context(), "thread", &loaded); err != nil || string(loaded) != string(want)+"more" || info.Base == 0 {
		t.Errorf("Load: %d bytes, %v, base %d; want the %d saved in a patch", len(loaded), err, info.Base, len(want)+4)
	}
}

// TestIncrementalRespelled: an id alone does not prove a state's bytes.
func TestIncrementalRespelled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := newPatching(t, new(memory.Driver))
	s := patchedStore(t, b)
	info := saved(t, s, "thread", longTalk(40))
	cp, err := b.Backend.Load(ctx, driver.LoadRequest{Key: info.Key, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Backend.Delete(ctx, driver.DeleteRequest{Key: info.Key, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	cp.Payload, cp.Digest = bytes.ReplaceAll(cp.Payload, []byte(","), []byte(", ")), ""
	if err := b.Import(ctx, driver.ImportRequest{Checkpoint: cp, Now: time.Now(), Keep: 1}); err != nil {
		t.Fatal(err)
	}
	if info := saved(t, s, "thread", longTalk(41)); info.Base != 0 || info.Version != 2 || b.refused != 1 {
		t.Errorf("version %d with base %d after %d refused patches on a state that was spelled anew, want 2 and 0 after 1", info.Version, info.Base, b.refused)
	}
	wantState(t, s, "thread", 0, longTalk(41))
}

func TestIncrementalLostReply(t *testing.T) {
	t.Parallel()
	b := newPatching(t, new(memory.Driver))
	s := patchedStore(t, b)
	saved(t, s, "thread", longTalk(40))
	b.onPatch = func() error { return fmt.Errorf("%w: the reply was lost", driver.ErrUnavailable) }
	info, err := s.Save(t.Context(), "thread", longTalk(41), checkpoint.WithID("mine"))
	if !errors.Is(err, checkpoint.ErrUnavailable) || info.ID != "mine" || info.Thread != "thread" {
		t.Errorf("Save: %v, %v, want ErrUnavailable with the thread and the id", info, err)
	}
	if b.wholes != 1 {
		t.Errorf("%d whole states were sent, want the first one alone", b.wholes)
	}
	b.onPatch = nil
	if info, err := s.Save(t.Context(), "thread", longTalk(41), checkpoint.WithID("mine")); err != nil || info.Version != 2 || info.Base != 1 {
		t.Errorf("repeated: version %d, base %d, %v, want 2 and 1", info.Version, info.Base, err)
	}
	// The id again, with another state: the first one counts, and is what the next
	// patch builds on.
	if info := saved(t, s, "thread", longTalk(60), checkpoint.WithID("mine")); info.Version != 2 {
		t.Errorf("repeated with another state: version %d, want 2", info.Version)
	}
	saved(t, s, "thread", longTalk(61))
	wantState(t, s, "thread", 0, longTalk(61))
}

func TestIncrementalCopyAndRekey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := newPatching(t, new(memory.Driver))
	old, renewed := aead(1), func() *checkpoint.Keyring {
		k, err := checkpoint.NewKeyring(bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}()
	s := patchedStore(t, b, checkpoint.WithHistory(5), checkpoint.WithEncryption(old))
	const last = 90
	for i := range last {
		saved(t, s, "thread", longTalk(40+i))
	}
	check := func(s *checkpoint.Store) {
		t.Helper()
		for v := int64(last - 4); v <= last; v++ {
			wantState(t, s, "thread", v, longTalk(39+int(v)))
		}
	}
	check(s)
	history, _ := collect(s.History(ctx, "thread", checkpoint.HistoryOptions{}))
	for name, dst := range map[string]*checkpoint.Store{
		"whole, same namespace":       checkpoint.New(memory.New(), checkpoint.WithHistory(5)),
		"whole, another namespace":    checkpoint.New(memory.New(), checkpoint.WithHistory(5), checkpoint.WithNamespace("elsewhere")),
		"incremental, another key":    patchedStore(t, memory.New(), checkpoint.WithHistory(5), checkpoint.WithEncryption(aead(3))),
		"incremental, without a key":  patchedStore(t, memory.New(), checkpoint.WithHistory(5)),
		"compressed, without history": checkpoint.New(memory.New(), checkpoint.WithHistory(5), checkpoint.WithCompression(flater{"flate"})),
	} {
		if _, err := checkpoint.Copy(ctx, dst, s, checkpoint.CopyOptions{History: true}); err != nil {
			t.Errorf("%s: Copy: %v", name, err)
			continue
		}
		got, _ := collect(dst.History(ctx, "thread", checkpoint.HistoryOptions{}))
		for i := range got {
			if w := history[i]; got[i].ID != w.ID || got[i].Version != w.Version || !got[i].SavedAt.Equal(w.SavedAt) || got[i].Base != 0 {
				t.Errorf("%s: version %d is %v, want a whole %v", name, w.Version, got[i], w)
			}
		}
		if len(got) != 5 {
			t.Errorf("%s: %d versions, want 5", name, len(got))
		}
		if strings.HasSuffix(got[0].Encoding, "+aead") {
			if name == "whole, same namespace" || name == "incremental, without a key" {
				dst = patchedStore(t, backendOf(t, dst), checkpoint.WithHistory(5), checkpoint.WithEncryption(old))
			}
		}
		check(dst)
		saved(t, dst, "thread", longTalk(150))
		wantState(t, dst, "thread", 0, longTalk(150))
		wantState(t, dst, "thread", last, longTalk(39+last))
	}

	if info := saved(t, s, "thread", longTalk(39+last)); info.Base == 0 {
		t.Fatal("the last version is whole")
	}
	if _, err := s.Restore(ctx, "thread", last); err != nil {
		t.Fatal(err)
	}
	rekeyed := patchedStore(t, b, checkpoint.WithHistory(5), checkpoint.WithEncryption(renewed))
	stats, err := checkpoint.Rekey(ctx, rekeyed, checkpoint.RekeyOptions{})
	if err != nil || stats.Threads != 1 || stats.Checkpoints != 5 {
		t.Fatalf("Rekey: %+v, %v", stats, err)
	}
	again, err := checkpoint.Rekey(ctx, rekeyed, checkpoint.RekeyOptions{})
	if err != nil || again.Rewritten != 0 {
		t.Errorf("Rekey again: %+v, %v, want nothing rewritten", again, err)
	}
	// The old key is not needed any more, for no link.
	only := patchedStore(t, b, checkpoint.WithHistory(5), checkpoint.WithEncryption(aead(2)))
	wantState(t, only, "thread", 0, longTalk(39+last))
	wantState(t, only, "thread", last-1, longTalk(38+last))
	if info := saved(t, only, "thread", longTalk(40+last)); info.Base == 0 {
		t.Error("the save after Rekey is whole")
	}
	wantState(t, only, "thread", 0, longTalk(40+last))
}

// backendOf returns the backend of a store.
func backendOf(t testing.TB, s *checkpoint.Store) driver.Backend {
	t.Helper()
	var b driver.Backend
	if err := s.Raw(func(of driver.Backend) error { b = of; return nil }); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIncrementalWord(t *testing.T) {
	t.Parallel()
	s, err := checkpoint.Open("memory", "?incremental=true")
	if err != nil {
		t.Fatal(err)
	}
	saved(t, s, "thread", longTalk(40))
	if info := saved(t, s, "thread", longTalk(41)); info.Base != 1 {
		t.Errorf("base %d, want 1", info.Base)
	}
	if _, err := checkpoint.Open("memory", "?incremental=yes"); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("incremental=yes: %v, want ErrInvalid", err)
	}
}

func TestIncrementalConcurrently(t *testing.T) {
	t.Parallel()
	d := new(memory.Driver)
	first := patchedStore(t, newPatching(t, d))
	second := patchedStore(t, newPatching(t, d))
	saved(t, first, "thread", longTalk(40))
	var wg sync.WaitGroup
	for i := range 4 {
		s := []*checkpoint.Store{first, second}[i%2]
		wg.Go(func() {
			for range 20 {
				if _, err := checkpoint.Update(t.Context(), s, "thread", func(s *talk) error {
					s.Turn++
					s.Messages = append(s.Messages, longTalk(1 + s.Turn%50).Messages[:1]...)
					return nil
				}); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	var got talk
	if info, err := first.Load(t.Context(), "thread", &got); err != nil || got.Turn != 120 || len(got.Messages) != 120 || info.Version != 81 {
		t.Errorf("after 80 updates: turn %d, %d messages, version %d, %v", got.Turn, len(got.Messages), info.Version, err)
	}
}
