package build

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatALinkerSetGoesBeforeWhatGoWrote(t *testing.T) {
	const rev, when = "0123456789abcdef0123456789abcdef01234567", "2026-01-02T03:04:05Z"
	checkout := &debug.BuildInfo{
		Main: debug.Module{Version: "v0.0.0-20260102030405-0123456789ab+dirty"},
		Settings: []debug.BuildSetting{
			{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: rev}, {Key: "vcs.time", Value: when}, {Key: "vcs.modified", Value: "true"},
		},
	}
	for name, test := range map[string]struct {
		version, commit, date string
		written               *debug.BuildInfo
		want                  Info
		says                  string
	}{
		"a release":        {"1.2.3", rev, when, checkout, Info{Version: "1.2.3", Commit: rev, Date: when}, "1.2.3 (commit 0123456789ab of " + when + ")"},
		"a release's tag":  {"v1.2.3", rev, when, nil, Info{Version: "1.2.3", Commit: rev, Date: when}, "1.2.3 (commit 0123456789ab of " + when + ")"},
		"only its version": {"1.2.3", "", "", checkout, Info{Version: "1.2.3", Commit: rev, Date: when, Modified: true}, "1.2.3 (commit 0123456789ab of " + when + ", modified)"},
		"a checkout":       {"", "", "", checkout, Info{Version: "0.0.0-20260102030405-0123456789ab+dirty", Commit: rev, Date: when, Modified: true}, "0.0.0-20260102030405-0123456789ab+dirty (commit 0123456789ab of " + when + ", modified)"},
		"a module":         {"", "", "", &debug.BuildInfo{Main: debug.Module{Version: "v1.4.0"}}, Info{Version: "1.4.0"}, "1.4.0"},
		"no repository":    {"", "", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Info{Version: Unknown}, Unknown},
		"a test":           {"", "", "", &debug.BuildInfo{}, Info{Version: Unknown}, Unknown},
		"nothing":          {"", "", "", nil, Info{Version: Unknown}, Unknown},
		"a short commit":   {"1.2.3", "abc", "", nil, Info{Version: "1.2.3", Commit: "abc"}, "1.2.3 (commit abc)"},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Go, test.want.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
			got := known(test.version, test.commit, test.date, test.written)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if got.String() != test.says {
				t.Errorf("it says %q and not %q", got, test.says)
			}
		})
	}
}

// run runs a program in a folder, without what this machine sets for git.
func run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", argv, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// checkout makes a repository that holds this package and the program, and returns its
// folder and its commit.
func checkout(t *testing.T) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	for from, to := range map[string]string{"build.go": "build/build.go", "testdata/program/main.go": "program/main.go"} {
		text, err := os.ReadFile(filepath.FromSlash(from))
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(dir, filepath.FromSlash(to))
		if err := os.Mkdir(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module github.com/codeboltai/codebolt-providers/shared\n\ngo 1.26.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "git", "init", "--quiet")
	run(t, dir, "git", "add", ".")
	run(t, dir, "git", "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "Begin")
	return dir, run(t, dir, "git", "rev-parse", "HEAD")
}

func TestAProgramKnowsItsCommit(t *testing.T) {
	dir, commit := checkout(t)
	program := filepath.Join(t.TempDir(), "program.exe")
	const date = "2026-01-02T03:04:05Z"

	run(t, dir, "go", "build", "-buildvcs=true", "-o", program, "./program")
	want := "program 0.0.0-20260102030405-" + commit[:12] + " (commit " + commit[:12] + " of " + date + ")"
	if got := run(t, dir, program); got != want {
		t.Errorf("built in a checkout it says %q and not %q", got, want)
	}

	const at = "github.com/codeboltai/codebolt-providers/shared/build."
	run(t, dir, "go", "build", "-trimpath", "-buildvcs=false", "-o", program,
		"-ldflags", "-s -w -X "+at+"version=1.2.3 -X "+at+"commit="+commit+" -X "+at+"date="+date, "./program")
	if got, want := run(t, dir, program), "program 1.2.3 (commit "+commit[:12]+" of "+date+")"; got != want {
		t.Errorf("released it says %q and not %q", got, want)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(run(t, dir, program, "--json")), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{
		"name": "program", "version": "1.2.3", "commit": commit, "date": date,
		"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheSubcommandRefusesWhatItDoesNotKnow(t *testing.T) {
	for args, status := range map[string]int{"--help": 0, "--jason": 2, "now": 2} {
		var stdout, stderr bytes.Buffer
		if got := Subcommand("program", []string{args}, &stdout, &stderr); got != status || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%s: status %d, %q and %q", args, got, &stdout, &stderr)
		}
	}
}
