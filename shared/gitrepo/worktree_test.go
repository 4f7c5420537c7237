package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("GITREPO_TEST_ADDER"); dir != "" {
		addForEver(dir)
	}
	os.Exit(m.Run())
}

// addForEver is a process that makes one worktree after another until it is
// killed.
func addForEver(dir string) {
	ctx := context.Background()
	r, err := Open(ctx, dir, Options{})
	if err != nil {
		panic(err)
	}
	base, err := r.Resolve(ctx, "HEAD")
	if err != nil {
		panic(err)
	}
	wt := Worktree{CommonDir: r.CommonDir(), Path: dir + "-wt", Branch: "codebolt/killed", BaseOID: base, CreatedBranch: true, Reason: "codebolt killed"}
	fmt.Println("ready")
	for {
		if err := r.Add(ctx, AddSpec{Worktree: wt}); err != nil {
			panic(err)
		}
		if err := r.Discard(ctx, wt); err != nil {
			panic(err)
		}
	}
}

// wantCode fails the test unless err is of a kind and says something.
func wantCode(t *testing.T, err error, code wire.Code, says ...string) {
	t.Helper()
	if wire.CodeOf(err) != code {
		t.Fatalf("error %v is of kind %q, want %q", err, wire.CodeOf(err), code)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

// pristine fails the test unless the repository has no trace of worktrees or
// branches of ours.
func pristine(t *testing.T, r *Repo, wts ...Worktree) {
	t.Helper()
	for _, wt := range wts {
		if _, err := os.Lstat(wt.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", wt.Path)
		}
		if _, err := os.Lstat(filepath.Join(filepath.Dir(wt.Path), TrashName)); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the trash is still there")
		}
	}
	for _, name := range []string{"worktrees", "codebolt", "codebolt.lock"} {
		if _, err := os.Lstat(filepath.Join(r.CommonDir(), name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still in the repository", name)
		}
	}
	if got := git(t, r.CommonDir(), "for-each-ref", "--format=%(refname)", "refs/heads/codebolt", "refs/codebolt"); got != "" {
		t.Errorf("refs left: %s", got)
	}
	locks, err := filepath.Glob(filepath.Join(r.CommonDir(), "*.lock"))
	if err != nil || len(locks) > 0 {
		t.Errorf("locks left: %v %v", locks, err)
	}
}

func TestOpenFindsTheRepositoryOfADirectory(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	write(t, project, "deep/er/x", "x")
	bare := filepath.Join(t.TempDir(), "bare.git")
	git(t, project, "clone", "-q", "--bare", ".", bare)
	linked := filepath.Join(t.TempDir(), "linked")
	git(t, project, "worktree", "add", "-q", "--detach", linked)
	common := resolved(filepath.Join(project, ".git"))
	for name, c := range map[string]struct{ dir, common, top string }{
		"the top":             {project, common, resolved(project)},
		"a subdirectory":      {filepath.Join(project, "deep", "er"), common, resolved(project)},
		"a linked worktree":   {linked, common, resolved(linked)},
		"a bare repository":   {bare, resolved(bare), ""},
		"the .git directory":  {filepath.Join(project, ".git"), common, ""},
		"a worktree's gitdir": {filepath.Join(project, ".git", "worktrees", "linked"), common, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, c.dir)
			if resolved(r.CommonDir()) != c.common || r.Top() != c.top {
				t.Errorf("common %s, top %s; want %s, %s", r.CommonDir(), r.Top(), c.common, c.top)
			}
		})
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), t.TempDir(), Options{})
	wantCode(t, err, wire.Invalid, "is not in a git repository; run git init there first")
	_, err = Open(t.Context(), filepath.Join(t.TempDir(), "nothing"), Options{})
	wantCode(t, err, wire.NotFound)
}

