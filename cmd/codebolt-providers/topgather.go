package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// snapshot is what runs at one moment, as top tells it.
type snapshot struct {
	Time         time.Time `json:"time"`
	Environments []running `json:"environments"`
	Problems     []string  `json:"problems,omitzero"` // of records that could not be read
}

// running is an environment in it.
type running struct {
	Name       string    `json:"name"`
	Provider   string    `json:"provider"`
	ResourceID string    `json:"resourceId"`
	Project    string    `json:"project,omitzero"`
	State      string    `json:"state"` // open, opening, removing, detached (agents without a provider) or kept
	Created    time.Time `json:"created"`

	ProviderProcess *usage `json:"providerProcess,omitzero"`
	RuntimeProcess  *usage `json:"runtimeProcess,omitzero"` // when it is one of this machine
	// Agents are those that run, where the runtime tells them by their ids. AgentsRunning
	// and the rest are omitted where nobody tells.
	Agents        []wire.AgentStatus `json:"agents,omitzero"`
	AgentsRunning *int               `json:"agentsRunning,omitzero"`
	AgentsWorking *int               `json:"agentsWorking,omitzero"`
	Questions     *int               `json:"questions,omitzero"`
	Commands      *int               `json:"commands,omitzero"`
	LastActivity  time.Time          `json:"lastActivity,omitzero"`  // of an agent
	LastHeartbeat time.Time          `json:"lastHeartbeat,omitzero"` // of the provider
	Problem       string             `json:"problem,omitzero"`       // why the runtime does not tell
}

// usage is what a process takes.
type usage struct {
	PID     int     `json:"pid"`
	CPU     float64 `json:"cpuPercent"` // of one processor, since the look before
	RSS     uint64  `json:"rssBytes"`
	started string
	spent   float64 // seconds
	at      time.Time
}

// lookLimit bounds how long an environment may take to tell of itself.
const lookLimit = time.Second

// lookers is how many environments are asked at once.
const lookers = 16

// gatherer finds out what runs. It is for one goroutine.
type gatherer struct {
	store   *resource.Store
	project string // "" is all
	all     bool
	before  map[string]usage // by pid and start
	silent  bool             // nobody is asked: only processes are looked at
}

// first looks twice, so that what processes take of the processor is known, but for what
// it takes them to be asked.
func (g *gatherer) first(ctx context.Context) *snapshot {
	g.silent = true
	found := g.look(ctx)
	g.silent = false
	if len(found.Environments) == 0 {
		return found
	}
	select {
	case <-time.After(topFirst):
	case <-ctx.Done():
	}
	return g.look(ctx)
}

// look finds out what runs now. It takes no lease and starts nothing.
func (g *gatherer) look(ctx context.Context) *snapshot {
	found := &snapshot{Time: time.Now().UTC(), Environments: []running{}}
	records, err := g.store.List()
	if err != nil {
		found.Problems = strings.Split(err.Error(), "\n")
	}
	records = slices.DeleteFunc(records, func(rec *resource.Record) bool { return g.project != "" && !sameFolder(rec.ProjectPath, g.project) })
	looks := make([]*running, len(records))
	slots := make(chan struct{}, lookers)
	var wg sync.WaitGroup
	for i, rec := range records {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			looks[i] = g.lookAt(ctx, rec)
		})
	}
	wg.Wait()
	now := map[string]usage{}
	for _, r := range looks {
		for _, u := range []*usage{r.ProviderProcess, r.RuntimeProcess} {
			if u == nil {
				continue
			}
			key := strconv.Itoa(u.PID) + " " + u.started
			if last, ok := g.before[key]; ok && u.at.After(last.at) {
				u.CPU = max(0, 100*(u.spent-last.spent)/u.at.Sub(last.at).Seconds())
			}
			now[key] = *u
		}
		if g.all || r.State != stateKept {
			found.Environments = append(found.Environments, *r)
		}
	}
	g.before = now
	slices.SortFunc(found.Environments, func(a, b running) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ResourceID, b.ResourceID))
	})
	return found
}

// The states of environments.
const (
	stateOpen     = "open"
	stateDetached = "detached"
	stateKept     = "kept"
)

