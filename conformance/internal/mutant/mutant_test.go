//go:build linux

package main

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/codeboltai/codebolt-providers/conformance/checks"
	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// programs is the folder with the mutant, a provider that is right, and its
// runtime.
var programs string

// envMutants is the environment variable that says how many defects are tried:
// "each" tries every one on the check meant for it, as make mutants does, and
// "full" every one on every check, which takes hours. Without it a few of them
// is tried, the same each time.
const envMutants = "CONFORMANCE_MUTANTS"

func TestMain(m *testing.M) {
	programtest.AtOnce(8)
	os.Exit(programtest.Main(m, &programs, map[string]string{
		"mutant": ".", "agentserver": "../agentserver",
		"codebolt-provider-gitworktree": "../../../providers/gitworktree", "codebolt-runtime": "../../../cmd/codebolt-runtime",
	}))
}

// bystanders are quick checks of the groups. Each defect meets one of another
// group, which it may not make fail.
var bystanders = []string{"PR-046", "LC-001", "FS-001", "FS-003", "SC-004", "DF-001", "DF-002", "HB-001", "MF-009", "RS-001"}

// bystander is the one of a defect: the same each time. What judges the leavings
// of all other checks needs one that leaves its environment to be removed.
func bystander(d *defect) string {
	if d.Check == "RS-008" {
		return "FS-001"
	}
	others := slices.DeleteFunc(slices.Clone(bystanders), func(id string) bool { return id[:2] == d.Check[:2] })
	return others[hash(d.Name)%uint32(len(others))]
}

func hash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // it cannot fail
	return h.Sum32()
}

func TestEachDefectIsSeenByTheCheckThatIsMeantForIt(t *testing.T) {
	contract := checks.All()
	known := map[string]bool{}
	for _, c := range contract {
		known[c.ID] = true
	}
	tried, seen := 0, atomic.Int64{}
	t.Cleanup(func() { t.Logf("%d of %d defects were seen by the check meant for them", seen.Load(), tried) })
	for _, d := range all() {
		if d.Check == "" || os.Getenv(envMutants) == "" && hash(d.Name)%45 != 1 {
			continue
		}
		tried++
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			only := append([]string{d.Check, bystander(&d)}, d.Also...)
			if os.Getenv(envMutants) == "full" {
				only = nil
			}
			for _, id := range only {
				if !known[id] {
					t.Fatalf("there is no check %s", id)
				}
			}
			report := judge(t, d.Name, suite.Options{Only: only})
			for _, r := range report.Results {
				switch failed := r.Outcome == suite.Failed; {
				case r.Outcome == suite.Errored:
					t.Errorf("%s: %s", r.ID, r.Reason)
				case r.ID == d.Check && !failed:
					t.Errorf("%s does not see it: %s %s", r.ID, r.Outcome, r.Reason)
				case failed && r.ID != d.Check && !slices.Contains(d.Also, r.ID):
					t.Errorf("%s fails, which has nothing to do with it: %+v", r.ID, r.Failures)
				case r.ID == d.Check:
					seen.Add(1)
					t.Logf("%s | %s | %s", d.Name, r.ID, r.Failures[0].Message)
				}
			}
		})
	}
}

func TestWithoutADefectNothingFails(t *testing.T) {
	t.Parallel()
	only := append(slices.Clone(bystanders), "NT-006", "AG-015") // what the wrapper holds when a line breaks is not lost
	for _, r := range judge(t, "none", suite.Options{Only: only}).Results {
		if r.Outcome != suite.Passed {
			t.Errorf("%s: %s %s %+v", r.ID, r.Outcome, r.Reason, r.Failures)
		}
	}
}

func TestALauncherThatIsRightIsSeenAsThat(t *testing.T) {
	t.Parallel()
	report := judge(t, "launched", suite.Options{Only: []string{"MF-014", "MF-015", "MF-016"}})
	for _, r := range report.Results {
		if r.Outcome != suite.Passed {
			t.Errorf("%s: %s %s %+v", r.ID, r.Outcome, r.Reason, r.Failures)
		}
	}
}

