package checkpointtest

import (
	"slices"
	"strings"
	"time"
)

// The cases about driver.NamespaceLister.
func namespacesCases() []testCase {
	return []testCase{
		{name: "Raw/Namespaces/EachOnce", needs: "NamespaceLister", run: namespacesEachOnce,
			rule: 10, text: "Namespaces yields each namespace with a live thread once, in ascending byte order."},
		{name: "Raw/Namespaces/Many", needs: "NamespaceLister", heavy: true, run: namespacesMany,
			rule: 10, text: "Namespaces yields every namespace, however many there are."},
		{name: "Raw/Namespaces/LoopBody", needs: "NamespaceLister", run: namespacesLoopBody,
			rule: 7, text: "The body of a loop over Namespaces may call any method of the backend, and may end the loop."},
	}
}

func namespacesEachOnce(t *trial) {
	b := t.open()
	t.everywhere(b, nil)
	for _, thread := range numbered("thread", 20) {
		t.save(b, t.request(thread))
	}
	want := t.walls()
	slices.Sort(want)
	var got, all []string
	for ns, err := range b.Namespaces(t.ctx) {
		if err != nil {
			t.Fatalf("Namespaces yielded error %v", err)
		}
		all = append(all, ns)
		if slices.Contains(want, ns) { // there may be others, of other users of the database
			got = append(got, ns)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Namespaces yielded, of the suite's, %q, want %q", got, want)
	}
	if !slices.IsSorted(all) {
		t.Errorf("Namespaces yielded %q, want ascending byte order", all)
	}
}

func namespacesMany(t *trial) {
	b := t.open()
	want := numbered(t.namespace, 120)
	for i, began := 0, time.Now(); i < len(want); i++ {
		if t.enough(began, i, 20, len(want), "namespaces") {
			want = want[:i]
			break
		}
		req := t.request("thread")
		req.Namespace = want[i]
		t.save(b, req)
	}
	var got []string
	for ns, err := range b.Namespaces(t.ctx) {
		if err != nil {
			t.Fatalf("Namespaces yielded error %v", err)
		}
		if strings.HasPrefix(ns, t.namespace) {
			got = append(got, ns)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Namespaces yielded, of the suite's, %s", diffNames(got, want))
	}
}

func namespacesLoopBody(t *trial) {
	b := t.open()
	t.save(b, t.request("thread"))
	n := 0
	for _, err := range b.Namespaces(t.ctx) {
		if err != nil {
			t.Fatalf("Namespaces yielded error %v", err)
		}
		if n++; n > 3 { // there may be many
			break
		}
		t.anything(b, "new")
	}
	for range 50 {
		for range b.Namespaces(t.ctx) {
			break
		}
	}
	t.save(b, t.request("after"))
}
