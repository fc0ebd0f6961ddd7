package robustness

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// TestDamaged changes what is stored at random, as a person with a database
// client, a failing disk or another program might, and uses the store. Every
// operation succeeds or says what is wrong by an error of the contract; none
// panics, and none makes up an empty state. Of patches, which carry a digest, none
// makes up any other state either. -proof.damages sets how often.
func TestDamaged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		if d.damage == nil {
			t.Skip("nobody else can reach what is stored")
		}
		seed := seedOf(t)
		b := d.handle(t)
		store, patching := checkpoint.New(b, checkpoint.WithHistory(keep)), checkpoint.New(b, checkpoint.WithHistory(keep), checkpoint.WithIncremental())
		_, patches := b.(driver.Patcher)
		outcomes := map[string]int{}
		for i := range *proofDamages {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			damaged, size := store, 10
			if patches && i%2 == 1 {
				damaged, size = patching, 5_000
			}
			what := d.damaged(t, damaged.Namespace(fmt.Sprint("damaged-", i)), size, r, outcomes)
			if t.Failed() {
				t.Fatalf("damage %d of seed %d: %s", i, seed, what)
			}
		}
		t.Log(outcomes)
		proved(t, "damage", d.driver, fmt.Sprintf("%d damages", *proofDamages), seed)
	})
}

// damaged saves a few threads of a size that is patched or not, damages them, and
// uses them.
func (d *deployment) damaged(t *testing.T, store *checkpoint.Store, size int, r *rand.Rand, outcomes map[string]int) string {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	saved := map[string]bool{}
	for _, thread := range threadNames {
		for v := range keep + 2 {
			s := state{N: v, Pad: strings.Repeat("x", size)}
			if _, err := store.Save(ctx, thread, s, checkpoint.Metadata(map[string]string{"k": "v"}), checkpoint.ExpiresIn(time.Hour)); err != nil {
				t.Fatal(err)
			}
			saved[fmt.Sprint(s)] = true
		}
	}
	what := d.damage(t, r)
	note := func(operation string, err error) {
		outcomes[class(errors.Unwrap(fmt.Errorf("%w", err)))]++
		switch {
		case errors.Is(err, driver.ErrInvalid) && strings.Contains(err.Error(), "highest version"): // of a damaged version
		case err == nil, errors.Is(err, driver.ErrCorrupt), errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrTooLarge):
		default:
			t.Errorf("%s: %v, want nil or ErrCorrupt", operation, err)
		}
	}
	for _, thread := range threadNames {
		for v := range int64(keep + 3) {
			var s state
			var info checkpoint.Info
			var err error
			if v == 0 {
				info, err = store.Load(ctx, thread, &s)
			} else {
				info, err = store.LoadVersion(ctx, thread, v, &s)
			}
			note("Load", err)
			if err == nil && info.Base != 0 && !saved[fmt.Sprint(s)] {
				t.Errorf("Load of version %d, a patch, returned a state that nobody saved: %.100q", v, fmt.Sprint(s))
			}
		}
		for _, err := range store.History(ctx, thread, checkpoint.HistoryOptions{}) {
			note("History", err)
		}
		info, err := store.Stat(ctx, thread)
		note("Stat", err)
		_, err = store.Save(ctx, thread, 1, checkpoint.IfMatch(max(info.ID, "x")))
		if !errors.Is(err, driver.ErrInvalid) { // the damaged id is none
			note("Save with IfMatch", err)
		}
		_, err = store.Save(ctx, thread, 1)
		note("Save", err)
		_, err = store.Restore(ctx, thread, 2)
		note("Restore", err)
	}
	for _, err := range store.List(ctx, checkpoint.ListOptions{}) {
		note("List", err)
	}
	_, err := store.Purge(ctx)
	note("Purge", err)
	for _, thread := range threadNames {
		note("Delete", store.Delete(ctx, thread))
	}
	return what
}

// junk is what damaged values become.
var junk = []any{nil, "", "x", -1, 0, int64(1) << 62, 1e300, []byte{0xff, 0x00}, "{", `{"a":`, "[]", "\xff", strings.Repeat("y", 100_000), "9999999999999999999999", "2026-13-45"}

// damageSQL changes a random column of a random row, or of all, in one of the
// tables. What the database itself refuses is no damage.
func damageSQL(sqlDriver, dsn string, tables map[string][]string) func(testing.TB, *rand.Rand) string {
	return func(t testing.TB, r *rand.Rand) string {
		t.Helper()
		db, err := sql.Open(sqlDriver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for range 50 {
			names := []string{}
			for name := range tables {
				names = append(names, name)
			}
			table := names[r.IntN(len(names))]
			column := tables[table][r.IntN(len(tables[table]))]
			value := junk[r.IntN(len(junk))]
			statement := fmt.Sprintf("UPDATE %s SET %s = %s WHERE thread_id = 'a:1'", table, column, literal(value))
			if result, err := db.Exec(statement); err == nil {
				if n, _ := result.RowsAffected(); n > 0 {
					return fmt.Sprintf("%s with %.40q", statement, fmt.Sprint(value))
				}
			}
		}
		return "nothing that the database allows"
	}
}

// literal writes a value into a statement. As an argument lib/pq would refuse
// some of the junk, and wait for ever on the connection thereafter.
func literal(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return fmt.Sprintf("'\\x%x'", v)
	}
	return fmt.Sprint(value)
}

// damageRedis changes a random key.
func damageRedis(addr string) func(testing.TB, *rand.Rand) string {
	return func(t testing.TB, r *rand.Rand) string {
		t.Helper()
		ctx := t.Context()
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer client.Close()
		keys, err := client.Keys(ctx, "*damaged*").Result()
		if err != nil || len(keys) == 0 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		key := keys[r.IntN(len(keys))]
		value := junk[1+r.IntN(len(junk)-1)]
		what := fmt.Sprintf("%s: %.40q ", key, fmt.Sprint(value))
		kind := client.Type(ctx, key).Val()
		switch choice := r.IntN(4); {
		case choice == 0:
			client.Del(ctx, key)
			what += "deleted"
		case choice == 1:
			client.Set(ctx, key, value, 0)
			what += "a string"
		case kind == "list":
			i := r.Int64N(client.LLen(ctx, key).Val())
			old := client.LIndex(ctx, key, i).Val()
			switch r.IntN(3) {
			case 0:
				client.LSet(ctx, key, i, value)
				what += "element set"
			case 1:
				client.LSet(ctx, key, i, old[:r.IntN(len(old)+1)])
				what += "element truncated"
			default:
				client.LTrim(ctx, key, 1, -1)
				what += "element lost"
			}
		case kind == "hash":
			fields := client.HKeys(ctx, key).Val()
			field := fields[r.IntN(len(fields))]
			if r.IntN(2) == 0 {
				client.HDel(ctx, key, field)
			} else {
				client.HSet(ctx, key, field, value)
			}
			what += "field " + field
		case kind == "zset":
			client.ZAdd(ctx, key, redis.Z{Score: float64(r.IntN(3)), Member: value})
			client.ZRemRangeByRank(ctx, key, 0, 0)
			what += "members"
		}
		return what
	}
}