// lookAt looks at one environment.
func (g *gatherer) lookAt(ctx context.Context, rec *resource.Record) *running {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	r := &running{
		Name: rec.EnvironmentName, Provider: rec.Provider, ResourceID: string(rec.Resource), Project: rec.ProjectPath,
		Created: rec.Created, State: stateKept,
	}
	pid, held := g.store.Holder(rec.Resource)
	if held {
		r.ProviderProcess = usageOf(ctx, pid, "")
	}
	if r.ProviderProcess != nil {
		switch r.State = stateOpen; rec.Phase {
		case provider.PhaseCreating:
			r.State = "opening"
		case provider.PhaseRemoving:
			r.State = "removing"
		}
	}
	if rec.Runtime != nil {
		r.lookAtRuntime(ctx, *rec.Runtime, g.silent)
	}
	if r.ProviderProcess != nil && !g.silent {
		r.readMetrics(ctx, provider.RunDir(g.store, rec.Resource), r.ProviderProcess)
	}
	return r
}

// lookAtRuntime asks a runtime of this machine what runs in it.
func (r *running) lookAtRuntime(ctx context.Context, rec resource.RuntimeRecord, silent bool) {
	if rec.PID <= 0 || rec.Started == "" {
		return // it is elsewhere, or has never started
	}
	if r.RuntimeProcess = usageOf(ctx, rec.PID, rec.Started); r.RuntimeProcess == nil {
		return
	}
	if r.State == stateKept {
		r.State = stateDetached
	}
	if silent {
		return
	}
	st, err := runtime.Look(ctx, rec)
	switch {
	case wire.CodeOf(err) == wire.Unsupported:
		return
	case err != nil:
		r.Problem = err.Error()
		return
	}
	running, working := len(st.Agents), 0
	for _, a := range st.Agents {
		if a.Working {
			working++
		}
	}
	r.Agents, r.AgentsRunning, r.AgentsWorking = st.Agents, &running, &working
	r.Questions, r.Commands, r.LastActivity = &st.Questions, &st.Commands, st.Heard.Time
}

// readMetrics takes from the numbers that the provider shows, if it shows any, what is
// not known yet.
func (r *running) readMetrics(ctx context.Context, dir string, of *usage) {
	text, err := os.ReadFile(filepath.Join(dir, provider.MetricsFile))
	if err != nil {
		return
	}
	var place provider.MetricsPlace
	if wire.Unmarshal(text, &place) != nil || place.PID != of.PID || place.Started != of.started {
		return // left by one that was killed
	}
	numbers, err := scrape(ctx, place.Address)
	if err != nil {
		r.Problem = cmp.Or(r.Problem, err.Error())
		return
	}
	if at, ok := numbers[provider.MetricLastHeartbeat]; ok {
		r.LastHeartbeat = time.Unix(int64(at), 0).UTC()
	}
	for name, into := range map[string]**int{
		"codebolt_runtime_agents_running": &r.AgentsRunning, "codebolt_runtime_agents_working": &r.AgentsWorking,
		"codebolt_runtime_questions_outstanding": &r.Questions, "codebolt_runtime_commands_running": &r.Commands,
	} {
		if value, ok := numbers[name]; ok && *into == nil {
			n := int(value)
			*into = &n
		}
	}
}

// scrape reads the numbers without labels that are shown at an address.
func scrape(ctx context.Context, address string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("metrics of the provider: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("metrics of the provider: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics of the provider: status %d", resp.StatusCode)
	}
	numbers := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 4<<20))
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil && !strings.HasPrefix(name, "#") {
			numbers[name] = value
		}
	}
	return numbers, lines.Err()
}

// usageOf is what a process takes: the one that started then, or, when that is "", the one
// of that pid. It is nil when there is none.
func usageOf(ctx context.Context, pid int, want string) *usage {
	started, alive := resource.ProcessStarted(pid)
	if !alive || want != "" && started != want {
		return nil
	}
	u := &usage{PID: pid, started: started, at: time.Now()}
	p := &process.Process{Pid: int32(pid)} //nolint:gosec // pids are that small
	times, err := p.TimesWithContext(ctx)
	if err == nil {
		u.spent = times.User + times.System
	}
	memory, fail := p.MemoryInfoWithContext(ctx)
	if fail == nil {
		u.RSS = memory.RSS
	}
	if now, alive := resource.ProcessStarted(pid); !alive || now != started {
		return nil // it ended, and the numbers may be another's
	}
	if errors.Join(err, fail) != nil {
		u.RSS, u.spent = 0, 0 // another user's, where the system hides it
	}
	return u
}
