package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// gitConfig is the ~/.gitconfig of the person whose projects these are.
const gitConfig = `[user]
	name = Conformance
	email = conformance@localhost
[init]
	defaultBranch = main
[gc]
	auto = 0
`

// ProjectFiles are the files of a project that [T.NewProject] makes, without the
// ones that git keeps out.
var ProjectFiles = map[string]string{
	".gitignore":       "*.log\nbuild/\n.env\n",
	"README.md":        "# A project\n\nIt has a few files.\n",
	"src/main.txt":     "first\nsecond\nthird\n",
	"src/lib/util.txt": "one\ntwo\n",
	"docs/guide.md":    "# Guide\n",
	"empty.txt":        "",
}

// project returns the folder that all projects are copies of.
func (r *runner) project() (string, error) {
	r.templateOnce.Do(func() {
		r.template = filepath.Join(r.dir, "template")
		r.templateErr = makeProject(r)
	})
	return r.template, r.templateErr
}

func makeProject(r *runner) error {
	for name, text := range ProjectFiles {
		path := filepath.Join(r.template, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	home := filepath.Join(r.dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(gitConfig), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--template="},
		{"add", "README.md", ".gitignore"},
		{"commit", "--quiet", "--message", "Begin"},
		{"add", "--all"},
		{"commit", "--quiet", "--message", "Add sources"},
	} {
		if out, err := git(r.ctx, home, r.template, args...); err != nil {
			return fmt.Errorf("make the project: %w\n%s", err, out)
		}
	}
	return nil
}

// Git runs git as the person whose projects these are and returns what it
// printed; a failure ends the check as an error of the suite.
func (t *T) Git(dir string, args ...string) string {
	out, err := git(t.ctx, filepath.Join(t.dir, "home"), dir, args...)
	if err != nil {
		t.Try(fmt.Errorf("%w\n%s", err, out))
	}
	return strings.TrimRight(out, "\n")
}

// TryGit is Git for a command that may fail.
func (t *T) TryGit(dir string, args ...string) (string, error) {
	return git(t.ctx, filepath.Join(t.dir, "home"), dir, args...)
}

func git(ctx context.Context, home, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GIT_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "GIT_CONFIG_NOSYSTEM=1", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return string(out), err
}
