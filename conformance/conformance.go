// Package conformance lets a Go provider prove in its own tests that it keeps
// the contract:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Target{
//			Program:   program, // built by TestMain
//			Manifests: manifests.Files("local"),
//		})
//	}
//
// Providers in other languages use the program codebolt-conformance, which runs
// the same checks.
package conformance

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/checks"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// EnvOnly is the environment variable that selects checks by id or group for
// [Run], separated by commas, as the flag --only does for the program.
const EnvOnly = "CONFORMANCE_ONLY"

// EnvSample is the environment variable that makes [Sample] choose some checks.
const EnvSample = "CONFORMANCE_SAMPLE"

// Sample are the ids of every nth check, but for some, when [EnvSample] is set, and
// else nil, which stands for all checks. It is to be the Only of a [Target]'s options
// where all of them take longer than there always is time for. It is the same each
// time.
func Sample(n int, without ...string) []string {
	if os.Getenv(EnvSample) == "" {
		return nil
	}
	var ids []string
	for i, check := range checks.All() {
		if i%n == 0 && !slices.Contains(without, check.ID) {
			ids = append(ids, check.ID)
		}
	}
	return ids
}

// SampleWith is Sample with more ids or groups.
func SampleWith(n int, more ...string) []string {
	if ids := Sample(n); ids != nil {
		return append(ids, more...)
	}
	return nil
}

// Target is the provider to judge.
type Target struct {
	// Program is the provider's executable, and Args what it is called with. Its
	// processes run in an empty folder.
	Program string
	Args    []string
	// Env holds further variables of its process, as os.Environ.
	Env []string
	// Manifests is the folder with codeboltprovider.yaml and providers.yaml; nil
	// skips what is checked of them.
	Manifests fs.FS
	// Config is the configuration of every environment.
	Config map[string]any
	// Elsewhere tells that agents do not see what is at workspacePath here, such as when
	// they work on another machine. Checks that work in that directory are skipped.
	Elsewhere bool
	// Disk tells where on this machine the files of an open environment are, when they
	// are Elsewhere, such as on another machine that is this one in a test: by the
	// resource id and the workspacePath of its start. It implies Elsewhere. nil is for
	// those that are nowhere here; checks that look at the files are skipped then.
	Disk func(resourceID, workspacePath string) (string, error)
	// Options select checks; the zero value runs them all, strictly.
	Options suite.Options
}

// Run judges a provider by every check: each is a subtest of t, named by its id,
// that fails, is skipped or passes as the check does. In short mode only checks
// run that need no more than the ordinary time.
func Run(t *testing.T, target Target) {
	t.Helper()
	subject := &suite.Target{
		Program: target.Program, Args: target.Args, Dir: t.TempDir(), Env: target.Env, Config: target.Config, Files: target.Manifests, Elsewhere: target.Elsewhere, Disk: target.Disk,
	}
	if target.Manifests != nil {
		m, err := manifest.Load(target.Manifests, ".")
		if err != nil {
			t.Fatal(err)
		}
		subject.Manifest = m
	}
	options := target.Options
	if only := os.Getenv(EnvOnly); only != "" {
		options.Only = strings.Split(only, ",")
	}
	program := agentServer(t)
	subject.RuntimeProgram, subject.AgentProgram = []string{program}, []string{program, "agent"}
	all := checks.All()
	report, err := suite.Run(t.Context(), subject, all, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report.Results {
		t.Run(result.ID, func(t *testing.T) {
			t.Helper()
			switch result.Outcome {
			case suite.Passed:
			case suite.Skipped:
				t.Skip(result.Reason)
			default:
				t.Error(tell(&result))
			}
		})
	}
	n := report.Totals()
	t.Logf("%d passed, %d failed, %d skipped, %d errors in %v", n.Passed, n.Failed, n.Skipped, n.Errored, report.Duration.Round(1e6))
}

// agentServer builds the program that plays an agent server, and agents.
func agentServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "agentserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, agentServerPackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // it may run in a container
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent server: %v\n%s", err, out)
	}
	return program
}

const agentServerPackage = "github.com/codeboltai/codebolt-providers/conformance/internal/agentserver"

// tell is a result in words.
func tell(r *suite.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", r.Level, r.ID, r.Title)
	if r.Reason != "" {
		fmt.Fprintf(&b, "%s: %s\n", r.Outcome, r.Reason)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "- %s\n", f.Message)
		if f.Expected != "" || f.Got != "" {
			fmt.Fprintf(&b, "    expected: %s\n    got:      %s\n", f.Expected, f.Got)
		}
	}
	fmt.Fprintf(&b, "why: %s\n", r.Why)
	for _, frame := range r.Around() {
		fmt.Fprintf(&b, "  %6d ms %s %s\n", frame.At, map[bool]string{true: "<-", false: "->"}[frame.In], frame.Text)
	}
	if r.Output != "" {
		fmt.Fprintf(&b, "what the provider printed:\n%s", cmp.Or(r.Output, "nothing"))
	}
	return b.String()
}
