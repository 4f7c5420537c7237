package lifecycle

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// faults are the starts that fail because of what they meet.
func faults() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-025", Level: suite.Must, Needs: []suite.Capability{suite.RuntimeCommand},
			Title: "A start whose runtime does not exist, or ends at once, fails with a reason and leaves nothing; the next one succeeds",
			Why:   "An environment without its runtime looks whole until an agent is asked for.",
			Run: func(t *suite.T) {
				for what, command := range map[string][]string{
					"a runtime that does not exist": {filepath.Join(t.Dir("programs"), "absent")},
					"a runtime that ends at once":   {"/bin/sh", "-c", "exit 3"},
				} {
					e := t.Env(suite.Spec{Env: noConfig})
					e.Launch()
					fails(t, e, what, e.StartMessage().With(suite.Message{"runtime": map[string]any{"command": command}}))
					mended(t, e, what)
					done(t, e)
				}
			},
		},
		{
			ID: "LC-026", Level: suite.Must, Needs: []suite.Capability{suite.RuntimeCommand},
			Title: "A start whose runtime never gets ready fails when timeouts.agentServerStartup is over, and leaves nothing",
			Why:   "A start that waits for ever blocks the server; a runtime that nobody waits for lives for ever.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				begun := time.Now()
				fails(t, e, "a runtime that never gets ready", e.StartMessage().With(suite.Message{
					"runtime":  map[string]any{"command": []string{"/bin/sleep", "600"}},
					"timeouts": map[string]any{"agentServerStartup": 1500},
				}))
				if took := time.Since(begun); took < time.Second {
					t.Errorf("the runtime had %v to get ready, and not the configured 1.5 s", took)
				}
				mended(t, e, "a runtime that never gets ready")
			},
		},
		{
			ID: "LC-027", Level: suite.Must, Needs: []suite.Capability{suite.Runtime},
			Title: "When agentServerPort is another program's, the start fails or takes another port, and never that program",
			Why:   "Whatever listens there belongs to another environment, or to nobody who expects an agent's files.",
			Run: func(t *suite.T) {
				listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
				t.Try(err)
				t.Cleanup(func() { _ = listener.Close() })
				var spoken atomic.Bool
				go foreign(listener, &spoken)
				port := listener.Addr().(*net.TCPAddr).Port
				e := t.Env(suite.Spec{Env: noConfig})
				e.Launch()
				answer := e.Ask(e.StartMessage().With(suite.Message{"agentServerPort": port, "agentServerHost": "127.0.0.1"}))
				if problem := suite.Problem(answer); problem != "" {
					if !strings.Contains(problem, strconv.Itoa(port)) {
						t.Errorf("the reason does not name the port that is taken: %s", problem)
					}
					traces.NoHelpers(t, "after a start that failed", e)
					mended(t, e, "a port that is taken")
				} else {
					if url := answer.Object("message").Text("agentServerUrl"); strings.HasSuffix(strings.TrimRight(url, "/"), ":"+strconv.Itoa(port)) {
						t.Errorf("agentServerUrl is that of another program: %s", url)
					}
					works(t, e, "beside a port that is taken")
				}
				if spoken.Load() {
					t.Errorf("the provider spoke with the program that has the port")
				}
			},
		},
	}
}

// foreign is another program that listens: it takes connections and notes
// whether anybody who made one asked for a WebSocket.
func foreign(listener net.Listener, spoken *atomic.Bool) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf) // who only looks whether somebody listens says nothing
			if strings.Contains(strings.ToLower(string(buf[:n])), "upgrade: websocket") {
				spoken.Store(true)
			}
		}()
	}
}

func disks() []suite.Check {
	return []suite.Check{{
		ID: "LC-028", Level: suite.Must, Needs: []suite.Capability{suite.Local},
		Title: "A start on a full disk fails with a reason and leaves nothing; with room it succeeds",
		Why:   "A half-made workspace looks like a project that has lost files, and keeps the disk full.",
		Run: func(t *suite.T) {
			project := t.NewProject()
			t.Try(os.WriteFile(filepath.Join(project, "big.bin"), []byte(strings.Repeat("a line that fills the disk\n", 100_000)), 0o644))
			t.Git(project, "add", "big.bin")
			t.Git(project, "commit", "--quiet", "--message", "Add a big file")
			small := t.Dir("small")
			if err := mount(t, "-t", "tmpfs", "-o", "size=1m", "tmpfs", small); err != nil {
				t.Skipf("a small file system cannot be mounted here: %v", err)
			}
			t.Cleanup(func() { // also when the check's time is over
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				_ = exec.CommandContext(ctx, "umount", "-l", small).Run()
			})
			e := t.Env(suite.Spec{Project: project, Env: append([]string{"XDG_STATE_HOME=" + filepath.Join(small, "state")}, noConfig...)})
			e.Launch()
			start := e.StartMessage().With(suite.Message{"environmentPath": filepath.Join(small, "workspace")})
			before := traces.Look(small)
			fails(t, e, "a full disk", start, "internal") // who is told by another program may not know the kind
			if left := traces.Look(small).Belongings(before, e); len(left) > 0 {
				t.Errorf("on the full disk %v is left", left)
			}
			if _, err := os.Stat(filepath.Join(small, "workspace")); err == nil {
				t.Errorf("on the full disk the workspace is left")
			}
			t.Try(mount(t, "-o", "remount,size=64m", small))
			if problem := suite.Problem(e.Ask(start)); problem != "" {
				t.Errorf("with room the start fails: %s", problem)
			} else {
				works(t, e, "with room")
			}
			done(t, e) // before its disk goes
		},
	}}
}

func mount(t *suite.T, args ...string) error {
	return exec.CommandContext(t.Context(), "mount", args...).Run()
}
