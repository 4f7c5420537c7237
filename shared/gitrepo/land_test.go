package gitrepo

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAPatchAppliedToTheProjectGivesTheWorktreesFiles(t *testing.T) {
	t.Parallel()
	for name, index := range map[string]bool{"files only": false, "staged as well": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := newProject(t)
			r := open(t, project)
			wt := add(t, r, "w")
			if patch, err := r.Patch(t.Context(), wt); err != nil || patch != "" {
				t.Fatalf("patch of nothing: %q, %v", patch, err)
			}
			work(t, wt.Path)
			patch, err := r.Patch(t.Context(), wt)
			if err != nil {
				t.Fatal(err)
			}
			write(t, project, "unrelated", "mine")
			if err := Apply(t.Context(), project, patch, ApplySpec{Check: true}); err != nil || exists(filepath.Join(project, "big")) {
				t.Fatalf("checking changed something, or %v", err)
			}
			if err := Apply(t.Context(), project, patch, ApplySpec{Index: index}); err != nil {
				t.Fatal(err)
			}
			if staged := git(t, project, "diff", "--cached", "--name-only") != ""; staged != index {
				t.Errorf("staged %v, want %v", staged, index)
			}
			remove(t, filepath.Join(project, "unrelated"))
			if got, want := treeOf(t, project), treeOf(t, wt.Path); got != want {
				t.Errorf("tree %s, want %s", got, want)
			}
		})
	}
}

func TestApplyRefusesRatherThanMixing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, project string)
		says  string
	}{
		"a changed file":                {func(t *testing.T, p string) { write(t, p, "afile", "mine") }, "afile"},
		"a file in the way":             {func(t *testing.T, p string) { write(t, p, "committed", "mine") }, "committed"},
		"a file renamed here and there": {func(t *testing.T, p string) { git(t, p, "mv", "old name", "else") }, "old name"},
		"another commit":                {func(t *testing.T, p string) { commitFile(t, p, "staged", "other\n") }, "staged"},
		"a directory in the way":        {func(t *testing.T, p string) { write(t, p, "committed/x", "mine") }, "committed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := newProject(t)
			r := open(t, project)
			wt := add(t, r, "w")
			work(t, wt.Path)
			patch, err := r.Patch(t.Context(), wt)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(t, project)
			before := treeOf(t, project)
			wantCode(t, Apply(t.Context(), project, patch, ApplySpec{}), wire.Conflict, c.says)
			if after := treeOf(t, project); after != before {
				t.Error("something was applied")
			}
		})
	}
	wantCode(t, Apply(t.Context(), newProject(t), "no patch at all", ApplySpec{}), wire.Invalid)
}

func TestApplyPutsFilesBackWhenWritingFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a/b", "old\n")
	if err := os.Symlink("a/b", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	m, err := remember(dir, []string{"a/b", "l", "new/er/file"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.forget()
	remove(t, filepath.Join(dir, "a"))
	remove(t, filepath.Join(dir, "l"))
	write(t, dir, "l", "a file now")
	write(t, dir, "new/er/file", "n")
	if err := m.restore(); err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink(filepath.Join(dir, "l"))
	if read(t, filepath.Join(dir, "a", "b")) != "old\n" || link != "a/b" || err != nil || exists(filepath.Join(dir, "new")) {
		t.Errorf("not as it was: link %q, %v", link, err)
	}
}

func TestUncommittedWorkIsCarriedIntoAWorktree(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	work(t, project)
	r := open(t, project)
	index := read(t, filepath.Join(r.CommonDir(), "index"))
	wt := add(t, r, "w")
	skipped, err := r.CarryUncommitted(t.Context(), wt)
	if err != nil || len(skipped) > 0 {
		t.Fatal(skipped, err)
	}
	if got, want := treeOf(t, wt.Path), treeOf(t, project); got != want {
		t.Errorf("tree %s, want %s", got, want)
	}
	if exists(filepath.Join(wt.Path, "x.ignored")) {
		t.Error("an ignored file was carried")
	}
	if read(t, filepath.Join(r.CommonDir(), "index")) != index {
		t.Error("the project's index changed")
	}
}

func TestOnlyWantedIgnoredFilesAreCopied(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	for _, name := range []string{"env.ignored", "deep/env.ignored", "other.ignored", "there.ignored", "node_modules/x", "untracked"} {
		write(t, project, name, "project's "+name)
	}
	if err := os.Chmod(filepath.Join(project, "env.ignored"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(project, "link.ignored")); err != nil {
		t.Fatal(err)
	}
	write(t, project, IncludeFile, "env.*\nthere.ignored\nlink.ignored\nuntracked\n")
	r := open(t, project)
	wt := add(t, r, "w")
	write(t, wt.Path, "there.ignored", "mine")
	copied, err := r.CopyIgnored(t.Context(), wt.Path, []string{"/node_modules/"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"deep/env.ignored", "env.ignored", "node_modules/x"}, copied); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(wt.Path, "env.ignored"))
	if err != nil || info.Mode().Perm() != 0o640 || read(t, filepath.Join(wt.Path, "there.ignored")) != "mine" {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAPathInsideTheProjectIsExcludedOnce(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	dir := filepath.Join(project, ".work [tree]", "x y")
	for range 2 {
		if err := r.ExcludePath(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "f", "f")
	if got := git(t, project, "status", "--porcelain"); got != "" {
		t.Errorf("still seen: %s", got)
	}
	file := filepath.Join(r.CommonDir(), "info", "exclude")
	if n := strings.Count(read(t, file), "x\\ y/"); n != 1 {
		t.Errorf("%d lines in:\n%s", n, read(t, file))
	}
	before := read(t, file)
	if err := r.ExcludePath(t.Context(), t.TempDir()); err != nil || read(t, file) != before {
		t.Errorf("a directory elsewhere was excluded, or %v", err)
	}
}

func TestPushSendsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	_, err := r.Push(t.Context(), wt, PushSpec{})
	wantCode(t, err, wire.Invalid, "no remote")
	remote := filepath.Join(t.TempDir(), "remote.git")
	git(t, project, "clone", "-q", "--bare", ".", remote)
	git(t, project, "remote", "add", "fork", remote)

	write(t, wt.Path, "done", "d")
	write(t, wt.Path, "x.ignored", "secret")
	oid, err := r.Commit(t.Context(), wt, "by the agent\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := git(t, wt.Path, "show", "--name-only", "--format=%s", oid); got != "by the agent\n\ndone" {
		t.Errorf("committed %q", got)
	}
	if again, err := r.Commit(t.Context(), wt, "nothing"); err != nil || again != oid {
		t.Errorf("committing nothing made %s, %v", again, err)
	}
	got, err := r.Push(t.Context(), wt, PushSpec{})
	if err != nil {
		t.Fatal(err)
	}
	want := PushResult{Branch: wt.Branch, Remote: "fork", RemoteURL: remote, Commit: oid}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if tip := git(t, remote, "rev-parse", wt.ref()); tip != oid {
		t.Errorf("the remote has %s, want %s", tip, oid)
	}
	git(t, wt.Path, "commit", "-q", "--amend", "-m", "amended")
	_, err = r.Push(t.Context(), wt, PushSpec{})
	wantCode(t, err, wire.Conflict, "other commits")
	if _, err := r.Push(t.Context(), wt, PushSpec{Force: true}); err != nil {
		t.Error(err)
	}
	if branch, err := r.DefaultBranch(t.Context(), "fork"); err != nil || branch != "main" {
		t.Errorf("default branch %q, %v", branch, err)
	}
	_, err = r.Push(t.Context(), wt, PushSpec{Remote: "--upload-pack=x"})
	wantCode(t, err, wire.Invalid)
	git(t, project, "remote", "set-url", "fork", filepath.Join(t.TempDir(), "nothing"))
	_, err = r.Push(t.Context(), wt, PushSpec{})
	wantCode(t, err, wire.Unavailable)
}

func TestSecretsInAddressesAreNotShown(t *testing.T) {
	t.Parallel()
	if got := stripped("https://user:tok@github.com/o/r.git"); got != "https://github.com/o/r.git" {
		t.Error(got)
	}
	if got := complaint("fatal: unable to access 'https://user:tok@host/x': no\n"); strings.Contains(got, "tok") {
		t.Error(got)
	}
}

func TestCompareURLIsThePageOfTheHost(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"https://github.com/o/r.git":       "https://github.com/o/r/compare/main...a/b?expand=1",
		"git@github.com:o/r.git":           "https://github.com/o/r/compare/main...a/b?expand=1",
		"ssh://git@github.com:22/o/r":      "https://github.com/o/r/compare/main...a/b?expand=1",
		"https://x:y@gitlab.com/g/s/r.git": "https://gitlab.com/g/s/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=a%2Fb&merge_request%5Btarget_branch%5D=main",
		"git@bitbucket.org:o/r.git":        "https://bitbucket.org/o/r/pull-requests/new?dest=main&source=a%2Fb",
		"/srv/git/r.git":                   "",
		"file:///srv/git/r.git":            "",
		`C:\repos\r.git`:                   "",
		"https://example.org/o/r.git":      "",
		"https://github.com/":              "",
	} {
		if got := CompareURL(remote, "main", "a/b"); got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
}

func TestAPullRequestIsOpenedOnce(t *testing.T) {
	t.Parallel()
	const token = "s3cret"
	made := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"Bad credentials ` + strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ") + `"}`))
			return
		}
		switch {
		case req.URL.Path != "/repos/o/r/pulls":
			w.WriteHeader(http.StatusNotFound)
		case req.Method == http.MethodGet && req.URL.Query().Get("head") == "o:codebolt/w":
			_, _ = w.Write([]byte(`[{"html_url":"https://x/7","number":7}]`))
		case req.Method == http.MethodGet:
			_, _ = w.Write([]byte(`[]`))
		case made:
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"message":"Validation Failed","errors":[{"message":"A pull request already exists for o:codebolt/w."}]}`))
		default:
			var body map[string]string
			if err := json.NewDecoder(req.Body).Decode(&body); err != nil || body["head"] != "codebolt/w" || body["base"] != "main" || body["title"] != "T" {
				t.Errorf("body %v, %v", body, err)
			}
			made = true
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"html_url":"https://x/7","number":7}`))
		}
	}))
	defer server.Close()
	spec := PRSpec{APIURL: server.URL, Token: token, Owner: "o", Repo: "r", Head: "codebolt/w", Base: "main", Title: "T", Body: "B"}
	for range 2 {
		if page, number, err := OpenPullRequest(t.Context(), spec); err != nil || page != "https://x/7" || number != 7 {
			t.Errorf("%s %d %v", page, number, err)
		}
	}
	other := spec
	other.Head = "nothing-new"
	_, _, err := OpenPullRequest(t.Context(), other)
	wantCode(t, err, wire.Invalid, "already exists")
	bad := spec
	bad.Token = "wr0ng"
	_, _, err = OpenPullRequest(t.Context(), bad)
	wantCode(t, err, wire.Permission)
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "wr0ng") {
			t.Errorf("the token is in %q", e)
		}
	}
	gone := spec
	gone.Repo = "none"
	_, _, err = OpenPullRequest(t.Context(), gone)
	wantCode(t, err, wire.NotFound)
}
