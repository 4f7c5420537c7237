package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const version = "v1.2.3"

// git runs git in this repository.
func git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", args...).Output()
	if err != nil {
		t.Fatalf("git %q: %v", args, err)
	}
	return strings.TrimRight(string(out), "\n\x00")
}

// copied is a copy of this repository as it would be committed now.
func copied(t *testing.T) string {
	t.Helper()
	root, into := git(t, "rev-parse", "--show-toplevel"), t.TempDir()
	for name := range strings.SplitSeq(git(t, "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"), "\x00") {
		from, to := filepath.Join(root, name), filepath.Join(into, name)
		text, err := os.ReadFile(from)
		if os.IsNotExist(err) {
			continue // removed, and not yet from the index
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return into
}

func TestVersionsAreSetInEveryModule(t *testing.T) {
	dir := copied(t)
	if err := run(dir, []string{"check", version}, nil); err == nil || !strings.Contains(err.Error(), "cmd/go.mod requires "+ours+"shared@") {
		t.Errorf("check before: %v", err)
	}
	var changed bytes.Buffer
	if err := run(filepath.Join(dir, "cmd"), []string{"set", version}, &changed); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(changed.String(), "providers/gitworktree/go.mod\n") || strings.Contains(changed.String(), "shared/go.mod") {
		t.Errorf("it says it changed %s", &changed)
	}
	if err := run(dir, []string{"check", version}, nil); err != nil {
		t.Errorf("check after: %v", err)
	}
	changed.Reset()
	if err := run(dir, []string{"set", version}, &changed); err != nil || changed.Len() > 0 {
		t.Errorf("set again: %v, %s", err, &changed)
	}
	// What is built here is still built from here.
	text, err := os.ReadFile(filepath.Join(dir, "providers", "gitworktree", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\t" + ours + "conformance v1.2.3\n", "replace " + ours + "shared => ../../shared\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("go.mod lacks %q:\n%s", want, text)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "mod", "tidy", "-diff")
	cmd.Dir, cmd.Env = filepath.Join(dir, "providers", "gitworktree"), append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go mod tidy: %v: %s", err, out)
	}
}

func TestTheTagsAreThoseThatGoLooksFor(t *testing.T) {
	var got bytes.Buffer
	if err := run(".", []string{"tags", version}, &got); err != nil {
		t.Fatal(err)
	}
	want := "v1.2.3\ncmd/v1.2.3\nconformance/v1.2.3\nmanifests/v1.2.3\nproviders/docker/v1.2.3\nproviders/gitworktree/v1.2.3\n" +
		"providers/local/v1.2.3\nproviders/remoteserver/v1.2.3\nshared/v1.2.3\n"
	if got.String() != want {
		t.Errorf("the tags are\n%sand not\n%s", &got, want)
	}
}

func TestWhatIsNoVersionOfTheseModulesIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"set"},
		{"set", "1.2.3"},
		{"set", "v1.2"},
		{"set", "v1.2.3+meta"},
		{"set", "latest"},
		{"set", "v2.0.0"},
		{"check", "v2.0.0"},
		{"publish", version},
		{"tags", version, "more"},
	} {
		if err := run(copiedModules(t), args, new(bytes.Buffer)); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// copiedModules is a workspace of one module.
func copiedModules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.work": "go 1.26.0\n\nuse ./shared\n", "shared/go.mod": "module " + ours + "shared\n"} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// proxy makes a module proxy of files that has the modules of a checkout.
func proxy(t *testing.T, dir string) string {
	t.Helper()
	root, folders, err := workspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	for _, folder := range folders {
		if folder == unreleased {
			continue
		}
		is := module.Version{Path: ours + folder, Version: version}
		at := filepath.Join(into, filepath.FromSlash(is.Path), "@v")
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		packed, err := os.Create(filepath.Join(at, version+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		licence, err := os.ReadFile(filepath.Join(root, "LICENSE")) // as Go does when it makes a module of a folder without one
		if err == nil {
			err = os.WriteFile(filepath.Join(root, filepath.FromSlash(folder), "LICENSE"), licence, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := zip.CreateFromDir(packed, is, filepath.Join(root, filepath.FromSlash(folder))); err != nil {
			t.Fatalf("%s cannot be a module: %v", folder, err)
		}
		if err := packed.Close(); err != nil {
			t.Fatal(err)
		}
		mod, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(folder), "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{"list": []byte(version + "\n"), version + ".mod": mod, version + ".info": info} {
			if err := os.WriteFile(filepath.Join(at, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return into
}

const outside = `package main

import (
	"fmt"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/provider"
)

func main() {
	var _ = provider.Definition{}
	fmt.Println(build.Get().Version != "", suite.Check{}.ID == "")
}
`

func TestAModuleElsewhereRequiresAReleaseOfThese(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles much")
	}
	released := copied(t)
	if err := run(released, []string{"set", version}, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	served := proxy(t, released)

	// What was fetched for this repository is fetched from there; the made versions do
	// not come into the cache of this machine.
	cache := t.TempDir()
	var known []string
	for _, name := range []string{"GOMODCACHE", "GOPROXY"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, strings.TrimSpace(string(out)))
	}
	sources := "file://" + filepath.ToSlash(served) + ",file://" + filepath.ToSlash(filepath.Join(known[0], "cache", "download")) + "," + known[1]
	dir := t.TempDir()
	run := func(argv ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GOMODCACHE="+cache, "GOPROXY="+sources, "GONOSUMDB="+ours+"*", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
		return string(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(outside), 0o644); err != nil {
		t.Fatal(err)
	}
	run("go", "mod", "init", "example.com/outside")
	run("go", "get", ours+"shared@"+version, ours+"conformance@"+version, ours+"cmd/codebolt-providers@"+version)
	if got := run("go", "run", "."); got != "true true\n" {
		t.Errorf("the program says %q", got)
	}
	program := filepath.Join(t.TempDir(), "program.exe")
	run("go", "build", "-ldflags", "-X "+ours+"shared/build.version=1.2.3", "-o", program, ours+"cmd/codebolt-providers")
	if got := run(program, "version"); !strings.HasPrefix(got, "codebolt-providers 1.2.3") {
		t.Errorf("the program says %q", got)
	}
	listed := run("go", "version", "-m", program)
	for _, folder := range []string{"shared", "manifests", "conformance", "cmd"} {
		if !strings.Contains(listed, "\t"+ours+folder+"\t"+version) {
			t.Errorf("on %s it is not made of %s at %s:\n%s", runtime.GOOS, folder, version, listed)
		}
	}

	// Nor does a provider that begins with one of these need more than that version.
	dir = t.TempDir()
	if got := run(program, "new", "mine", "--from", "local", "--json"); !strings.Contains(got, `"version":"v1.2.3"`) || strings.Contains(got, "checkout") {
		t.Errorf("new says %s", got)
	}
	dir = filepath.Join(dir, "mine")
	run("go", "build", "-o", filepath.Join(dir, "bin", "mine"), ".")
	if got := run(filepath.Join(dir, "bin", "mine"), "--version"); !strings.HasPrefix(got, "mine ") {
		t.Errorf("the new provider says %q", got)
	}
}
