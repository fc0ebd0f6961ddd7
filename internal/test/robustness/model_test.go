package robustness

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/go-ckpt/checkpoint/driver"
)

// A version is a checkpoint as the model knows it. Times are in microseconds.
type version struct {
	id                      string
	number                  int64
	created, saved, expires int64 // expires 0: never
	content                 string
	metadata                string

	// What patches against it must name; no reply tells.
	digest string
	base   int64 // of the chain that it is in, 0 where it is whole
}

// A thread is the state of the model: the kept versions of one thread, oldest
// first, empty when it is absent. An expired thread is still there.
type thread []version

// live returns the thread as it is at now.
func (t thread) live(now int64) thread {
	if len(t) == 0 || t.latest().expires != 0 && now >= t.latest().expires {
		return nil
	}
	return t
}

func (t thread) latest() version { return t[len(t)-1] }

// A call is the input of an operation on one thread.
type call struct {
	kind   string // save, load, stat, find, history, newest, versions, delete, prefix, purge
	now    int64
	number int64 // load: the version, 0 for the latest; newest and versions: how many, 0 for all
	keep   int
	match  driver.Match
	save   version // what to write, number and created being for the database to find; find: its id

	previous driver.Previous // save: of a patch, what it was made against
	chain    int64           // and the version that its chain begins with

	from, to   int64 // versions: bounds, both included; 0: open
	descending bool  // versions: the newest first
	alone      bool  // prefix: no save of the thread was under way meanwhile
}

// fits reports whether a thread's latest version is the one that the patch was made
// against. An id does not tell: a caller's own comes again in a later life, with other
// bytes or at another place of a chain.
func (c call) fits(live thread) bool {
	if live == nil {
		return false
	}
	latest := live.latest()
	return latest.id == c.previous.ID && latest.digest == c.previous.Digest && c.chain == cmp.Or(latest.base, latest.number)
}

// A reply is its output.
type reply struct {
	open     bool // no answer: it may have happened, or happen yet
	failed   bool // conflict, another base, or not found
	versions []version
}

func (r reply) outcome() string {
	switch {
	case r.open:
		return "open"
	case r.failed:
		return "no"
	}
	return "ok"
}

// step is the sequential specification: the states that a thread may be in
// after the operation, none if the operation cannot have this outcome.
func step(t thread, in call, out reply) []thread {
	live := t.live(in.now)
	stay := func(holds bool) []thread {
		if holds {
			return []thread{t}
		}
		return nil
	}
	switch in.kind {
	case "save":
		return save(t, live, in, out)
	case "delete":
		if satisfied(in.match, live) {
			if out.failed {
				return nil
			}
			return []thread{nil}
		}
		return stay(out.failed || out.open)
	case "prefix":
		// A thread that was being saved may stay.
		if in.alone || out.open {
			return []thread{nil}
		}
		return []thread{nil, t}
	case "purge":
		// A thread that was being written to may be passed over.
		if live == nil {
			return []thread{nil, t}
		}
		return []thread{t}
	case "stat", "load", "find":
		i := len(live) - 1
		if in.kind == "find" {
			i = slices.IndexFunc(live, func(v version) bool { return v.id == in.save.id })
		} else if in.number != 0 {
			i = slices.IndexFunc(live, func(v version) bool { return v.number == in.number })
		}
		if i < 0 || out.failed {
			return stay(i < 0 && out.failed)
		}
		return stay(agree(out.versions[0], live[i]))
	case "history", "newest":
		want := slices.Clone(live)
		slices.Reverse(want)
		if in.kind == "newest" {
			want = want[:min(len(want), int(in.number))]
		}
		return stay(slices.EqualFunc(out.versions, want, agree))
	case "versions":
		return stay(slices.EqualFunc(out.versions, between(live, in), agree))
	}
	panic("unknown operation " + in.kind)
}

