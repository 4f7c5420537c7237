package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// launcher lays the provider's folder out on the disk, as an installer does, and
// returns node's path and the entry point's. Without either the check is skipped.
func launcher(t *suite.T) (node, entry string) {
	files := t.Target().Files
	entry = parse(t, first).Text("entrypoint")
	if info, err := fs.Stat(files, entry); err != nil || !info.Mode().IsRegular() {
		t.Skipf("the folder of the manifests does not hold the entry point %s", entry)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("there is no node in PATH")
	}
	if text, err := fs.ReadFile(files, "package.json"); err == nil {
		var pack struct {
			Main string `json:"main"`
		}
		if err := json.Unmarshal(text, &pack); err != nil {
			t.Fatalf("package.json is no JSON: %v", err)
		}
		if pack.Main != "" {
			t.Equal("the main of package.json", path.Clean(pack.Main), path.Clean(entry))
		}
	}
	dir := t.Dir("installed")
	t.Try(os.CopyFS(dir, files))
	return node, filepath.Join(dir, filepath.FromSlash(entry))
}

// underNode runs an environment's process through the launcher.
func underNode(node, entry string) suite.Spec {
	return suite.Spec{Wrap: func(_ string, args []string) (string, []string) {
		return node, append([]string{entry}, behind(entry, args)...)
	}}
}

// behind are the arguments for the launcher: those of the program, but for the launcher
// itself where it is the program that is judged.
func behind(entry string, args []string) []string {
	if len(args) == 0 {
		return nil
	}
	launcher, err := os.ReadFile(entry)
	first, ferr := os.ReadFile(args[0])
	if err == nil && ferr == nil && bytes.Equal(launcher, first) {
		return args[1:]
	}
	return args
}

// status runs a program by hand where its other processes run, without a server, and
// returns its exit status and what it printed to standard error.
func status(t *suite.T, program string, args ...string) (int, string) {
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.WaitDelay = t.Target().Dir, time.Second
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains([]string{"SOCKET_PORT", "CODEBOLT_SERVER_URL", "agentId", "ENVIRONMENT_CONFIG"}, name)
	})
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Errorf("%s could not be run: %v", program, err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

func launching() []suite.Check {
	return []suite.Check{
		{
			ID: "MF-014", Level: suite.Must, Needs: append([]suite.Capability{"providerReadFile"}, needs...),
			Title: "Under node the entry point starts the provider with the environment it was given",
			Why:   "Servers start providers as node programs; what the launcher does not pass on, the provider does not know.",
			Run: func(t *suite.T) {
				e := t.Open(underNode(launcher(t)))
				t.Equal("a file", e.Result(suite.Message{"type": "providerReadFile", "path": "src/main.txt"}), suite.ProjectFiles["src/main.txt"])
				e.Stop("")
				t.Equal("the exit status after a stop", e.Exit(suite.ExitLimit), 0)
			},
		},
		{
			ID: "MF-015", Level: suite.Must, Needs: needs,
			Title: "The launcher prints what the provider prints and exits with its status",
			Why:   "A server tells a crash from an end by the status, and shows its owner what was printed.",
			Run: func(t *suite.T) {
				node, entry := launcher(t)
				program := t.Target().Program
				want, printed := status(t, program, t.Target().Args...)
				if want == 0 {
					t.Fatalf("%s exits with 0 when no server is named", program)
				}
				got, under := status(t, node, append([]string{entry}, behind(entry, t.Target().Args)...)...)
				t.Equal("the exit status under node", got, want)
				lines := strings.Split(strings.TrimSpace(printed), "\n")
				if last := lines[len(lines)-1]; !strings.Contains(under, last) {
					t.Equal("what is printed under node", under, printed)
				}
			},
		},
		{
			ID: "MF-016", Level: suite.Must, Needs: needs,
			Title: "SIGTERM to the launcher ends the provider, which lets go, and then the launcher with its status",
			Why:   "A server that ends the process it started would otherwise leave the provider to go on alone.",
			Run:   passesSignals,
		},
	}
}
