package otelcheckpoint

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-ckpt/checkpoint"
)

type observer struct {
	tracers           trace.TracerProvider
	meters            metric.MeterProvider
	database          string
	withoutNamespaces bool
	attributes        []attribute.KeyValue

	tracer trace.Tracer
	instruments

	series sync.Map // of checkpoint.Operation: *series
	kept   atomic.Int64
}

// mostSeries bounds what is kept of operations: namespaces may be tenants.
const mostSeries = 10_000

// A series is what the operations of one name, driver and namespace have in common, made
// once, so that an operation allocates as little as can be.
type series struct {
	name     string // of the span
	start    []trace.SpanStartOption
	common   []attribute.KeyValue // of the metrics
	ok       []metric.RecordOption
	whole    []metric.AddOption // of a save
	patch    []metric.AddOption
	conflict []metric.AddOption
	isSave   bool     // it saves a state
	carries  bool     // it saves or loads one
	failed   sync.Map // of a class of errors: []metric.RecordOption
}

// Start implements checkpoint.Observer.
func (o *observer) Start(ctx context.Context, op checkpoint.Operation) (context.Context, func(checkpoint.Result)) {
	s := o.find(op)
	began := time.Now()
	ctx, span := o.tracer.Start(ctx, s.name, s.start...)
	return ctx, func(r checkpoint.Result) { o.end(ctx, span, s, time.Since(began), r) }
}

func (o *observer) end(ctx context.Context, span trace.Span, s *series, took time.Duration, r checkpoint.Result) {
	if r.Err != nil {
		class := errorType(r.Err)
		o.duration.Record(ctx, took.Seconds(), s.failure(class)...)
		if class == "conflict" {
			o.conflicts.Add(ctx, 1, s.conflict...)
		}
		if span.IsRecording() {
			span.SetAttributes(attribute.String("error.type", class))
			span.SetStatus(codes.Error, class)
		}
		span.End()
		return
	}
	o.duration.Record(ctx, took.Seconds(), s.ok...)
	if r.Version > 0 && s.carries {
		o.size.Record(ctx, int64(r.Bytes), s.ok...)
		if s.isSave && r.Base > 0 {
			o.saves.Add(ctx, 1, s.patch...)
		} else if s.isSave {
			o.saves.Add(ctx, 1, s.whole...)
		}
	}
	if r.Version > 0 && span.IsRecording() {
		span.SetAttributes(attribute.Int64("checkpoint.version", r.Version), attribute.Int("checkpoint.size", r.Bytes))
	}
	span.End()
}

// errorType is the class of an error, by the conventions: _OTHER where there is none.
func errorType(err error) string {
	if class := checkpoint.ErrorClass(err); class != "other" {
		return class
	}
	return "_OTHER"
}

func (o *observer) find(op checkpoint.Operation) *series {
	if s, ok := o.series.Load(op); ok {
		return s.(*series)
	}
	s := o.newSeries(op)
	if o.kept.Load() >= mostSeries {
		return s
	}
	kept, loaded := o.series.LoadOrStore(op, s)
	if !loaded {
		o.kept.Add(1)
	}
	return kept.(*series)
}

func (o *observer) newSeries(op checkpoint.Operation) *series {
	s := &series{name: op.Name}
	s.isSave = op.Name == "save" || op.Name == "restore" || op.Name == "fork"
	s.carries = s.isSave || op.Name == "load"
	s.common = append(s.common, o.attributes...)
	s.common = append(s.common, attribute.String("db.system.name", systemName(op.Driver)), attribute.String("db.operation.name", op.Name))
	if o.database != "" {
		s.name += " " + o.database
		s.common = append(s.common, attribute.String("db.namespace", o.database))
	}
	namespace := attribute.String("checkpoint.namespace", op.Namespace)
	ofSpan := append(s.common[:len(s.common):len(s.common)], namespace)
	if !o.withoutNamespaces {
		s.common = ofSpan
	}
	s.start = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(ofSpan...)}
	s.ok = []metric.RecordOption{s.measured()}
	s.conflict = []metric.AddOption{s.measured()}
	s.whole = []metric.AddOption{s.measured(attribute.Bool("checkpoint.incremental", false))}
	s.patch = []metric.AddOption{s.measured(attribute.Bool("checkpoint.incremental", true))}
	return s
}

func (s *series) measured(more ...attribute.KeyValue) metric.MeasurementOption {
	all := append(s.common[:len(s.common):len(s.common)], more...)
	return metric.WithAttributeSet(attribute.NewSet(all...))
}

// failure is what a failed operation is measured with.
func (s *series) failure(class string) []metric.RecordOption {
	if opts, ok := s.failed.Load(class); ok {
		return opts.([]metric.RecordOption)
	}
	opts, _ := s.failed.LoadOrStore(class, []metric.RecordOption{s.measured(attribute.String("error.type", class))})
	return opts.([]metric.RecordOption)
}

// systemName is db.system.name for a driver.
func systemName(driver string) string {
	scheme, _, _ := strings.Cut(driver, "+") // redis+cluster
	switch scheme {
	case "redis", "rediss", "valkey", "valkeys":
		return "redis"
	case "postgres", "postgresql":
		return "postgresql"
	case "dynamodb":
		return "aws.dynamodb"
	}
	return scheme
}
