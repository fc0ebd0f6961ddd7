// Package otelcheckpoint tells OpenTelemetry of the operations of a store: spans and
// metrics by the stable semantic conventions for database clients. It is a module of its
// own, so that only those who import it depend on OpenTelemetry.
//
//	store, err := checkpoint.Open("postgres", dsn, checkpoint.WithObserver(otelcheckpoint.New()))
//
// # Spans
//
// Each operation is a span of kind client, named after the operation and, with
// [WithDatabase], the database: "save agents". The context goes on with it, so that the
// spans of an instrumented client are its children. A failed operation has the status
// Error and the attribute error.type; its text, which may name a thread, is not in the
// span.
//
//	db.system.name        memory, sqlite, redis, postgresql, aws.dynamodb; a third party's driver by its name
//	db.operation.name     save, load, stat, find, list, history, versions, restore, fork,
//	                      delete, deleteprefix, purge, collect, namespaces, ping
//	db.namespace          what WithDatabase says
//	checkpoint.namespace  the store's namespace
//	checkpoint.version    the version that was saved or loaded
//	checkpoint.size       its bytes as they are stored
//	error.type            of a failure: see [checkpoint.ErrorClass]
//
// # Metrics
//
//	db.client.operation.duration  histogram, seconds: every operation
//	checkpoint.payload.size       histogram, bytes: what was saved or loaded, as it is stored
//	checkpoint.conflicts          counter: saves and deletions that met another checkpoint
//	checkpoint.saves              counter: saves, restores and forks that were applied, with
//	                              checkpoint.incremental: true for those that wrote a patch
//
// They have the attributes of the spans that are not different each time. No thread's
// name and no state is in any of them.
package otelcheckpoint

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-ckpt/checkpoint"
)

// scope names this package in what it emits.
const scope = "github.com/go-ckpt/checkpoint/otelcheckpoint"

// An Option sets up an observer.
type Option func(*observer)

// WithTracerProvider sets where spans go; the global provider by default.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(o *observer) { o.tracers = p }
}

// WithMeterProvider sets where metrics go; the global provider by default.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(o *observer) { o.meters = p }
}

// WithDatabase sets db.namespace, the name of the database as the conventions have it:
// the observer is not told what the data source name says.
func WithDatabase(name string) Option {
	return func(o *observer) { o.database = name }
}

// WithoutNamespaces leaves checkpoint.namespace out of the metrics, for stores that have
// a namespace for each of many tenants. Spans keep it.
func WithoutNamespaces() Option {
	return func(o *observer) { o.withoutNamespaces = true }
}

// WithAttributes adds attributes to every span and metric, such as server.address.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(o *observer) { o.attributes = append(o.attributes, attributes...) }
}

// New returns an observer for [checkpoint.WithObserver]. Several stores may share it.
func New(opts ...Option) checkpoint.Observer {
	o := &observer{}
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
	if o.tracers == nil {
		o.tracers = otel.GetTracerProvider()
	}
	if o.meters == nil {
		o.meters = otel.GetMeterProvider()
	}
	o.tracer = o.tracers.Tracer(scope)
	if err := o.instruments.open(o.meters.Meter(scope)); err != nil {
		otel.Handle(err)
		o.instruments.open(noop.NewMeterProvider().Meter(scope))
	}
	return o
}

// The instruments are what is measured.
type instruments struct {
	duration  metric.Float64Histogram
	size      metric.Int64Histogram
	conflicts metric.Int64Counter
	saves     metric.Int64Counter
}

func (i *instruments) open(m metric.Meter) (err error) {
	if i.duration, err = m.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of database client operations."),
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)); err != nil {
		return err
	}
	if i.size, err = m.Int64Histogram("checkpoint.payload.size", metric.WithUnit("By"),
		metric.WithDescription("Size of the checkpoints that were saved or loaded, as they are stored."),
		metric.WithExplicitBucketBoundaries(256, 1<<10, 4<<10, 16<<10, 64<<10, 256<<10, 1<<20, 4<<20, 16<<20)); err != nil {
		return err
	}
	if i.conflicts, err = m.Int64Counter("checkpoint.conflicts", metric.WithUnit("{conflict}"),
		metric.WithDescription("Saves and deletions whose condition did not hold.")); err != nil {
		return err
	}
	i.saves, err = m.Int64Counter("checkpoint.saves", metric.WithUnit("{save}"),
		metric.WithDescription("Checkpoints that were saved, as whole states or as patches."))
	return err
}
