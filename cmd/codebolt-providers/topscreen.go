package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// table is what runs, for people. Lines are cut at width; 0 cuts none.
func table(found *snapshot, width int) []byte {
	var out bytes.Buffer
	if len(found.Environments) == 0 {
		out.WriteString("nothing runs here; codebolt-providers run PROVIDER -- COMMAND opens an environment\n")
	} else {
		tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "NAME\tPROVIDER\tSTATE\tAGE\tPID\tCPU\tMEM\tRUNTIME\tCPU\tMEM\tAGENTS\tASKED\tHEARD")
		for _, r := range found.Environments {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(r.Name), strings.TrimPrefix(r.Provider, "codebolt-"), r.State,
				since(found.Time, r.Created), r.ProviderProcess.columns(), r.RuntimeProcess.columns(), r.agents(), count(r.Questions), since(found.Time, r.heard()))
		}
		_ = tw.Flush() // a buffer takes everything
	}
	for _, r := range found.Environments {
		if r.Problem != "" {
			fmt.Fprintf(&out, "%s: %s\n", printable(r.Name), printable(r.Problem))
		}
	}
	if width > 0 {
		for _, problem := range found.Problems { // else they are told beside the table
			fmt.Fprintln(&out, printable(problem))
		}
		return cut(out.Bytes(), width)
	}
	return out.Bytes()
}

// columns are the three of a process.
func (u *usage) columns() string {
	if u == nil {
		return "-\t-\t-"
	}
	return fmt.Sprintf("%d\t%.1f%%\t%s", u.PID, u.CPU, mebibytes(u.RSS))
}

func mebibytes(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fM", float64(n)/(1<<20))
}

// agents are the ids of those at work, or how many there are where nobody tells ids.
func (r *running) agents() string {
	if r.AgentsRunning == nil {
		return "-"
	}
	var ids []string
	for _, a := range r.Agents {
		if a.Working {
			ids = append(ids, printable(a.ID))
		}
	}
	if len(ids) > 0 {
		return strings.Join(ids, ",")
	}
	return count(r.AgentsWorking)
}

// heard is when something was last heard of the environment.
func (r *running) heard() time.Time {
	if r.LastActivity.After(r.LastHeartbeat) {
		return r.LastActivity
	}
	return r.LastHeartbeat
}

func count(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// since is a time ago, in its largest unit.
func since(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	d := max(now.Sub(then), 0)
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours())/24) + "d"
}

// cut shortens each line to so many characters.
func cut(text []byte, width int) []byte {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if runes := []rune(line); len(runes) > width {
			lines[i] = string(runes[:width])
		}
	}
	return []byte(strings.Join(lines, "\n"))
}
