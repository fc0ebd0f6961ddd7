package otelcheckpoint_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/otelcheckpoint"
)

// A telemetry keeps what the SDK exports.
type telemetry struct {
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	opts   []otelcheckpoint.Option
}

func newTelemetry(opts ...otelcheckpoint.Option) *telemetry {
	tel := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	tel.opts = append([]otelcheckpoint.Option{
		otelcheckpoint.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(tel.spans))),
		otelcheckpoint.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(tel.reader))),
	}, opts...)
	return tel
}

func (tel *telemetry) observer() checkpoint.Observer { return otelcheckpoint.New(tel.opts...) }

// metrics returns the data by the name of the metric.
func (tel *telemetry) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := tel.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	byName := map[string]metricdata.Metrics{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// attributes returns attributes as text, sorted.
func attributes(all []attribute.KeyValue) string {
	var texts []string
	for _, kv := range all {
		texts = append(texts, fmt.Sprintf("%s=%s", kv.Key, kv.Value.Emit()))
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

const secret = "user-secret-thread"

// TestSpans: every operation is a span by the conventions, without a thread or a state.
func TestSpans(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(otelcheckpoint.WithDatabase("prod"))
	store, err := checkpoint.Open("memory", "?history=all", checkpoint.WithObserver(tel.observer()))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := t.Context()
	store.Save(ctx, secret, secret)
	store.Save(ctx, secret, secret, checkpoint.IfAbsent())
	var state string
	store.Load(ctx, "absent-"+secret, &state)
	store.Namespace("tenant").Stat(ctx, secret)
	for range store.List(ctx, checkpoint.ListOptions{}) {
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	store.Save(cancelled, secret, secret)

	const common = "db.namespace=prod db.operation.name="
	want := []string{
		"save prod | checkpoint.namespace=agents checkpoint.size=20 checkpoint.version=1 " + common + "save db.system.name=memory | Unset",
		"save prod | checkpoint.namespace=agents " + common + "save db.system.name=memory error.type=conflict | Error conflict",
		"load prod | checkpoint.namespace=agents " + common + "load db.system.name=memory error.type=not_found | Error not_found",
		"stat prod | checkpoint.namespace=tenant " + common + "stat db.system.name=memory error.type=not_found | Error not_found",
		"list prod | checkpoint.namespace=agents " + common + "list db.system.name=memory | Unset",
		"save prod | checkpoint.namespace=agents " + common + "save db.system.name=memory error.type=canceled | Error canceled",
	}
	var got []string
	for _, s := range tel.spans.GetSpans() {
		if s.SpanKind != trace.SpanKindClient || len(s.Events) != 0 {
			t.Errorf("%s is of kind %v and has %d events", s.Name, s.SpanKind, len(s.Events))
		}
		status := s.Status.Code.String()
		if s.Status.Code == codes.Error {
			status += " " + s.Status.Description
		}
		got = append(got, s.Name+" | "+attributes(s.Attributes)+" | "+status)
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(strings.Join(got, "\n"), secret) {
		t.Error("a span has the thread's name or the state")
	}
}

// TestMetrics: durations of all, sizes of what was saved and loaded, conflicts, and which
// saves were patches.
func TestMetrics(t *testing.T) {
	t.Parallel()
	tel := newTelemetry()
	store, err := checkpoint.Open("memory", "?incremental=true", checkpoint.WithObserver(tel.observer()))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := t.Context()
	state := strings.Repeat("x", 5_000)
	for _, more := range []string{"", "a", "b"} {
		if _, err := store.Save(ctx, secret, state+more); err != nil {
			t.Fatal(err)
		}
	}
	store.Save(ctx, secret, state, checkpoint.IfAbsent())
	store.Load(ctx, secret, &state)
	store.Stat(ctx, secret)

	const memory = " db.system.name=memory"
	const agents = "checkpoint.namespace=agents db.operation.name="
	all := tel.metrics(t)
	for name, unit := range map[string]string{"db.client.operation.duration": "s", "checkpoint.payload.size": "By", "checkpoint.conflicts": "{conflict}", "checkpoint.saves": "{save}"} {
		if all[name].Unit != unit || all[name].Description == "" {
			t.Errorf("%s has the unit %q and the description %q", name, all[name].Unit, all[name].Description)
		}
	}
	got := map[string]uint64{}
	durations := all["db.client.operation.duration"].Data.(metricdata.Histogram[float64])
	for _, p := range durations.DataPoints {
		got["duration "+attributes(p.Attributes.ToSlice())] = p.Count
		if want := []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}; !slices.Equal(p.Bounds, want) {
			t.Errorf("the bounds are %v, want those of the conventions, %v", p.Bounds, want)
		}
	}
	for _, p := range all["checkpoint.payload.size"].Data.(metricdata.Histogram[int64]).DataPoints {
		got["size "+attributes(p.Attributes.ToSlice())] = p.Count
	}
	for _, name := range []string{"conflicts", "saves"} {
		for _, p := range all["checkpoint."+name].Data.(metricdata.Sum[int64]).DataPoints {
			got[name+" "+attributes(p.Attributes.ToSlice())] = uint64(p.Value)
		}
	}
	want := map[string]uint64{
		"duration " + agents + "save" + memory:                           3,
		"duration " + agents + "save" + memory + " error.type=conflict":  1,
		"duration " + agents + "load" + memory:                           1,
		"duration " + agents + "stat" + memory:                           1,
		"size " + agents + "save" + memory:                               3,
		"size " + agents + "load" + memory:                               1,
		"conflicts " + agents + "save" + memory:                          1,
		"saves checkpoint.incremental=false " + agents + "save" + memory: 1,
		"saves checkpoint.incremental=true " + agents + "save" + memory:  2,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("metrics:\n%v\nwant:\n%v", got, want)
	}
}

func TestWithoutNamespaces(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(otelcheckpoint.WithoutNamespaces(), otelcheckpoint.WithAttributes(attribute.String("server.address", "db")))
	store := checkpoint.New(memory.New(), checkpoint.WithObserver(tel.observer()))
	defer store.Close()
	for i := range 3 {
		store.Namespace(fmt.Sprint("tenant-", i)).Save(t.Context(), "t", i)
	}
	points := tel.metrics(t)["db.client.operation.duration"].Data.(metricdata.Histogram[float64]).DataPoints
	if len(points) != 1 || points[0].Count != 3 || attributes(points[0].Attributes.ToSlice()) != "db.operation.name=save db.system.name=memory server.address=db" {
		t.Errorf("%d series, the first %s, of %d", len(points), attributes(points[0].Attributes.ToSlice()), points[0].Count)
	}
}

// A spy is a backend that keeps the span of the context it is called with.
type spy struct {
	driver.Backend
	seen *trace.SpanContext
}

func (s spy) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	*s.seen = trace.SpanContextFromContext(ctx)
	return driver.Info{}, errors.New("not saved, " + secret)
}

// TestPropagation: the driver, and with it an instrumented client, works in the span of
// the operation, which is a child of the caller's.
func TestPropagation(t *testing.T) {
	t.Parallel()
	tel := newTelemetry()
	var seen trace.SpanContext
	store := checkpoint.New(spy{memory.New(), &seen}, checkpoint.WithObserver(tel.observer()))
	defer store.Close()
	ctx, outer := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "turn")
	store.Save(ctx, "t", 1)
	outer.End()
	for _, s := range tel.spans.GetSpans() {
		if s.Name != "save" {
			continue
		}
		if s.SpanContext.SpanID() != seen.SpanID() || s.Parent.SpanID() != outer.SpanContext().SpanID() {
			t.Error("the driver did not work in the span of the save, or that is no child of the caller's")
		}
		if want := "checkpoint.namespace=agents db.operation.name=save db.system.name=otelcheckpoint_test error.type=_OTHER"; attributes(s.Attributes) != want {
			t.Errorf("the span has %s, want %s", attributes(s.Attributes), want)
		}
		return
	}
	t.Error("no span of the save")
}

// TestSystems: the names of databases are those of the conventions.
func TestSystems(t *testing.T) {
	t.Parallel()
	tel := newTelemetry()
	o := tel.observer()
	for driver, want := range map[string]string{"memory": "memory", "sqlite": "sqlite", "redis": "redis", "rediss": "redis", "valkeys": "redis",
		"redis+cluster": "redis", "rediss+sentinel": "redis", "postgres": "postgresql", "postgresql": "postgresql", "dynamodb": "aws.dynamodb", "acme": "acme"} {
		tel.spans.Reset()
		_, end := o.Start(t.Context(), checkpoint.Operation{Name: "ping", Driver: driver, Namespace: "n"})
		end(checkpoint.Result{})
		if got := attributes(tel.spans.GetSpans()[0].Attributes); !strings.Contains(got, "db.system.name="+want) {
			t.Errorf("%s: %s, want db.system.name=%s", driver, got, want)
		}
	}
}
