// Package telemetry tells what a provider and its runtime do: as spans of traces, in
// OpenTelemetry's terms, and as numbers in Prometheus' text format.
//
// Nothing in it is global. A nil [Tracer], [Span], [Registry] and [Counter] are off: each
// method of theirs may be called and does nothing, so that whoever measures need not
// ask. What it sends and shows are names of types and actions, ids, counts and times;
// never contents, prompts or tokens.
//
//	tracer, err := telemetry.NewTracer(ctx, telemetry.TracerOptions{Service: "codebolt-runtime", Environ: os.Environ()})
//	span := tracer.Start(telemetry.ContextOf(frame), "process messageResponse", telemetry.Consumer)
//	frame, err = span.Context().Put(frame)
//	span.End(nil)
package telemetry