func TestEveryCheckHasADefectItIsMeantFor(t *testing.T) {
	meant := map[string]bool{}
	for _, d := range all() {
		meant[d.Check] = true
	}
	for _, c := range checks.All() {
		if !meant[c.ID] {
			t.Errorf("no defect is meant for %s: %s", c.ID, c.Title)
		}
	}
}

// The profile for providers on the Node SDK says what is impossible for them, and
// holds them to all the rest.
func TestTheNodeProfileAsksNothingThatTheSDKMakesImpossible(t *testing.T) {
	t.Parallel()
	target := subject("node-sdk")
	target.Capabilities = maps.Clone(declared())
	for _, feature := range []suite.Capability{
		suite.Base64, suite.ErrorCodes, suite.OnStop, suite.Overwrite, suite.Recursive, suite.Runtime, suite.RuntimeCommand,
		// No provider on the SDK answers these.
		"providerHeartbeatRequest", "environmentHeartbeat", "environmentRestartRequest", "createPatchRequest", "createPullRequestRequest",
	} {
		target.Capabilities[feature] = false
	}
	report, err := suite.Run(t.Context(), target, checks.All(), suite.Options{Profile: suite.NodeCompat, Only: []string{"PR", "LC", "FS", "HB", "MF"}})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, r := range report.Results {
		switch r.Outcome {
		case suite.Passed:
			passed++
		case suite.Skipped:
		default:
			t.Errorf("%s: %s %s %+v", r.ID, r.Outcome, r.Reason, r.Failures)
		}
	}
	if passed < 100 {
		t.Errorf("only %d checks were left", passed)
	}
}

func TestNamesOfDefectsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range all() {
		if seen[d.Name] || d.Doc == "" {
			t.Errorf("%q is there twice, or without a word on what it does wrong", d.Name)
		}
		seen[d.Name] = true
	}
}

// declared is what the correct provider declares, and what a first look at it
// found: asked once for all defects.
var declared = sync.OnceValue(func() suite.Capabilities {
	target := subject("none")
	capabilities, _ := suite.Discover(context.Background(), target)
	capabilities[suite.Local] = true
	return capabilities
})

// program is the argv of a correct provider with a defect put on.
func program(name string) []string {
	return []string{filepath.Join(programs, "mutant"), name, filepath.Join(programs, "codebolt-provider-gitworktree")}
}

// subject is a correct provider with a defect put on.
func subject(name string) *suite.Target {
	files := manifestFiles(name)
	m, err := manifest.Load(os.DirFS(manifestFolder), ".")
	if err != nil {
		panic(err) // it is embedded in a program that was just built
	}
	argv := program(name)
	return &suite.Target{
		Dir: programs, Program: argv[0], Args: argv[1:],
		Files: files, Manifest: m, RuntimeProgram: []string{filepath.Join(programs, "agentserver")},
		AgentProgram: []string{filepath.Join(programs, "agentserver"), "agent"},
	}
}

const manifestFolder = "../../../manifests/gitworktree"

// manifestFiles are the manifest files with what the defect does to them, and
// what it puts beside them.
func manifestFiles(name string) fs.FS {
	d, _ := find(name)
	argv, err := json.Marshal(program(name))
	if err != nil {
		panic(err) // it holds texts
	}
	files := fstest.MapFS{}
	for _, name := range []string{manifest.ProviderFile, manifest.ProvidersFile, entryPoint} {
		text, err := os.ReadFile(filepath.Join(manifestFolder, name))
		if err != nil && name != entryPoint {
			panic(err) // as above
		}
		if d.Files != nil {
			text = []byte(strings.Replace(d.Files(name, string(text)), "PROGRAM", string(argv), 1))
		}
		if len(text) > 0 {
			files[name] = &fstest.MapFile{Data: text, Mode: 0o644}
		}
	}
	return files
}

// judge runs the suite against it.
func judge(t *testing.T, name string, options suite.Options) *suite.Report {
	t.Helper()
	target := subject(name)
	target.Capabilities = maps.Clone(declared())
	d, _ := find(name)
	for _, lacked := range d.Lacks {
		delete(target.Capabilities, suite.Capability(lacked))
	}
	report, err := suite.Run(t.Context(), target, checks.All(), options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
