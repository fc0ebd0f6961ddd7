package redis

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestHiddenKeys connects as users who may use some of the keys only. Whatever they
// ask is refused with an error that speaks of permissions, or answered as it is to
// everybody: nothing that is there looks as if it were not, and a change that is
// refused has changed nothing.
func TestHiddenKeys(t *testing.T) {
	t.Parallel()
	const all = "~{checkpoint}* ~{n:0}:t:* ~{n:0}:p:* ~{n:0}:g:* ~{n:0}:index ~{n:0}:expiry"
	without := func(pattern string) string { return strings.Replace(all, pattern, "", 1) }
	users := map[string]string{
		"nothing":           "",
		"another prefix":    "~other:*",
		"the store alone":   "~{checkpoint}*",
		"no store":          without("~{checkpoint}*"),
		"no namespaces":     without("~{checkpoint}*") + " ~{checkpoint}:store",
		"no threads":        without("~{n:0}:t:*"),
		"one thread":        without("~{n:0}:t:*") + " ~{n:0}:t:a",
		"no past":           without("~{n:0}:p:*"),
		"no index":          without("~{n:0}:index"),
		"no expiry":         without("~{n:0}:expiry"),
		"no gate":           without("~{n:0}:g:*"),
		"reading alone":     strings.ReplaceAll(all, "~", "%R~"),
		"writing alone":     strings.ReplaceAll(all, "~", "%W~"),
		"another namespace": strings.ReplaceAll(all, "{n:0}", "{m:0}"),
		"everything":        all,
	}
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	admin := clientOf(t, server.URL)
	for name, patterns := range users {
		if err := admin.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		everybody := openDSN(t, server.URL)
		for _, thread := range []string{"a", "b"} {
			chain := newChain(t, everybody, driver.Key{Namespace: "n", Thread: thread}, 3)
			for range 3 {
				chain.add(t, []byte("patch"))
			}
		}
		rules := []any{"ACL", "SETUSER", "app", "reset", "on", ">secret", "+@all"}
		for rule := range strings.FieldsSeq(patterns) {
			rules = append(rules, rule)
		}
		if err := admin.Do(t.Context(), rules...).Err(); err != nil {
			t.Fatal(err)
		}
		open := func() *backend { return openDSN(t, "redis://app:secret@"+server.Addr) }
		refused := 0
		judge := func(call string, err error, got, want string) {
			t.Helper()
			switch {
			case errors.Is(err, driver.ErrUnavailable) && strings.Contains(err.Error(), "permission"):
				refused++
			case err != nil:
				t.Errorf("%s: %s: %v, want the answer or ErrUnavailable that speaks of permissions", name, call, err)
			case got != want:
				t.Errorf("%s: %s: %s, want %s or a refusal", name, call, got, want)
			}
		}
		for call, read := range hiddenReads {
			want, err := read(t.Context(), everybody)
			if err != nil {
				t.Fatalf("%s: %v", call, err)
			}
			got, err := read(t.Context(), open())
			judge(call, err, got, want)
		}
		stored := func() string {
			var all []string
			for _, call := range slices.Sorted(maps.Keys(hiddenReads)) {
				got, err := hiddenReads[call](t.Context(), everybody)
				all = append(all, fmt.Sprint(call, ": ", got, err))
			}
			return strings.Join(all, "\n")
		}
		for _, write := range hiddenWrites {
			before := stored()
			err := write.do(t.Context(), open())
			after := stored()
			if err != nil && before != after {
				t.Errorf("%s: %s was refused (%v) and has changed\n%s\ninto\n%s", name, write.call, err, before, after)
			}
			judge(write.call, err, fmt.Sprint(before != after), "true")
		}
		if (refused == 0) != (patterns == all) {
			t.Errorf("%s: %d calls were refused", name, refused)
		}
	}
}

// hiddenReads ask what is known of the threads a and b.
var hiddenReads = map[string]func(context.Context, *backend) (string, error){
	"Load": func(ctx context.Context, b *backend) (string, error) {
		cp, err := b.Load(ctx, driver.LoadRequest{Key: hiddenKey, Now: time.Now()})
		return fmt.Sprint(cp.ID, len(cp.Links)), ifThere(err)
	},
	"Load of a version": func(ctx context.Context, b *backend) (string, error) {
		cp, err := b.Load(ctx, driver.LoadRequest{Key: hiddenKey, Version: 3, Now: time.Now()})
		return fmt.Sprint(cp.ID, len(cp.Links)), ifThere(err)
	},
	"List": func(ctx context.Context, b *backend) (string, error) {
		return threadsOf(b.List(ctx, driver.ListRequest{Namespace: "n", Now: time.Now()}))
	},
	"History": func(ctx context.Context, b *backend) (string, error) {
		return threadsOf(b.History(ctx, driver.HistoryRequest{Key: hiddenKey, Now: time.Now()}))
	},
	"Versions": func(ctx context.Context, b *backend) (found string, err error) {
		for cp, err := range b.Versions(ctx, driver.VersionsRequest{Key: hiddenKey, Now: time.Now()}) {
			if err != nil {
				return "", err
			}
			found += fmt.Sprint(cp.ID, " ")
		}
		return found, nil
	},
	"Namespaces": func(ctx context.Context, b *backend) (found string, err error) {
		for ns, err := range b.Namespaces(ctx) {
			if err != nil {
				return "", err
			}
			found += ns + " "
		}
		return found, nil
	},
	"Purge of nothing": func(ctx context.Context, b *backend) (string, error) {
		n, err := b.Purge(ctx, "n", time.Now())
		return fmt.Sprint(n), err
	},
}

// hiddenWrites change something, one after the other.
var hiddenWrites = []struct {
	call string
	do   func(context.Context, *backend) error
}{
	{"Save", func(ctx context.Context, b *backend) error {
		_, err := b.Save(ctx, request(driver.Key{Namespace: "n", Thread: "c"}, []byte("state")))
		return err
	}},
	{"Save of a large state", func(ctx context.Context, b *backend) error {
		_, err := b.Save(ctx, request(hiddenKey, make([]byte, 100_000)))
		return err
	}},
	{"Delete", func(ctx context.Context, b *backend) error {
		return b.Delete(ctx, driver.DeleteRequest{Key: hiddenKey})
	}},
	{"DeletePrefix", func(ctx context.Context, b *backend) error {
		_, err := b.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "n", Prefix: "a", Now: time.Now()})
		return err
	}},
}

var hiddenKey = driver.Key{Namespace: "n", Thread: "b"}

// ifThere takes a thread that is not there for an answer.
func ifThere(err error) error {
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	return err
}

func threadsOf(infos iter.Seq2[driver.Info, error]) (string, error) {
	var found []string
	for info, err := range infos {
		if err != nil {
			return "", err
		}
		found = append(found, fmt.Sprint(info.Thread, info.Version, info.ID))
	}
	return fmt.Sprint(found), nil
}
