package provider

import (
	"context"
	"log/slog"
)

// Reporter is the part of an [OpenRequest] that tells people what goes on.
type Reporter interface {
	Note(phase, message string)
	Warn(text string)
	Phase(ctx context.Context, name string, f func(context.Context) error) error
}

// LogReporter reports to a log, for when nobody waits for an open any more.
func LogReporter(log *slog.Logger) Reporter { return logReporter{log} }

type logReporter struct{ log *slog.Logger }

func (r logReporter) Note(phase, message string) { r.log.Info(message, "phase", phase) }
func (r logReporter) Warn(text string)           { r.log.Warn(text) }
func (r logReporter) Phase(ctx context.Context, _ string, f func(context.Context) error) error {
	return f(ctx)
}
