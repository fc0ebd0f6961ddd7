// Package bench measures the sessions of package adk beside those of ADK's own service
// for databases, in one run on the same servers. It is a module of its own, so that the
// users of the adapter do not see GORM.
//
//	go test -run TestWrite -write -v
//
// writes what it finds into a section of BENCHMARKS.md. Without -write the run is short,
// and shows that the benchmark works; on PostgreSQL with CHECKPOINT_TEST_ADAPTERS=all.
package bench

import (
	"database/sql"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/adk/v2/session"
	"google.golang.org/adk/v2/session/database"
	"google.golang.org/genai"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/go-ckpt/checkpoint/adapters/adk"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

var (
	write  = flag.Bool("write", false, "write the section of BENCHMARKS.md, with a run of full length")
	output = flag.String("output", "../../../BENCHMARKS.md", "the file that -write writes to")
	events = flag.Int("events", 1000, "events of a session")
	rounds = flag.Int("rounds", 5, "how often each is measured")
)

func TestMain(m *testing.M) { adapterstores.Main(m) }

// A subject is a database with the two services on it.
type subject struct {
	name       string
	ours, gorm session.Service
}

func openSQLite(t *testing.T) subject {
	dir := t.TempDir()
	// The durability of the driver, and what keeps transactions from failing under each other.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "gorm.db")+
		"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(60000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	return subject{
		"SQLite",
		adk.NewSessions(adapterstores.Open(t, "sqlite:"+filepath.Join(dir, "checkpoint.db"))),
		gormService(t, db, sqlite.New(sqlite.Config{Conn: db})),
	}
}

func openPostgres(t *testing.T) subject {
	url := testserver.Postgres(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	return subject{
		"PostgreSQL",
		adk.NewSessions(adapterstores.Open(t, url)),
		gormService(t, db, postgres.New(postgres.Config{Conn: db})),
	}
}

// gormService opens ADK's own service with as many connections as the drivers have.
func gormService(t *testing.T, db *sql.DB, dialector gorm.Dialector) session.Service {
	t.Helper()
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	s, err := database.NewSessionService(dialector, &gorm.Config{Logger: logger.Discard})
	if err == nil {
		err = database.AutoMigrate(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// grow makes sessions of that many events, each by a goroutine of its own, and returns
// how long an append took: the time of all divided by their number.
func grow(t *testing.T, s session.Service, name string, sessions, events int) time.Duration {
	t.Helper()
	created := make([]session.Session, sessions)
	for i := range created {
		resp, err := s.Create(t.Context(), &session.CreateRequest{AppName: "app", UserID: "user", SessionID: fmt.Sprint(name, ".", i)})
		if err != nil {
			t.Fatal(err)
		}
		created[i] = resp.Session
	}
	var all sync.WaitGroup
	start := time.Now()
	for _, own := range created {
		all.Go(func() {
			for n := range events {
				e := session.NewEvent(t.Context(), "invocation")
				e.Timestamp = e.Timestamp.Truncate(time.Microsecond) // what PostgreSQL keeps
				e.Author = "assistant"
				e.Content = genai.NewContentFromText(strings.Repeat("one word after the other ", 40), genai.RoleModel)
				e.Actions.StateDelta["step"] = n
				if err := s.AppendEvent(t.Context(), own, e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(start) / time.Duration(sessions*events)
}

// read returns how long it took to get a session with all its events.
func read(t *testing.T, s session.Service, name string, events int) time.Duration {
	t.Helper()
	start := time.Now()
	resp, err := s.Get(t.Context(), &session.GetRequest{AppName: "app", UserID: "user", SessionID: name + ".0"})
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Session.Events().Len(); got != events {
		t.Fatalf("%d events, want %d", got, events)
	}
	return took
}

// A result is a pair of medians.
type result struct {
	operation, database string
	ours, gorm          time.Duration
	target              float64 // how many times as fast; 0 is none
}

func (r result) times() float64 { return float64(r.gorm) / float64(r.ours) }

// measure measures the two services in turns.
func measure(t *testing.T, operation string, s subject, target float64, f func(service session.Service, round int) time.Duration) result {
	t.Helper()
	var ours, gorm []time.Duration
	for round := range *rounds {
		ours = append(ours, f(s.ours, round))
		gorm = append(gorm, f(s.gorm, round))
	}
	slices.Sort(ours)
	slices.Sort(gorm)
	r := result{operation, s.name, ours[len(ours)/2], gorm[len(gorm)/2], target}
	t.Logf("%s, %s: %v beside %v, %.1f times as fast", operation, s.name, r.ours, r.gorm, r.times())
	return r
}

func TestWrite(t *testing.T) {
	subjects := []func(*testing.T) subject{openSQLite, openPostgres}
	if !*write {
		*events, *rounds = 16, 1
		if !adapterstores.All() {
			subjects = subjects[:1]
		}
	}
	began := time.Now()
	var results []result
	for _, open := range subjects {
		s := open(t)
		const sessions = 8
		results = append(results,
			measure(t, "append, 1 session", s, 0, func(service session.Service, round int) time.Duration {
				return grow(t, service, fmt.Sprint("one", round), 1, *events)
			}),
			measure(t, fmt.Sprintf("append, %d sessions", sessions), s, 5, func(service session.Service, round int) time.Duration {
				return grow(t, service, fmt.Sprint("many", round), sessions, *events/sessions)
			}),
			measure(t, "read", s, 2, func(service session.Service, round int) time.Duration {
				return read(t, service, fmt.Sprint("one", round), *events)
			}))
	}
	if *write && !t.Failed() {
		if err := benchpage.Replace(*output, section(results, began)); err != nil {
			t.Fatal(err)
		}
	}
}
