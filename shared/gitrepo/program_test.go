package gitrepo

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestTheProgramRunsWithTheCallersEnvironmentAndBoundedOutput(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	p, err := Find(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + os.Getenv("PATH"), "SystemRoot=" + os.Getenv("SystemRoot"), "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=a@b", "GIT_DIR=/nowhere"}
	out, whole, err := p.Run(t.Context(), Command{Dir: project, Args: []string{"var", "GIT_COMMITTER_IDENT"}, Environ: environ})
	if err != nil || !whole || !strings.HasPrefix(string(out), "Ann <a@b>") {
		t.Errorf("%q, %t, %v", out, whole, err)
	}
	out, whole, err = p.Run(t.Context(), Command{Dir: project, Args: []string{"rev-parse", "HEAD"}, Limit: 7})
	if err != nil || whole || len(out) != 7 {
		t.Errorf("%q, %t, %v", out, whole, err)
	}
	_, _, err = p.Run(t.Context(), Command{Dir: t.TempDir(), Args: []string{"status"}})
	if status, text := Complaint(err); status != 128 || !strings.Contains(text, "not a git repository") || !errors.Is(err, wire.Invalid) {
		t.Errorf("%d, %q, %v", status, text, err)
	}
}
