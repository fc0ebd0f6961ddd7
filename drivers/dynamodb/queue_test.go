package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// TestMaxConnections: no more requests are under way at once than the word says; all
// operations are served, also those that take several requests.
func TestMaxConnections(t *testing.T) {
	credentials(t)
	const most = 3
	var now, seen atomic.Int64
	endpoint := between(t, func(http.ResponseWriter, string, []byte) bool {
		n := now.Add(1)
		for was := seen.Load(); n > was && !seen.CompareAndSwap(was, n); was = seen.Load() {
		}
		return false
	}, func() { now.Add(-1) })
	b := openTable(t, plainTable(t), endpoint, fmt.Sprint("&max_connections=", most))
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			thread := fmt.Sprint("t-", i%20)
			if _, err := b.Save(t.Context(), request(thread, "x", 1+i%3)); err != nil {
				t.Error(err)
			}
			if _, err := loadThread(t.Context(), b, thread); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := seen.Load(); got != most {
		t.Errorf("%d requests at once, want %d", got, most)
	}
}

// TestQueueEnds: an operation whose context ends while it waits for its turn is gone
// at once, and so is one whose backend is closed; neither sends anything.
func TestQueueEnds(t *testing.T) {
	credentials(t)
	arrived, answer := make(chan struct{}, 3), make(chan struct{})
	var requests atomic.Int64
	endpoint := between(t, func(http.ResponseWriter, string, []byte) bool {
		requests.Add(1)
		arrived <- struct{}{}
		<-answer
		return false
	})
	b := openTable(t, plainTable(t), endpoint, "&max_connections=1")
	results := make(chan error, 2)
	save := func(ctx context.Context) {
		_, err := b.Save(ctx, request("t", "x", 1))
		results <- err
	}
	go save(t.Context())
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	go save(ctx)
	cancel()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled save: %v", err)
	}
	go save(t.Context())
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := <-results; !errors.Is(err, driver.ErrClosed) {
		t.Errorf("a save that waited when the backend was closed: %v", err)
	}
	close(answer)
	if err := <-results; err != nil {
		t.Errorf("the save under way: %v", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
}

// TestBudget: a table that refuses everything sees little more than one request for
// each save, and each success allows a fifth of a repetition more.
func TestBudget(t *testing.T) {
	credentials(t)
	var requests atomic.Int64
	var refuse atomic.Bool
	refuse.Store(true)
	endpoint := between(t, func(w http.ResponseWriter, action string, _ []byte) bool {
		requests.Add(1)
		if refuse.Load() {
			fail(w, http.StatusBadRequest, "ThrottlingException")
		}
		return refuse.Load()
	})
	b := openTable(t, plainTable(t), endpoint, "").(*backend)
	saveAll := func(n int) (refused int64) {
		var all sync.WaitGroup
		var count atomic.Int64
		for i := range n {
			all.Go(func() {
				_, err := b.Save(t.Context(), request(fmt.Sprint("t-", i), "x", 1))
				switch {
				case err == nil:
				case errors.Is(err, driver.ErrUnavailable) && strings.Contains(err.Error(), "throttled"):
					count.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		return count.Load()
	}
	const saves = 150
	if refused := saveAll(saves); refused != saves {
		t.Errorf("%d saves were refused, want %d", refused, saves)
	}
	if n, want := requests.Load(), int64(saves+budgetTokens/retryCost); n != want {
		t.Errorf("%d requests for %d saves, want %d", n, saves, want)
	}
	refuse.Store(false)
	if refused := saveAll(50); refused != 0 {
		t.Errorf("%d saves were refused, want none", refused)
	}
	refuse.Store(true)
	requests.Store(0)
	saveAll(saves)
	if n, want := requests.Load(), int64(saves+50*successGain/retryCost); n != want {
		t.Errorf("%d requests for %d saves after 50 that succeeded, want %d", n, saves, want)
	}
}

// TestMaxConnectionsOfConfig: a Config of one's own is checked.
func TestMaxConnectionsOfConfig(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, mostConnections + 1} {
		b := New(new(dynamodb.Client), Config{Table: "agents", MaxConnections: n})
		if err := b.Ping(t.Context()); !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "MaxConnections") {
			t.Errorf("MaxConnections %d: %v, want ErrInvalid", n, err)
		}
	}
}

// TestPatience: a request is given up when the database has answered nobody for as
// long as it may take; while it answers others it is slow, and not gone.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		name     string
		answered time.Duration // others, each second until then
		silence  time.Duration // before it was sent
		want     time.Duration
	}{
		{"nobody is answered", 0, 0, onceTime},
		{"nobody was before", 0, 2 * time.Second, onceTime - 2*time.Second},
		{"others are for a while", 4 * time.Second, 0, 4*time.Second + onceTime},
		{"others always are", time.Minute, 0, onceTime + slowness},
	} {
		synctest.Test(t, func(t *testing.T) {
			op := &operation{backend: &backend{queue: backends.NewQueue(1, requestTime)}, silence: c.silence}
			start := time.Now()
			ctx, cancel := op.patience(t.Context(), onceTime)
			defer cancel()
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
					if time.Since(start) <= c.answered {
						op.queue.Answered()
					}
				}
			}
			if got := time.Since(start); got != c.want {
				t.Errorf("%s: it ended after %v, want %v", c.name, got, c.want)
			}
			if err := op.explain(t.Context(), ctx.Err()); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

// TestSlowAnswer: an answer that comes piece by piece is not given up as long as pieces
// come.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	item := `{"Item":{"id":{"S":"` + strings.Repeat("x", 50) + `"}}}`
	for _, c := range []struct {
		name     string
		pieces   int
		pause    time.Duration
		answered bool
	}{
		{"pieces for 24 seconds", 3, requestTime - time.Second, true},
		{"pieces for 32 seconds", 4, requestTime - time.Second, false},
		{"a piece that does not come", 1, requestTime + time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := dynamodb.New(dynamodb.Options{
				Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{},
				HTTPClient: slowly{item, c.pieces, c.pause},
			})
			b := newBackend(client, Config{Table: "agents"})
			op, err := b.begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer op.end()
			if a, err := op.get(t.Context(), "key"); c.answered != (err == nil && len(a) == 1) || err != nil && !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("%s: %v, %v", c.name, a, err)
			}
		})
	}
}

// slowly is a client that gets an answer in pieces, a pause before each.
type slowly struct {
	answer string
	pieces int
	pause  time.Duration
}

func (s slowly) Do(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	go func() {
		for i := range s.pieces {
			time.Sleep(s.pause)
			from, to := i*len(s.answer)/s.pieces, (i+1)*len(s.answer)/s.pieces
			if req.Context().Err() != nil {
				w.CloseWithError(req.Context().Err())
				return
			}
			io.WriteString(w, s.answer[from:to])
		}
		w.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: r, Request: req}, nil
}
