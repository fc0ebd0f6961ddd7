// Example saves, loads and meets a conflict, and prints the spans and metrics of it to
// the console:
//
//	go run ./example
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/otelcheckpoint"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out), stdouttrace.WithPrettyPrint())
	if err != nil {
		return err
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(out), stdoutmetric.WithPrettyPrint())
	if err != nil {
		return err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers, sdkmetric.WithInterval(time.Minute))))
	defer func() { err = errors.Join(err, traces.Shutdown(ctx), metrics.Shutdown(ctx)) }() // prints what is left

	store, err := checkpoint.Open("memory", "?history=20&incremental=true", checkpoint.WithObserver(otelcheckpoint.New(
		otelcheckpoint.WithTracerProvider(traces),
		otelcheckpoint.WithMeterProvider(metrics),
		otelcheckpoint.WithDatabase("demo"),
	)))
	if err != nil {
		return err
	}
	defer store.Close()

	ctx, turn := traces.Tracer("example").Start(ctx, "turn") // an agent's own span
	defer turn.End()
	messages := []string{"a question", "an answer", "thanks"}
	for i := range messages {
		if _, err := store.Save(ctx, "user-123", messages[:i+1]); err != nil {
			return err
		}
	}
	if _, err := store.Save(ctx, "user-123", messages, checkpoint.IfAbsent()); !errors.Is(err, checkpoint.ErrConflict) {
		return err
	}
	_, err = store.Load(ctx, "user-123", &messages)
	return err
}
