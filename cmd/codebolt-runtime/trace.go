package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
)

// lastSpans is how long the runtime stays to send what it has traced.
const lastSpans = 2 * time.Second

// trace begins tracing where the environment says so; nil is off. That it does not work is
// no reason not to serve.
func trace(ctx context.Context, o options, log *slog.Logger) *telemetry.Tracer {
	tracer, err := telemetry.NewTracer(ctx, telemetry.TracerOptions{
		Service: "codebolt-runtime", Environ: os.Environ(), Log: log,
		Attributes: []attribute.KeyValue{
			attribute.String("service.version", build.Get().Version), attribute.String("service.instance.id", o.instance),
			attribute.String("codebolt.environment.name", o.name),
		},
	})
	if err != nil {
		log.Warn("nothing is traced", "error", err)
	}
	return tracer
}

func closeTracer(tracer *telemetry.Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := tracer.Close(ctx); err != nil {
		log.Debug("tracing ended", "error", err)
	}
}
