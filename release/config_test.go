package release_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/manifests"
)

// config is what these tests read of .goreleaser.yaml.
type config struct {
	Builds []struct {
		ID      string   `yaml:"id"`
		Dir     string   `yaml:"dir"`
		Main    string   `yaml:"main"`
		Targets []string `yaml:"targets"`
		Env     []string `yaml:"env"`
		Flags   []string `yaml:"flags"`
		LDFlags []string `yaml:"ldflags"`
	} `yaml:"builds"`
	Archives []artifact `yaml:"archives"`
	NFPMs    []artifact `yaml:"nfpms"`
	Casks    []artifact `yaml:"homebrew_casks"`
	Checksum struct {
		ExtraFiles []map[string]string `yaml:"extra_files"`
	} `yaml:"checksum"`
	Release struct {
		ExtraFiles []map[string]string `yaml:"extra_files"`
	} `yaml:"release"`
}

type artifact struct {
	ID       string   `yaml:"id"`
	IDs      []string `yaml:"ids"`
	Binaries []string `yaml:"binaries"`
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func load(t *testing.T) config {
	t.Helper()
	var c config
	if err := yaml.Unmarshal([]byte(read(t, ".goreleaser.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Builds) != 1 || len(c.Archives) != 1 || len(c.NFPMs) != 1 || len(c.Casks) != 1 {
		t.Fatalf("there are %d builds, %d archives, %d packages and %d casks, and not one of each", len(c.Builds), len(c.Archives), len(c.NFPMs), len(c.Casks))
	}
	return c
}

// listed are the words of a variable of the Makefile.
func listed(t *testing.T, name string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + ` *:= *(.*)$`).FindStringSubmatch(read(t, "Makefile"))
	if found == nil {
		t.Fatalf("the Makefile has no %s", name)
	}
	return strings.Fields(found[1])
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestEveryProviderIsReleasedForEveryPlatform(t *testing.T) {
	var folders []string
	platforms := listed(t, "PLATFORMS")
	for _, entry := range manifests.All() {
		folders = append(folders, entry.Folder)
		for _, platform := range entry.Manifest.RuntimePlatforms {
			if !slices.Contains(platforms, strings.Replace(platform, "-", "/", 1)) {
				t.Errorf("%s wants a runtime for %s, which is not released", entry.Folder, platform)
			}
		}
		if _, err := os.Stat(filepath.Join("..", "providers", entry.Folder, "README.md")); err != nil {
			t.Error(err)
		}
	}
	same(t, "providers of the Makefile", folders, listed(t, "PROVIDERS"))
	c := load(t)
	var targets []string
	for _, target := range c.Builds[0].Targets {
		words := strings.SplitN(target, "_", 3)
		targets = append(targets, words[0]+"/"+words[1])
	}
	same(t, "targets of the tools", platforms, targets)
	for _, files := range [][]map[string]string{c.Checksum.ExtraFiles, c.Release.ExtraFiles} {
		if len(files) != 1 || files[0]["glob"] != "bin/release/archives/*" {
			t.Errorf("the providers' archives are not among %v", files)
		}
	}
}

func TestEveryToolIsReleased(t *testing.T) {
	c := load(t)
	build := c.Builds[0]
	same(t, "builds of the archive", []string{build.ID}, c.Archives[0].IDs)
	same(t, "builds of the Debian package", []string{build.ID}, c.NFPMs[0].IDs)
	same(t, "archives of the cask", []string{c.Archives[0].ID}, c.Casks[0].IDs)
	mains, err := filepath.Glob(filepath.FromSlash("../cmd/*/main.go"))
	if err != nil || len(mains) == 0 {
		t.Fatalf("there are no programs: %v", err)
	}
	var tools []string
	parts := read(t, "scripts/release-parts.sh")
	for _, main := range mains {
		tool := filepath.Base(filepath.Dir(main))
		tools = append(tools, tool)
		if path.Join(build.Dir, build.Main) != "cmd/"+tool && !strings.Contains(parts, `compile cmd "$into/" ./codebolt-runtime ./codebolt-conformance`) {
			t.Errorf("nothing builds %s", tool)
		}
		if want := "../lib/codebolt-providers/" + tool; !strings.Contains(read(t, ".goreleaser.yaml"), want) {
			t.Errorf("the Debian package has no link to %s", want)
		}
	}
	same(t, "tools of the cask", tools, c.Casks[0].Binaries)
}

func TestEveryProgramIsBuiltInOneWayAndKnowsItsVersion(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash("../shared/build/build.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var variables []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Type != nil {
			for _, name := range spec.Names {
				variables = append(variables, name.Name)
			}
		}
		_, inside := n.(*ast.FuncDecl)
		return !inside
	})
	build, parts := load(t).Builds[0], read(t, "scripts/release-parts.sh")
	const in = "github.com/codeboltai/codebolt-providers/shared/build"
	var set, setInParts []string
	for _, found := range regexp.MustCompile(`-X `+regexp.QuoteMeta(in)+`\.(\w+)=`).FindAllStringSubmatch(strings.Join(build.LDFlags, " "), -1) {
		set = append(set, found[1])
	}
	for _, found := range regexp.MustCompile(`-X \$build\.(\w+)=`).FindAllStringSubmatch(parts, -1) {
		setInParts = append(setInParts, found[1])
	}
	same(t, "variables that goreleaser sets", variables, set)
	same(t, "variables that release-parts.sh sets", variables, setInParts)
	if !strings.Contains(parts, "build="+in+"\n") {
		t.Errorf("release-parts.sh does not set variables of %s", in)
	}
	flags := regexp.MustCompile(`(?m)^flags=\((.*) -ldflags "(-s -w) `).FindStringSubmatch(parts)
	env := regexp.MustCompile(`(?m)^export (CGO_ENABLED=.*)$`).FindStringSubmatch(parts)
	if flags == nil || env == nil {
		t.Fatal("release-parts.sh sets no flags or no variables")
	}
	same(t, "flags of release-parts.sh", build.Flags, strings.Fields(flags[1]))
	if build.LDFlags[0] != flags[2] {
		t.Errorf("goreleaser links with %s and release-parts.sh with %s", build.LDFlags[0], flags[2])
	}
	variables = nil
	for _, variable := range strings.Fields(env[1]) {
		switch name, value, _ := strings.Cut(variable, "="); name {
		case "GOAMD64", "GOARM64": // in the names of goreleaser's targets
			if level := strings.ToLower(strings.TrimPrefix(name, "GO")) + "_" + value; !strings.Contains(strings.Join(build.Targets, " "), level) {
				t.Errorf("goreleaser builds for %v and release-parts.sh for %s", build.Targets, level)
			}
		case "SOURCE_DATE_EPOCH": // for package, and not for Go
		default:
			variables = append(variables, name+"="+strings.Trim(value, "'"))
		}
	}
	same(t, "variables of release-parts.sh", build.Env, variables)
}

func TestEveryModuleIsTestedAndTagged(t *testing.T) {
	var used []string
	for line := range strings.Lines(read(t, "go.work")) {
		if folder, ok := strings.CutPrefix(strings.TrimSpace(line), "./"); ok {
			used = append(used, folder)
		}
	}
	same(t, "modules of the Makefile", used, listed(t, "MODULES"))
	tested := regexp.MustCompile(`(?m)^for module in (.*); do$`).FindStringSubmatch(read(t, "scripts/test.sh"))
	if tested == nil {
		t.Fatal("scripts/test.sh has no list of modules")
	}
	same(t, "modules of scripts/test.sh", used, strings.Fields(tested[1]))
}

func TestTheWorkflowRunsWhatIsPinnedWithFewRights(t *testing.T) {
	text := read(t, ".github/workflows/release.yml")
	uses := regexp.MustCompile(`uses: (\S+)(.*)`).FindAllStringSubmatch(text, -1)
	if len(uses) == 0 {
		t.Error("it uses no action")
	}
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	for _, use := range uses {
		if !pinned.MatchString(use[1]) || !strings.HasPrefix(use[2], " # v") {
			t.Errorf("%s is not pinned to a commit, with its version beside it", use[1])
		}
	}
	var workflow struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			Needs       string            `yaml:"needs"`
			Permissions map[string]string `yaml:"permissions"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	if len(workflow.Permissions) != 0 {
		t.Errorf("every job has the rights %v", workflow.Permissions)
	}
	if diff := cmp.Diff(map[string]string{"contents": "read"}, workflow.Jobs["test"].Permissions); diff != "" {
		t.Error(diff)
	}
	release := workflow.Jobs["release"]
	if diff := cmp.Diff(map[string]string{"contents": "write", "id-token": "write", "attestations": "write"}, release.Permissions); diff != "" || release.Needs != "test" {
		t.Errorf("it needs %q: %s", release.Needs, diff)
	}
}
