package provider_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnEnvironmentCannotBeInTheGitDirectoryOfARepository(t *testing.T) {
	project := t.TempDir()
	if err := os.Mkdir(filepath.Join(project, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(project, ".git"), link); err != nil {
		t.Skipf("no link can be made: %v", err)
	}
	for _, path := range []string{".git", ".git/x", ".GIT/x", "a/../.git/worktrees/x", filepath.Join(project, ".git", "x", "y"), link, filepath.Join(link, "absent", "x")} {
		for what, place := range map[string]provider.HostPath{
			"environmentPath": {Project: project, Requested: path},
			"base":            {Project: project, Base: path, Name: "name"},
		} {
			if got, _, err := place.Resolve(); wire.CodeOf(err) != wire.Invalid {
				t.Errorf("%s %s gives %q, %v, not an error of kind invalid", what, path, got, err)
			}
		}
	}
	for _, path := range []string{"x.git", ".github/x", "git/x"} {
		if _, inside, err := (provider.HostPath{Project: project, Requested: path}).Resolve(); err != nil || !inside {
			t.Errorf("environmentPath %s: inside %v, %v", path, inside, err)
		}
	}
}