// between returns the versions of a range, in its order.
func between(live thread, in call) thread {
	want := slices.DeleteFunc(slices.Clone(live), func(v version) bool {
		return v.number < in.from || in.to != 0 && v.number > in.to
	})
	if in.descending {
		slices.Reverse(want)
	}
	if in.number != 0 {
		want = want[:min(len(want), int(in.number))]
	}
	return want
}

// satisfied is rule 4, written down apart from the drivers.
func satisfied(m driver.Match, live thread) bool {
	if m == (driver.Match{}) {
		return true
	}
	if live == nil {
		return m.Absent
	}
	return m.Exists || m.ID != "" && m.ID == live.latest().id || m.Version != 0 && m.Version == live.latest().number
}

// save follows rules 3 to 6.
func save(t, live thread, in call, out reply) []thread {
	if i := slices.IndexFunc(live, func(v version) bool { return v.id == in.save.id }); i >= 0 {
		if out.failed || !out.open && !agree(out.versions[0], live[i]) {
			return nil
		}
		return []thread{t}
	}
	if !satisfied(in.match, live) || in.previous.ID != "" && !in.fits(live) {
		if out.failed || out.open {
			return []thread{t}
		}
		return nil
	}
	v := in.save
	v.number, v.created = 1, in.now
	if live != nil {
		v.number, v.created = live.latest().number+1, live.latest().created
	}
	if out.failed || !out.open && !agree(out.versions[0], v) {
		return nil
	}
	next := append(slices.Clone(live), v)
	return []thread{next[max(0, len(next)-in.keep):]}
}

// agree compares a version that was seen, maybe without its content, to the
// model's.
func agree(got, want version) bool {
	got.digest, got.base = want.digest, want.base
	if got.content == "" {
		got.content = want.content
	}
	return got == want
}

// linearizability is the model that porcupine checks histories of one thread
// against.
func linearizability() porcupine.Model {
	seed := maphash.MakeSeed()
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{thread(nil)} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, t := range step(state.(thread), in.(call), out.(reply)) {
				next = append(next, t)
			}
			return next
		},
		Equal: func(a, b any) bool { return slices.Equal(a.(thread), b.(thread)) },
		Hash: func(state any) uint64 {
			var h maphash.Hash
			h.SetSeed(seed)
			for _, v := range state.(thread) {
				h.WriteString(v.id)
			}
			return h.Sum64()
		},
		DescribeOperation: func(in, out any) string { return describe(in.(call), out.(reply)) },
	}
	return m.ToModel()
}

func describe(in call, out reply) string {
	s := in.kind
	switch in.kind {
	case "save":
		s += fmt.Sprintf(" id=%.8s", in.save.id) + condition(in.match)
		if in.previous.ID != "" {
			s += fmt.Sprintf(" patch of %.8s", in.previous.ID)
		}
		if in.save.expires != 0 {
			s += fmt.Sprintf(" expires=%ds", (in.save.expires-in.now)/1e6)
		}
	case "delete":
		s += condition(in.match)
	case "find":
		s += fmt.Sprintf(" id=%.8s", in.save.id)
	case "versions":
		s += fmt.Sprintf(" from %d to %d limit %d descending %v", in.from, in.to, in.number, in.descending)
	case "load", "newest":
		s += fmt.Sprintf(" %d", in.number)
	}
	s += fmt.Sprintf(" now=%d -> %s", in.now, out.outcome())
	for _, v := range out.versions {
		s += fmt.Sprintf(" %d:%.8s", v.number, v.id)
		if v.expires != 0 {
			s += fmt.Sprintf("(until %d)", v.expires)
		}
	}
	return s
}

func condition(m driver.Match) string {
	switch {
	case m.Absent:
		return " if absent"
	case m.Exists:
		return " if it exists"
	case m.ID != "":
		return fmt.Sprintf(" if id=%.8s", m.ID)
	case m.Version != 0:
		return fmt.Sprintf(" if version=%d", m.Version)
	}
	return ""
}
