package otelcheckpoint_test

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/otelcheckpoint"
)

// spans saves with an observer and returns the spans of it.
func spans(opts ...otelcheckpoint.Option) tracetest.SpanStubs {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	observer := otelcheckpoint.New(append(opts, otelcheckpoint.WithTracerProvider(provider))...)
	store, _ := checkpoint.Open("memory", "?namespace=acme", checkpoint.WithObserver(observer))
	defer store.Close()
	store.Save(context.Background(), "user-123", "state")
	return exporter.GetSpans()
}

// Without options spans and metrics go to the global providers.
func ExampleNew() {
	store, err := checkpoint.Open("memory", "", checkpoint.WithObserver(otelcheckpoint.New()))
	fmt.Println(store, err)
	// Output: checkpoint.Store(memory, namespace "agents") <nil>
}

func ExampleWithTracerProvider() {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	store, _ := checkpoint.Open("memory", "", checkpoint.WithObserver(
		otelcheckpoint.New(otelcheckpoint.WithTracerProvider(provider))))
	defer store.Close()

	store.Save(context.Background(), "user-123", "state")
	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name, span.SpanKind)
	}
	// Output: save client
}

func ExampleWithMeterProvider() {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	store, _ := checkpoint.Open("memory", "", checkpoint.WithObserver(
		otelcheckpoint.New(otelcheckpoint.WithMeterProvider(provider))))
	defer store.Close()

	store.Save(context.Background(), "user-123", "state")
	var collected metricdata.ResourceMetrics
	reader.Collect(context.Background(), &collected)
	var names []string
	for _, m := range collected.ScopeMetrics[0].Metrics {
		names = append(names, m.Name)
	}
	fmt.Println(slices.Sorted(slices.Values(names)))
	// Output: [checkpoint.payload.size checkpoint.saves db.client.operation.duration]
}

func ExampleWithDatabase() {
	for _, span := range spans(otelcheckpoint.WithDatabase("agents")) {
		fmt.Println(span.Name)
	}
	// Output: save agents
}

func ExampleWithAttributes() {
	for _, span := range spans(otelcheckpoint.WithAttributes(attribute.String("server.address", "db.internal"))) {
		attributes := attribute.NewSet(span.Attributes...)
		value, ok := attributes.Value("server.address")
		fmt.Println(value.AsString(), ok)
	}
	// Output: db.internal true
}

// With a namespace for each of many tenants the metrics would have as many series;
// spans keep it.
func ExampleWithoutNamespaces() {
	for _, span := range spans(otelcheckpoint.WithoutNamespaces()) {
		attributes := attribute.NewSet(span.Attributes...)
		value, ok := attributes.Value("checkpoint.namespace")
		fmt.Println(value.AsString(), ok)
	}
	// Output: acme true
}