func TestOpenWithoutAUsableGitSaysSo(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	_, err := Open(t.Context(), bin, Options{})
	wantCode(t, err, wire.Unavailable, "git program is not installed")
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\necho git version 2.30.1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), bin, Options{})
	wantCode(t, err, wire.Unavailable, "2.30 is too old")
}

func TestInheritedGitVariablesLeadNowhere(t *testing.T) {
	project, other := newProject(t), newProject(t)
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_WORK_TREE", other)
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, "index"))
	if r := open(t, project); r.Top() != resolved(project) {
		t.Errorf("opened %s, want %s", r.Top(), project)
	}
}

func TestResolveRefusesWhatIsNoRevision(t *testing.T) {
	t.Parallel()
	r := open(t, newProject(t))
	for rev, code := range map[string]wire.Code{"-n1": wire.Invalid, "": wire.Invalid, "nowhere": wire.NotFound, "HEAD:afile": wire.NotFound} {
		_, err := r.Resolve(t.Context(), rev)
		wantCode(t, err, code)
	}
	unborn := t.TempDir()
	git(t, unborn, "init", "-q")
	_, err := open(t, unborn).Resolve(t.Context(), "HEAD")
	wantCode(t, err, wire.Invalid, "no commit yet; make a first commit")
}

func TestBranchNamesAreThoseGitAllows(t *testing.T) {
	t.Parallel()
	r := open(t, newProject(t))
	for name, ok := range map[string]bool{"codebolt/a-1": true, "ü": true, "$(touch x)": false, "-f": false, "a b": false, "a..b": false, "x.lock": false, "": false, "@{-1}": false} {
		if err := r.CheckBranchName(t.Context(), name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAddMakesALockedWorktreeOnItsBranch(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	hook := filepath.Join(project, ".git", "hooks", "post-checkout")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\ntouch ran\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := open(t, project)
	wt := add(t, r, "w")
	all, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{Path: resolved(project), HEAD: wt.BaseOID, Branch: "main", Main: true},
		{Path: resolved(wt.Path), HEAD: wt.BaseOID, Branch: wt.Branch, Locked: true, Reason: wt.Reason},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if out := git(t, wt.Path, "status", "--porcelain", "--ignored"); out != "" {
		t.Errorf("the new worktree is not clean:\n%s", out)
	}
	orphans, err := r.Orphans(t.Context(), "codebolt", func(e Entry) bool { return false })
	if err != nil || len(orphans) != 1 || orphans[0].Path != resolved(wt.Path) {
		t.Errorf("orphans %v, %v", orphans, err)
	}
	if err := r.Discard(t.Context(), wt); err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(t.Context(), wt); err != nil {
		t.Errorf("the second time: %v", err)
	}
	pristine(t, r, wt)
}

func TestAddRefusesWhatIsTakenAndDiscardLeavesItAlone(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	for name, c := range map[string]struct {
		code  wire.Code
		says  string
		spoil func(t *testing.T, spec *AddSpec)
	}{
		"a branch of that name": {wire.Exists, "exists already", func(t *testing.T, spec *AddSpec) {
			git(t, project, "branch", spec.Branch)
		}},
		"a branch checked out elsewhere": {wire.Conflict, resolved(project), func(t *testing.T, spec *AddSpec) {
			spec.Branch, spec.CreatedBranch, spec.ExistingBranch = "main", false, true
		}},
		"an existing branch that is not there": {wire.NotFound, "", func(t *testing.T, spec *AddSpec) {
			spec.CreatedBranch, spec.ExistingBranch = false, true
		}},
		"a directory with files": {wire.Exists, "already exists", func(t *testing.T, spec *AddSpec) {
			write(t, spec.Path, "precious", "mine")
		}},
		"a name that is none": {wire.Invalid, "", func(t *testing.T, spec *AddSpec) { spec.Branch = "a b" }},
		"a base that is none": {wire.Invalid, "", func(t *testing.T, spec *AddSpec) { spec.BaseOID = "HEAD" }},
		"a base that is gone": {wire.NotFound, "", func(t *testing.T, spec *AddSpec) { spec.BaseOID = strings.Repeat("12", 20) }},
	} {
		t.Run(name, func(t *testing.T) {
			spec := AddSpec{Worktree: plan(t, r, "taken-"+fingerprint(name))}
			c.spoil(t, &spec)
			before := git(t, project, "for-each-ref")
			err := r.Add(t.Context(), spec)
			wantCode(t, err, c.code, c.says)
			derr := r.Discard(t.Context(), spec.Worktree)
			if name == "a directory with files" {
				wantCode(t, derr, wire.Conflict)
				if read(t, filepath.Join(spec.Path, "precious")) != "mine" {
					t.Error("the file is gone")
				}
			} else if derr != nil {
				t.Error(derr)
			}
			if after := git(t, project, "for-each-ref"); after != before {
				t.Errorf("refs before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestTwentyWorktreesAtOnce(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wts := make([]Worktree, 20)
	for i := range wts {
		wts[i] = plan(t, r, fmt.Sprintf("w%d", i))
	}
	var wg sync.WaitGroup
	for i := range wts {
		wg.Go(func() {
			if err := r.Add(t.Context(), AddSpec{Worktree: wts[i]}); err != nil {
				t.Errorf("%s: %v", wts[i].Branch, err)
			}
		})
	}
	wg.Wait()
	all, err := r.List(t.Context())
	if err != nil || len(all) != 21 {
		t.Fatalf("%d entries, %v; want 21", len(all), err)
	}
	for _, wt := range wts {
		if got := git(t, wt.Path, "status", "--porcelain"); got != "" {
			t.Errorf("%s: %s", wt.Path, got)
		}
		wg.Go(func() {
			if err := r.Discard(t.Context(), wt); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pristine(t, r, wts...)
}

func TestAddCancelledAtAnyMomentIsTakenBack(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	for i := range 300 {
		write(t, project, fmt.Sprintf("many/%d", i), strings.Repeat("x", 2000))
	}
	git(t, project, "add", "-A")
	git(t, project, "commit", "-q", "-m", "many")
	r := open(t, project)
	wt := plan(t, r, "w")
	rng := rand.New(rand.NewPCG(3, 4))
	cancelled := 0
	for range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(30000))*time.Microsecond)
		if err := r.Add(ctx, AddSpec{Worktree: wt}); err != nil {
			cancelled++
			if code := wire.CodeOf(err); code != wire.Timeout && code != wire.Conflict {
				t.Errorf("kind %s: %v", code, err)
			}
		}
		cancel()
		if err := r.Discard(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
		pristine(t, r, wt)
		if t.Failed() {
			return
		}
	}
	if cancelled == 0 {
		t.Error("no Add was cancelled")
	}
}

func TestAProcessKilledAtAnyMomentLeavesWhatDiscardTakesBack(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := plan(t, r, "w")
	wt.Path, wt.Branch, wt.Reason = project+"-wt", "codebolt/killed", "codebolt killed"
	rng := rand.New(rand.NewPCG(5, 6))
	for range 25 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "GITREPO_TEST_ADDER="+project)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(rng.IntN(60000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if err := r.Discard(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
		// The lock file of the killed holder is taken over and removed.
		if err := r.Add(t.Context(), AddSpec{Worktree: wt}); err != nil {
			t.Fatal(err)
		}
		if err := r.Discard(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(r.CommonDir(), "codebolt", "trash"))
	if err == nil && len(left) > 0 {
		t.Logf("in the trash: %v", left)
	}
	if got := git(t, project, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
		t.Errorf("refs left: %s", got)
	}
	if all, err := r.entries(); err != nil || len(all) > 0 {
		t.Errorf("entries left: %v %v", all, err)
	}
}

func TestDiscardTakesBackEveryHalfMadeState(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(t *testing.T, r *Repo, wt Worktree){
		"a directory without entry": func(t *testing.T, r *Repo, wt Worktree) { remove(t, filepath.Join(r.CommonDir(), "worktrees")) },
		"an entry without directory": func(t *testing.T, r *Repo, wt Worktree) {
			remove(t, wt.Path)
		},
		"an empty directory": func(t *testing.T, r *Repo, wt Worktree) {
			remove(t, wt.Path)
			if err := os.Mkdir(wt.Path, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"a branch only": func(t *testing.T, r *Repo, wt Worktree) {
			remove(t, wt.Path)
			remove(t, filepath.Join(r.CommonDir(), "worktrees"))
		},
		"an entry that only says why it is locked": func(t *testing.T, r *Repo, wt Worktree) {
			remove(t, wt.Path)
			for _, f := range []string{"gitdir", "HEAD", "index", "commondir"} {
				remove(t, filepath.Join(r.CommonDir(), "worktrees", "w", f))
			}
		},
		"an empty entry": func(t *testing.T, r *Repo, wt Worktree) {
			remove(t, wt.Path)
			remove(t, filepath.Join(r.CommonDir(), "worktrees", "w"))
			if err := os.MkdirAll(filepath.Join(r.CommonDir(), "worktrees", "w"), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"lock files of killed gits": func(t *testing.T, r *Repo, wt Worktree) {
			for _, f := range []string{"worktrees/w/index.lock", "worktrees/w/HEAD.lock", "refs/heads/codebolt/w.lock"} {
				write(t, r.CommonDir(), f, "")
				if err := os.Chtimes(filepath.Join(r.CommonDir(), filepath.FromSlash(f)), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, newProject(t))
			wt := add(t, r, "w")
			breakIt(t, r, wt)
			if err := r.Discard(t.Context(), wt); err != nil {
				t.Fatal(err)
			}
			pristine(t, r, wt)
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestDiscardKeepsABranchThatMovedAndForeignDirectories(t *testing.T) {
	t.Parallel()
	r := open(t, newProject(t))
	wt := add(t, r, "w")
	git(t, wt.Path, "commit", "-q", "--allow-empty", "-m", "work")
	tip := git(t, wt.Path, "rev-parse", "HEAD")
	if err := r.Discard(t.Context(), wt); err != nil {
		t.Fatal(err)
	}
	if got := git(t, r.CommonDir(), "rev-parse", wt.ref()); got != tip {
		t.Errorf("the branch is at %s, want %s", got, tip)
	}
	other := open(t, newProject(t))
	foreign := add(t, other, "f")
	claimed := plan(t, r, "claimed")
	claimed.Path = foreign.Path
	wantCode(t, r.Discard(t.Context(), claimed), wire.Conflict, "not a worktree of")
	if got := git(t, foreign.Path, "status", "--porcelain"); got != "" {
		t.Error(got)
	}
	main := plan(t, r, "main")
	main.Path = r.Top()
	wantCode(t, r.Discard(t.Context(), main), wire.Conflict)
}

func TestAttachMendsWhatItCan(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	t.Run("nothing is wrong", func(t *testing.T) {
		wt := add(t, r, "fine")
		if err := r.Attach(t.Context(), wt); err != nil {
			t.Error(err)
		}
	})
	t.Run("the directory was moved", func(t *testing.T) {
		wt := add(t, r, "moved")
		write(t, wt.Path, "work", "w")
		to := wt.Path + " elsewhere"
		if err := os.Rename(wt.Path, to); err != nil {
			t.Fatal(err)
		}
		wt.Path = to
		if err := r.Attach(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
		all, err := r.List(t.Context())
		if err != nil || !slices.ContainsFunc(all, func(e Entry) bool { return e.Path == resolved(to) && !e.Prunable }) {
			t.Errorf("%v, %v", all, err)
		}
		if read(t, filepath.Join(to, "work")) != "w" {
			t.Error("work is gone")
		}
	})
	t.Run("the directory is gone", func(t *testing.T) {
		wt := add(t, r, "gone")
		write(t, wt.Path, "done", "d")
		git(t, wt.Path, "add", "-A")
		git(t, wt.Path, "commit", "-q", "-m", "done")
		git(t, wt.Path, "checkout", "-q", "--detach")
		git(t, wt.Path, "commit", "-q", "--allow-empty", "-m", "loose")
		loose := git(t, wt.Path, "rev-parse", "HEAD")
		remove(t, wt.Path)
		if err := r.Attach(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
		if read(t, filepath.Join(wt.Path, "done")) != "d" || git(t, wt.Path, "status", "--porcelain") != "" {
			t.Error("it is not as it was")
		}
		if got := git(t, project, "for-each-ref", "--format=%(objectname)", "refs/codebolt/kept"); got != loose {
			t.Errorf("kept %q, want %q", got, loose)
		}
	})
	t.Run("a killed git left its lock file", func(t *testing.T) {
		wt := add(t, r, "locked")
		lock := filepath.Join(git(t, wt.Path, "rev-parse", "--absolute-git-dir"), "index.lock")
		mains := filepath.Join(r.CommonDir(), "index.lock")
		for _, f := range []string{lock, mains} {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(f, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Attach(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
		if exists(lock) || !exists(mains) {
			t.Errorf("ours there: %v, the main checkout's there: %v", exists(lock), exists(mains))
		}
		remove(t, mains)
	})
	t.Run("the repository was moved", func(t *testing.T) {
		project := newProject(t)
		wt := add(t, open(t, project), "w")
		to := project + " elsewhere"
		if err := os.Rename(project, to); err != nil {
			t.Fatal(err)
		}
		r := open(t, to)
		wt.CommonDir = r.CommonDir()
		if err := r.Attach(t.Context(), wt); err != nil {
			t.Fatal(err)
		}
		if got := git(t, wt.Path, "status", "--porcelain"); got != "" {
			t.Error(got)
		}
	})
}

func TestAttachRefusesWhatIsNotTheWorktree(t *testing.T) {
	t.Parallel()
	r := open(t, newProject(t))
	foreign := add(t, open(t, newProject(t)), "foreign")
	plain := filepath.Join(t.TempDir(), "plain")
	write(t, plain, "x", "x")
	ours := add(t, r, "ours")
	copied := ours.Path + "-copy"
	if err := os.CopyFS(copied, os.DirFS(ours.Path)); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"another repository's": foreign.Path, "a plain directory": plain, "a copy": copied, "the main checkout": r.Top()} {
		wt := ours
		wt.Path = path
		if err := r.Attach(t.Context(), wt); wire.CodeOf(err) != wire.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := plan(t, r, "none")
	wantCode(t, r.Attach(t.Context(), none), wire.NotFound, "so is branch")
}

func TestCopiesOfTheIndexThatAKilledProcessLeftGoWithTheNextAttach(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r, err := Open(t.Context(), project, Options{})
	if err != nil {
		t.Fatal(err)
	}
	oid, err := r.Resolve(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	wt := Worktree{CommonDir: r.CommonDir(), Path: filepath.Join(t.TempDir(), "w"), Branch: "codebolt/w", BaseOID: oid, CreatedBranch: true, Reason: "test"}
	if err := r.Add(t.Context(), AddSpec{Worktree: wt}); err != nil {
		t.Fatal(err)
	}
	co, err := r.checkout(&wt)
	if err != nil {
		t.Fatal(err)
	}
	_, dir, err := co.tempIndex() // and the process is killed
	if err != nil || filepath.Dir(dir) != co.gitDir {
		t.Fatalf("the copy is in %s, %v", dir, err)
	}
	if err := r.Attach(t.Context(), wt); err != nil {
		t.Fatal(err)
	}
	if exists(dir) {
		t.Error("it is still there")
	}
	if status := git(t, wt.Path, "status", "--porcelain"); status != "" {
		t.Errorf("status: %s", status)
	}
}
