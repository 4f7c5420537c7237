package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/codeboltai/codebolt-providers/conformance/report"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// redrawEvery is how often the live line may change.
const redrawEvery = 100 * time.Millisecond

// progress shows a run while it lasts: a line for each check that did not pass,
// and on a terminal one that tells what runs now.
type progress struct {
	out, live io.Writer // live is nil when there is no terminal
	width     func() int

	mu      sync.Mutex
	running []string
	done    int
	total   int
	counts  map[suite.Outcome]int
	drawn   bool
	began   time.Time
	stop    chan struct{}
	stopped chan struct{}
}

func (r *runner) progress() *progress {
	p := &progress{out: r.human, counts: map[suite.Outcome]int{}, began: time.Now(), stop: make(chan struct{}), stopped: make(chan struct{})}
	if f, ok := r.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.live = f
		p.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
	}
	go p.draw()
	return p
}

// event takes a step of the run.
func (p *progress) event(e suite.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = e.Done, e.Total
	result := e.Result
	if result.Outcome == "" {
		p.running = append(p.running, result.ID)
		return
	}
	p.running = slices.DeleteFunc(p.running, func(id string) bool { return id == result.ID })
	p.counts[result.Outcome]++
	if result.Outcome == suite.Passed {
		return
	}
	p.erase()
	fmt.Fprintln(p.out, line(result))
}

// line is a check that did not pass, in a line.
func line(result *suite.Result) string {
	text := fmt.Sprintf("%-5s %s  %s", result.Outcome, result.ID, report.Visible(result.Title))
	why := result.Reason
	if len(result.Failures) > 0 {
		why = result.Failures[0].Message
	}
	why, _, _ = strings.Cut(strings.TrimSpace(report.Visible(why)), "\n")
	if why != "" {
		text += ": " + why
	}
	if result.Outcome == suite.Failed && result.Level == suite.Should {
		text += " (SHOULD)"
	}
	return text
}

// draw redraws the live line until the run is over.
func (p *progress) draw() {
	defer close(p.stopped)
	if p.live == nil {
		<-p.stop
		return
	}
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			if text := p.status(p.width()); text != last || !p.drawn {
				p.erase()
				fmt.Fprint(p.live, text)
				p.drawn, last = true, text
			}
			p.mu.Unlock()
		case <-p.stop:
			p.mu.Lock()
			p.erase()
			p.mu.Unlock()
			return
		}
	}
}

// status is the live line, no wider than width.
func (p *progress) status(width int) string {
	text := "looking at the provider"
	if p.total > 0 {
		text = fmt.Sprintf("%d/%d", p.done, p.total)
		if n := p.counts[suite.Failed]; n > 0 {
			text += fmt.Sprintf(", %d failed", n)
		}
		if n := p.counts[suite.Errored]; n > 0 {
			text += fmt.Sprintf(", %d errors", n)
		}
	}
	text += fmt.Sprintf("  %v", time.Since(p.began).Truncate(time.Second))
	if len(p.running) > 0 {
		text += "  " + strings.Join(p.running, " ")
	}
	if len(text) >= width {
		text = text[:max(0, width-1)] // all of it is ASCII
	}
	return text
}

// erase takes the live line away. The caller has the lock.
func (p *progress) erase() {
	if p.drawn {
		fmt.Fprint(p.live, "\r\x1b[K")
		p.drawn = false
	}
}

// end takes the live line away for good. No event comes after it.
func (p *progress) end() {
	close(p.stop)
	<-p.stopped
}
