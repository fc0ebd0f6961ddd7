package postgres

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// BenchmarkFloor compares saves and loads with bare prepared statements on a
// table of two columns, alternately, on a server that waits for its disk
// (CHECKPOINT_TEST_POSTGRES names another), and reports the medians and
// their ratio.
func BenchmarkFloor(b *testing.B) {
	dsn := os.Getenv("CHECKPOINT_TEST_POSTGRES")
	if dsn == "" {
		dsn = testserver.StartPostgres(b, testserver.PostgresOptions{Fsync: true}).URL
	}
	ctx := b.Context()
	ours := openReady(b, dsn)
	db := plain(b, words(dsn, "binary_parameters=yes"))
	mustExec(b, db, "DROP TABLE IF EXISTS floor", "CREATE TABLE floor (thread TEXT PRIMARY KEY, state JSONB NOT NULL)",
		"ALTER TABLE floor ALTER COLUMN state SET COMPRESSION lz4")
	upsert, err := db.PrepareContext(ctx, "INSERT INTO floor VALUES ($1, $2) ON CONFLICT (thread) DO UPDATE SET state = excluded.state")
	if err != nil {
		b.Fatal(err)
	}
	query, err := db.PrepareContext(ctx, "SELECT state FROM floor WHERE thread = $1")
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{2 << 10, 100 << 10} {
		states := make([][]byte, 8)
		for i := range states {
			states[i] = agentstate.JSON(size, uint64(i))
		}
		put := func(keep int) func(context.Context, int) error {
			return func(ctx context.Context, i int) error {
				req := save(fmt.Sprint("keep-", keep, "-", i%100), "")
				req.Payload, req.Keep = states[i*5%8], keep
				_, err := ours.Save(ctx, req)
				return err
			}
		}
		floorPut := func(ctx context.Context, i int) error {
			_, err := upsert.ExecContext(ctx, fmt.Sprint("keep-", i%100), string(states[i*5%8]))
			return err
		}
		for _, op := range []struct {
			name        string
			ours, floor func(context.Context, int) error
		}{
			{"Save", put(1), floorPut},
			{"SaveHistory20", put(20), floorPut},
			{"Load", func(ctx context.Context, i int) error {
				_, err := load(ctx, ours, fmt.Sprint("keep-1-", i%100))
				return err
			}, func(ctx context.Context, i int) error {
				var state []byte
				return query.QueryRowContext(ctx, fmt.Sprint("keep-", i%100)).Scan(&state)
			}},
		} {
			b.Run(fmt.Sprintf("%s/%dKB", op.name, size>>10), func(b *testing.B) {
				var times [2][]time.Duration
				for i := range 200 + b.N {
					for j, f := range []func(context.Context, int) error{op.ours, op.floor} {
						began := time.Now()
						if err := f(ctx, i); err != nil {
							b.Fatal(err)
						}
						if i >= 200 {
							times[j] = append(times[j], time.Since(began))
						}
					}
				}
				slices.Sort(times[0])
				slices.Sort(times[1])
				mine, bare := times[0][b.N/2], times[1][b.N/2]
				b.ReportMetric(float64(mine.Microseconds()), "µs")
				b.ReportMetric(float64(bare.Microseconds()), "floor-µs")
				b.ReportMetric(float64(mine)/float64(bare), "ratio")
			})
		}
	}
}
