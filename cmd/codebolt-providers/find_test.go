package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

func TestAnInstalledProviderIsFoundBesideThoseOfThisProgram(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	// put installs the provider local under other names.
	put := func(base, folder, name, id string) (program string) {
		t.Helper()
		dir := filepath.Join(base, ".codebolt", "providers", folder)
		program = filepath.Join(dir, "bin", string(install.Here()), install.Here().Executable("codebolt-provider-local"))
		if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{manifest.ProviderFile, manifest.ProvidersFile} {
			text, err := os.ReadFile(filepath.Join("..", "..", "manifests", "local", file))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.NewReplacer("name: local\n", "name: "+name+"\n", "unique_id: codebolt-local\n", "unique_id: "+id+"\n").Replace(string(text))
			if err := os.WriteFile(filepath.Join(dir, file), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(program, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		return program
	}
	mine := put(project, "mine", "mine", "acme-mine")
	put(home, "mine", "mine", "acme-mine") // the project's is before it
	users := put(home, "users", "users", "acme-users")
	put(project, "copy", "copy", "codebolt-local") // comes with this program
	broken := filepath.Join(project, ".codebolt", "providers", "broken")
	if err := os.MkdirAll(broken, 0o755); err != nil {
		t.Fatal(err)
	}
	a := &app{project: project}

	for name, want := range map[string]string{"mine": mine, "acme-mine": mine, "users": users, "acme-users": users} {
		f, err := a.find(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := f.program(); err != nil || got != want {
			t.Errorf("the program of %s is %s (%v), and not %s", name, got, err, want)
		}
	}
	if f, err := a.find("codebolt-local"); err != nil || f.dir != "" {
		t.Errorf("codebolt-local: %+v (%v)", f, err)
	}
	if _, err := a.find("broken"); err == nil || !strings.Contains(err.Error(), broken) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("broken: %v", err)
	}
	if _, err := a.find("user"); err == nil || !strings.Contains(err.Error(), "did you mean users?") {
		t.Errorf("user: %v", err)
	}

	all, err := a.all()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range all[len(manifests.All()):] {
		names = append(names, f.UniqueID)
	}
	if !slices.Equal(names, []string{"acme-mine", "acme-users"}) {
		t.Errorf("besides those of this program there are %v", names)
	}
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	if f, err := a.find("mine"); err != nil {
		t.Error(err)
	} else if _, err := f.program(); err == nil || !strings.Contains(err.Error(), "mine has no program for "+string(install.Here())) {
		t.Errorf("without a program: %v", err)
	}
}
