package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// conclude shows what changed, does with the environment what was asked for, and
// gives the exit status.
func (r *runner) conclude(ctx context.Context, opened wire.StartResult, end *wire.ProcessStopped) error {
	status, text := outcome(end)
	if r.json {
		_ = r.printJSON(event{Event: "ended", ExitCode: end.ExitCode, Signal: end.Signal, Error: end.Error})
	} else if text != "" {
		fmt.Fprintln(r.stderr, text)
	}
	changes, err := diff(ctx, r.env)
	if err != nil {
		r.s.detach(ctx, r.env)
		r.next(false)
		return &statusError{statusOwn, r.s.explain(err)}
	}
	if !r.json {
		if err := r.show(changes); err != nil {
			return err
		}
	}
	sum := event{Event: "summary", Environment: r.name, Path: opened.WorkspacePath, ResourceID: opened.ResourceID, Diff: changes, Outcome: "kept"}
	var failed error
	switch {
	case r.discard:
		sum.Removal, failed = r.s.remove(ctx, r.env, "snapshotAndRemove")
		if failed == nil && sum.Removal.Removed {
			sum.Outcome = "removed"
		}
	case r.apply && status == 0:
		if failed = r.applyPatch(ctx); failed == nil {
			sum.Outcome = "applied"
		}
		r.s.detach(ctx, r.env)
	default:
		if r.apply && !r.json {
			fmt.Fprintln(r.stderr, "not applied, because the command failed")
		}
		r.s.detach(ctx, r.env)
	}
	switch {
	case r.json:
		sum.Next = r.hints()
		_ = r.printJSON(sum)
	case sum.Removal != nil:
		printRemoval(r.stderr, r.name, sum.Removal)
	default:
		r.next(sum.Outcome == "applied")
	}
	if failed != nil {
		return &statusError{statusOwn, failed}
	}
	if status != 0 {
		return &statusError{status: status}
	}
	return nil
}

// show prints what changed, and the whole diff when asked to.
func (r *runner) show(changes *wire.DiffResult) error {
	if r.showDiff && changes.RawDiff != "" {
		fmt.Fprintln(r.stderr)
		if _, err := fmt.Fprintln(r.stdout, strings.TrimRight(changes.RawDiff, "\n")); err != nil {
			return err
		}
		if changes.Truncated {
			fmt.Fprintln(r.stderr, "the diff is cut short; the whole patch:", r.s.app.hint("diff --patch", r.name))
		}
	}
	fmt.Fprintln(r.stderr)
	return summary(r.stderr, changes)
}

// outcome is the exit status for an agent's end, and a sentence when that is not
// plain success.
func outcome(end *wire.ProcessStopped) (status int, text string) {
	switch {
	case end.ExitCode != nil && *end.ExitCode == 0:
		return 0, ""
	case end.ExitCode != nil:
		return *end.ExitCode, fmt.Sprintf("the command ended with status %d", *end.ExitCode)
	case end.Signal != "":
		return 128 + signalNumber(end.Signal), "the command was ended by " + end.Signal
	case end.Code == wire.NotFound:
		return 127, end.Error
	case end.Code == wire.Permission:
		return 126, end.Error
	}
	return statusOwn, "the command did not run to its end: " + end.Error
}

// applyPatch puts the environment's changes into the project.
func (r *runner) applyPatch(ctx context.Context) error {
	n, err := r.s.apply(ctx, r.env, gitrepo.ApplySpec{})
	if err == nil && !r.json {
		fmt.Fprintf(r.stderr, "applied to %s (%d bytes of patch)\n", r.s.project, n)
	}
	return err
}

// hints are the commands that continue, show, apply and remove.
func (r *runner) hints() map[string]string {
	name := gitrepo.Quote(r.name)
	return map[string]string{
		"continue": "codebolt-providers run " + r.provider + r.at() + " --name=" + name + " -- COMMAND",
		"diff":     r.hint("diff", r.name),
		"apply":    r.hint("apply", r.name),
		"remove":   r.hint("remove", r.name),
	}
}

// hint is a command about an environment, to be pasted into a shell.
func (a *app) hint(verb, name string) string {
	end := " "
	if strings.HasPrefix(name, "-") {
		end = " -- "
	}
	return "codebolt-providers " + verb + a.at() + end + gitrepo.Quote(name)
}

// at names the project in a command when it is not the working directory.
func (a *app) at() string {
	if a.project == "." {
		return ""
	}
	return " --project=" + gitrepo.Quote(a.project)
}

// next says how to go on.
func (r *runner) next(applied bool) {
	if r.json {
		return
	}
	hints := r.hints()
	order := []string{"continue", "diff", "apply", "remove"}
	if applied {
		order = []string{"continue", "diff", "remove"}
	}
	fmt.Fprintf(r.stderr, "\nthe environment %s is kept:\n", r.name)
	for _, key := range order {
		fmt.Fprintf(r.stderr, "  %-9s %s\n", key, hints[key])
	}
}

// settings reads key=value pairs; dots in keys nest, and values that are JSON
// are taken as such.
func settings(pairs []string) (map[string]any, error) {
	config := map[string]any{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--set %s: write key=value", pair)
		}
		into := config
		parts := strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			next, ok := into[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				into[part] = next
			}
			into = next
		}
		into[parts[len(parts)-1]] = value(text)
	}
	return config, nil
}

func value(text string) any {
	var v any
	if err := wire.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	return v
}
