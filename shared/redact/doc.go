// Package redact keeps secrets out of logs, error sentences and recorded
// frames. A [Redactor] knows the values of secrets it was told and a handful of
// shapes that secrets have; it hides both wherever text leaves the process.
//
// It is the last line of defence, not the first: a secret should not be put
// into an error or a log line at all, and a value that the Redactor was never
// told and that has no telling name or shape passes unharmed. It does not hide
// anything from someone who can read the process's memory.
//
// The smallest use:
//
//	r := &redact.Redactor{}
//	r.Add(os.Getenv("GITHUB_TOKEN"))
//	log := slog.New(redact.NewHandler(slog.NewJSONHandler(os.Stderr, nil), r))
package redact
