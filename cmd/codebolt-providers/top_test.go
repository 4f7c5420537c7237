//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// machine is a stage with git-worktree, and a person's desk at the same machine.
func machine(t *testing.T) (*stage.Stage, *desk) {
	t.Helper()
	d := newDesk(t)
	s := stage.New(t, stage.Options{
		Program: filepath.Join(programs, "codebolt-provider-gitworktree"), Manifests: manifests.Files("gitworktree"), Project: d.project,
		Environ: []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"},
	})
	d.environ = append(d.environ, resource.EnvStateDir+"="+s.State)
	return s, d
}

// asks starts an agent that says ten things, asks the platform, and is not answered. It
// returns when the question has come.
func asks(t *testing.T, e *server.Environment, id string) {
	t.Helper()
	details, err := wire.Marshal(wire.AgentCommand{Argv: []string{filepath.Join(programs, "talker")}, Endpoint: true})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 1)
	stop := e.Subscribe(func(head wire.Header, _ []byte) {
		if head.Type == "inference" {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	err = e.StartAgent(stage.Limit(t), wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: "m-" + id,
		Message: wire.Prompt{UserMessage: "10", SelectedAgent: &wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}},
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-stage.Limit(t).Done():
		t.Fatal("the agent asks nothing")
	}
}

// tops is what top tells as a document.
func tops(d *desk, args ...string) snapshot {
	d.t.Helper()
	s := d.ok(append([]string{"top", "--json"}, args...)...)
	var found snapshot
	if err := json.Unmarshal([]byte(s.stdout), &found); err != nil {
		d.t.Fatalf("%s: %v", s.stdout, err)
	}
	return found
}

func TestTopShowsWhatRunsAndLeavesItAlone(t *testing.T) {
	t.Parallel()
	s, d := machine(t)
	if out := d.ok("top").stdout; !strings.HasPrefix(out, "nothing runs here") {
		t.Errorf("with nothing: %q", out)
	}
	if found := tops(d); found.Environments == nil || len(found.Environments) != 0 {
		t.Errorf("with nothing: %+v", found)
	}
	e, _ := s.Opened("busy", stage.Settings{"metrics": map[string]any{"listen": "127.0.0.1:0"}})
	asks(t, e, "asker")
	kept, _ := s.Opened("kept", nil)
	s.Stop(kept, "keep")
	leases := func() (all string) {
		files, err := filepath.Glob(filepath.Join(s.State, "envs", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			all += fmt.Sprintln(f, info.ModTime(), info.Size())
		}
		return all
	}
	before, processes := leases(), len(s.Processes())
	found := tops(d)
	if len(found.Environments) != 1 {
		t.Fatalf("it shows %+v", found)
	}
	r := found.Environments[0]
	runtimes := s.Runtimes()
	if len(runtimes) != 1 || r.RuntimeProcess == nil || r.RuntimeProcess.PID != runtimes[0] || r.RuntimeProcess.RSS < 1<<20 {
		t.Errorf("the runtimes are %v, it shows %+v", runtimes, r.RuntimeProcess)
	}
	cmd, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.ProviderProcess.PID))
	if err != nil || !strings.Contains(string(cmd), "codebolt-provider-gitworktree") || r.ProviderProcess.RSS < 1<<20 {
		t.Errorf("its provider is %+v: %s %v", r.ProviderProcess, cmd, err)
	}
	if r.Name != "busy" || r.Provider != "codebolt-git-worktree" || r.State != "open" || r.Problem != "" ||
		len(r.Agents) != 1 || r.Agents[0].ID != "asker" || !r.Agents[0].Working || r.Agents[0].Questions != 1 || *r.Questions != 1 ||
		time.Since(r.LastActivity) > time.Minute || time.Since(r.LastHeartbeat) > time.Minute || time.Since(r.Created) > time.Minute {
		t.Errorf("it shows %+v", r)
	}
	if after := leases(); after != before || len(s.Processes()) != processes {
		t.Errorf("it changed\n%s to\n%s", before, after)
	}
	line := regexp.MustCompile(`(?m)^busy +git-worktree +open +\d+s +\d+ +[\d.]+% +[\d.]+M +\d+ +[\d.]+% +[\d.]+M +asker +1 +\d+s$`)
	if out := d.ok("top", "--once").stdout; !line.MatchString(out) || strings.Contains(out, "kept") || strings.Contains(out, "\x1b") {
		t.Errorf("the table is\n%s", out)
	}
	if out := d.ok("top", "--all").stdout; !regexp.MustCompile(`(?m)^kept +git-worktree +kept +\d+s +- +- +- +- `).MatchString(out) || !line.MatchString(out) {
		t.Errorf("with all, the table is\n%s", out)
	}
	other := newDesk(t)
	if found := tops(d, "-p", other.project); len(found.Environments) != 0 {
		t.Errorf("of another project: %+v", found)
	}
	if found := tops(d, "-p", d.project); len(found.Environments) != 1 {
		t.Errorf("of the project: %+v", found)
	}
	s.Stop(e, "keep")
}

