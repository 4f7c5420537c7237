// Command bench measures a provider beside the bare tools, in one run on one
// machine: each figure is a ratio, and the goal it is held against is printed
// with it. It plays the server itself, over a plain WebSocket, so that both
// sides of a ratio are measured by the same client.
//
//	go run ./conformance/bench -bin bin -json bench-results.json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// row is one measured figure beside its bare counterpart.
type row struct {
	Work    string  `json:"work"`
	Bare    string  `json:"bare"`   // what it is compared with
	Unit    string  `json:"unit"`   // of Ours and Theirs
	Ours    float64 `json:"ours"`   // median
	Theirs  float64 `json:"theirs"` // median; 0 where there is no counterpart
	Ratio   float64 `json:"ratio"`  // Ours / Theirs, or Ours - Theirs where Goal is additive
	Goal    string  `json:"goal"`
	Met     bool    `json:"met"`
	Samples int     `json:"samples"`
}

type results struct {
	Date string `json:"date"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	Rows []row  `json:"rows"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "folder with the provider programs")
	out := flags.String("json", "", "file to write the figures to")
	only := flags.String("only", "", "measure only rows whose name contains this")
	quick := flags.Bool("quick", false, "fewer samples, for a first look")
	role := flags.String("role", "", "internal: what the bench's own child processes are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *role {
	case "echo":
		return echoPeer(ctx)
	case "agent":
		return speakAgent(ctx)
	case "runtime":
		return stubRuntime(ctx, flags.Arg(0))
	case "version":
		fmt.Fprintln(stdout, "bench")
		return nil
	}
	b := &bench{bin: *bin, log: stderr, only: *only, scale: 1}
	if *quick {
		b.scale = 5
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.cleanup()
	for _, measure := range []func(context.Context) error{
		b.transfers, b.forwarding, b.tree, b.diff, b.starts, b.agents, b.docker, b.ssh,
	} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	table(stdout, b.rows)
	if *out == "" {
		return nil
	}
	data, err := json.MarshalIndent(results{
		Date: time.Now().UTC().Format(time.RFC3339), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Rows: b.rows,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*out, append(data, '\n'), 0o644)
}

func table(w io.Writer, rows []row) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WORK\tOURS\tBARE\tRATIO\tGOAL\t")
	for _, r := range rows {
		mark := "met"
		switch {
		case r.Goal == noGoal:
			mark = ""
		case !r.Met:
			mark = "NOT MET"
		}
		theirs, ratio := "–", "–"
		if r.Theirs != 0 {
			theirs = fmt.Sprintf("%s %s (%s)", figure(r.Theirs), r.Unit, r.Bare)
			ratio = figure(r.Ratio)
			if strings.HasPrefix(r.Goal, "+") {
				ratio = fmt.Sprintf("%+.1f %s", r.Ratio, r.Unit)
			}
		}
		fmt.Fprintf(tw, "%s\t%s %s\t%s\t%s\t%s\t%s\n", r.Work, figure(r.Ours), r.Unit, theirs, ratio, r.Goal, mark)
	}
	if err := tw.Flush(); err != nil {
		fmt.Fprintln(w, err)
	}
}

func figure(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// atMost and atLeast make the row of a ratio and its goal.
func (b *bench) atMost(work, bare, unit string, ours, theirs []float64, goal float64) {
	b.add(work, bare, unit, ours, theirs, fmt.Sprintf("≤ %.2g ×", goal), func(ratio float64) bool { return ratio <= goal })
}

func (b *bench) atLeast(work, unit string, ours, theirs []float64, goal float64) {
	b.add(work, "echo", unit, ours, theirs, fmt.Sprintf("≥ %.2g ×", goal), func(ratio float64) bool { return ratio >= goal })
}

// within makes the row of a difference in milliseconds and its goal.
func (b *bench) within(work, bare string, ours, theirs []float64, goal float64) {
	const unit = "ms"
	r := row{Work: work, Bare: bare, Unit: unit, Ours: median(ours), Theirs: median(theirs), Samples: len(ours), Goal: fmt.Sprintf("+ ≤ %g %s", goal, unit)}
	r.Ratio = r.Ours - r.Theirs
	r.Met = r.Ratio <= goal
	b.rows = append(b.rows, r)
	b.say(r)
}

func (b *bench) add(work, bare, unit string, ours, theirs []float64, goal string, met func(float64) bool) {
	r := row{Work: work, Bare: bare, Unit: unit, Ours: median(ours), Theirs: median(theirs), Samples: len(ours), Goal: goal}
	r.Ratio = r.Ours / r.Theirs
	r.Met = met(r.Ratio)
	b.rows = append(b.rows, r)
	b.say(r)
}

// noGoal is the goal of a row that is only reported.
const noGoal = "reported"

// reported makes the row of a figure without a goal; theirs may be empty.
func (b *bench) reported(work, bare, unit string, ours, theirs []float64) {
	r := row{Work: work, Bare: bare, Unit: unit, Ours: median(ours), Theirs: median(theirs), Samples: len(ours), Goal: noGoal, Met: true}
	if r.Theirs != 0 {
		r.Ratio = r.Ours / r.Theirs
	}
	b.rows = append(b.rows, r)
	b.say(r)
}

// bound makes the row of an amount of memory.
func (b *bench) bound(work string, ours []float64, goal float64) {
	const unit = "MiB"
	r := row{Work: work, Unit: unit, Ours: median(ours), Samples: len(ours), Goal: fmt.Sprintf("≤ %g %s", goal, unit)}
	r.Met = r.Ours <= goal
	b.rows = append(b.rows, r)
	b.say(r)
}

func (b *bench) say(r row) {
	fmt.Fprintf(b.log, "  %s: %s %s (%s; %d samples)\n", r.Work, figure(r.Ours), r.Unit, r.Goal, r.Samples)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
