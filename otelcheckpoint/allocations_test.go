package otelcheckpoint_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/otelcheckpoint"
)

// unsampled are providers as a service has them whose traces are not sampled.
func unsampled() (*sdktrace.TracerProvider, *sdkmetric.MeterProvider) {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

// bare returns what the SDK takes itself for a span and the measurements of a save.
func bare(tb testing.TB) func() {
	traces, metrics := unsampled()
	tracer, meter := traces.Tracer("bare"), metrics.Meter("bare")
	duration, _ := meter.Float64Histogram("duration")
	size, _ := meter.Int64Histogram("size")
	saves, _ := meter.Int64Counter("saves")
	start := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("a", "b"))}
	set := metric.WithAttributeSet(attribute.NewSet(attribute.String("a", "b")))
	record, add := []metric.RecordOption{set}, []metric.AddOption{set}
	return func() {
		began := time.Now()
		ctx, span := tracer.Start(tb.Context(), "save", start...)
		duration.Record(ctx, time.Since(began).Seconds(), record...)
		size.Record(ctx, 1_000, record...)
		saves.Add(ctx, 1, add...)
		span.End()
	}
}

// observed returns what the observer does for a save.
func observed(tb testing.TB) func() {
	traces, metrics := unsampled()
	o := otelcheckpoint.New(otelcheckpoint.WithTracerProvider(traces), otelcheckpoint.WithMeterProvider(metrics), otelcheckpoint.WithDatabase("prod"))
	return func() {
		_, end := o.Start(tb.Context(), checkpoint.Operation{Name: "save", Driver: "postgres", Namespace: "agents"})
		end(checkpoint.Result{Version: 7, Bytes: 1_000})
	}
}

// TestAllocations: at most three a save beyond the SDK's own, when nothing is sampled.
func TestAllocations(t *testing.T) {
	own, all := testing.AllocsPerRun(1_000, bare(t)), testing.AllocsPerRun(1_000, observed(t))
	t.Logf("%v allocations a save, of which %v are the SDK's", all, own)
	if all > own+3 {
		t.Errorf("%v allocations a save, want at most 3 more than the SDK's own %v", all, own)
	}
}

func BenchmarkSave(b *testing.B) {
	for name, save := range map[string]func(testing.TB) func(){"SDK": bare, "observer": observed} {
		b.Run(name, func(b *testing.B) {
			run := save(b)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