func TestTopKnowsWhatIsDeadAndWhatGoesOnAlone(t *testing.T) {
	t.Parallel()
	s, d := machine(t)
	e, _ := s.Opened("left", nil)
	asks(t, e, "lonely")
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	found := tops(d) // the killed provider's lease names a process that is no more
	if len(found.Environments) != 1 || found.Environments[0].State != "detached" || found.Environments[0].ProviderProcess != nil || found.Environments[0].Agents[0].ID != "lonely" {
		t.Errorf("without its provider: %+v", found)
	}
	if s.KillRuntimes() != 1 {
		t.Fatal("there is no runtime")
	}
	for range 300 { // its end takes a moment
		if found = tops(d); len(found.Environments) == 0 {
			break
		}
	}
	if len(found.Environments) != 0 {
		t.Errorf("with neither: %+v", found)
	}
	// A record that cannot be read is told of, and hides no other.
	s.Start(e)
	damaged := filepath.Join(s.State, "envs", "worktree~v1~damaged.json")
	if err := os.WriteFile(damaged, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := d.ok("top", "--once")
	if !strings.Contains(out.stdout, "left ") || !strings.Contains(out.stderr, "damaged") {
		t.Errorf("beside a damaged record: %+v", out)
	}
	s.Stop(e, "keep")
}

func TestTopAtATerminalDrawsUntilAKeyAndRestoresIt(t *testing.T) {
	t.Parallel()
	s, d := machine(t)
	e, _ := s.Opened("an environment with a long name", nil)
	for _, end := range []func(p *person){
		func(p *person) { p.types("q") },
		func(p *person) { p.types("\x03") },
		func(p *person) {
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		},
	} {
		p := d.sits("top", "--interval", "300ms")
		if err := pty.Setsize(p.tty, &pty.Winsize{Rows: 24, Cols: 20}); err != nil {
			t.Fatal(err)
		}
		p.reads(enterScreen)
		p.reads(clearRest)
		first := p.past                 // that one may have been before the window's size was set
		p.reads(toBegin + "NAME")       // again
		p.reads("an environment with ") // as wide as the window
		p.reads(clearRest)
		end(p)
		status, seen := p.leaves()
		if status != 0 || !strings.HasSuffix(seen, leaveScreen) || strings.Count(seen, enterScreen) != 1 || strings.Contains(seen[first:], "environment with a") {
			t.Errorf("status %d: %q", status, seen)
		}
	}
	s.Stop(e, "keep")
}

func TestTopTellsADocumentALineForAsLongAsItIsLetTo(t *testing.T) {
	t.Parallel()
	s, d := machine(t)
	e, _ := s.Opened("watched", nil)
	cmd := d.command("top", "--json", "--interval", "300ms")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	for i := range 3 {
		var found snapshot
		if err := lines.Decode(&found); err != nil || len(found.Environments) != 1 || found.Environments[0].Name != "watched" {
			t.Fatalf("line %d: %+v, %v", i, found, err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if s := d.run("top", "--interval", "1ms"); s.status == 0 || !strings.Contains(s.stderr, "too short") {
		t.Errorf("%+v", s)
	}
	s.Stop(e, "keep")
}
