// Package report writes down what came of conformance runs: for machines as JSON
// and JUnit, for people as one HTML page, as Markdown, and as plain text for a
// terminal. It also writes the reference of the checks.
//
// It judges nothing: outcomes come from package suite, which has hidden secrets
// already. What it shows of a provider is data, in every format: it cannot end a
// tag, a code block or a terminal's line.
//
// The smallest use:
//
//	err := report.WriteHTML(w, &report.Document{Runs: []*suite.Report{run}})
package report
