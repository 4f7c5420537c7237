package review

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func requests() []suite.Check {
	const pullWhy = "The person is told that the work is up for review, and removes the environment."
	sending := []suite.Capability{"providerSendPR", suite.Disk, suite.Git}
	return []suite.Check{
		{
			ID: "DF-026", Level: suite.Must, Needs: []suite.Capability{"createPatchRequest", patchVerb, "providerWriteFile"},
			Title: "createPatchRequest is answered flat, with the same patch",
			Why:   "Servers find this answer by its type alone; in an envelope they do not see it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				write(e, "new.txt", "new\n")
				answer := e.Ask(suite.Message{"type": "createPatchRequest"})
				flat(t, answer, "createPatchRequestResponse")
				patch := patchOf(t, e)
				t.Equal("the patch", answer["message"], patch)
				if !strings.Contains(patch, "+new\n") {
					t.Errorf("the patch does not hold the work: %q", patch)
				}
			},
		},
		{
			ID: "DF-027", Level: suite.Must, Needs: sending, Why: pullWhy,
			Title: "A pull request pushes all the work, or says that some is not committed",
			Run: func(t *suite.T) {
				e, remote := offered(t)
				work(t, e)
				sent(t, e, remote, "providerSendPR")
			},
		},
		{
			ID: "DF-028", Level: suite.Must, Needs: slices.Concat(sending, []suite.Capability{"createPullRequestRequest"}), Why: pullWhy,
			Title: "createPullRequestRequest is answered flat, and pushes all the work",
			Run: func(t *suite.T) {
				e, remote := offered(t)
				put(t, e, "new.txt", "new\n")
				flat(t, sent(t, e, remote, "createPullRequestRequest"), "createPullRequestRequestResponse")
			},
		},
		{
			ID: "DF-029", Level: suite.Must, Needs: sending, Why: pullWhy,
			Title: "A second pull request pushes what was done since the first",
			Run: func(t *suite.T) {
				e, remote := offered(t)
				put(t, e, "first.txt", "first\n")
				sent(t, e, remote, "providerSendPR")
				put(t, e, "second.txt", "second\n")
				sent(t, e, remote, "providerSendPR")
			},
		},
		{
			ID: "DF-030", Level: suite.Must, Needs: sending, Why: pullWhy,
			Title: "Without a remote, and with one that is not there, a pull request is an error",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				put(t, e, "new.txt", "new\n")
				if checkedOut(t) {
					commit(t, e, "Work")
				}
				e.Refused(suite.Message{"type": "providerSendPR"})
				t.Git(e.Project, "remote", "add", "origin", filepath.Join(t.Dir("remotes"), "absent.git"))
				e.Refused(suite.Message{"type": "providerSendPR"})
				if data, err := os.ReadFile(e.Path("new.txt")); err != nil || string(data) != "new\n" {
					t.Errorf("the work is not in the workspace any more: %q, %v", data, err)
				}
			},
		},
		{
			ID: "DF-031", Level: suite.Must, Needs: slices.Concat(sending, []suite.Capability{diffVerb}), Why: pullWhy,
			Title: "After a pull request the diff is what it was",
			Run: func(t *suite.T) {
				e, remote := offered(t)
				work(t, e)
				before, _ := diffOf(t, e)
				sent(t, e, remote, "providerSendPR")
				after, _ := diffOf(t, e)
				t.Equal("files", after["files"], before["files"])
				t.Equal("rawDiff", after["rawDiff"], before["rawDiff"])
			},
		},
	}
}

// flat notes a failure unless an answer has the form without an envelope.
func flat(t *suite.T, answer suite.Message, typ string) {
	t.Equal("the answer's type", answer["type"], typ)
	if answer.Has("action") {
		t.Errorf("the answer has an envelope: %v", answer)
	}
	if problem := suite.Problem(answer); problem != "" {
		t.Fatalf("%s failed: %s", typ, problem)
	}
}

// offered opens an environment whose project has a remote.
func offered(t *suite.T) (e *suite.Env, remote string) {
	project := t.NewProject()
	remote = filepath.Join(t.Dir("remotes"), "origin.git")
	t.Git(project, "init", "--quiet", "--bare", "--initial-branch=main", remote)
	t.Git(project, "remote", "add", "origin", remote)
	t.Git(project, "push", "--quiet", "origin", "HEAD:refs/heads/main")
	return t.Open(suite.Spec{Project: project}), remote
}

// sent asks for a pull request and judges what arrived at the remote. A provider
// may refuse to commit for the agent; it is asked again when that is done.
func sent(t *suite.T, e *suite.Env, remote, verb string) suite.Message {
	answer := e.Ask(suite.Message{"type": verb})
	if suite.Problem(answer) != "" {
		commit(t, e, "Work")
		answer = e.Ask(suite.Message{"type": verb})
	}
	if problem := suite.Problem(answer); problem != "" {
		t.Fatalf("%s failed though all is committed: %s", verb, problem)
	}
	result := answer.Object("message")
	branch, oid := result.Text("branch"), result.Text("commit")
	if branch == "" || oid == "" {
		t.Fatalf("the answer does not tell branch and commit: %v", answer)
	}
	at, err := t.TryGit(remote, "rev-parse", "--verify", "refs/heads/"+branch)
	if err != nil {
		t.Fatalf("the remote has no branch %s: %s", branch, at)
	}
	t.Equal("the commit at the remote", strings.TrimSpace(at), oid)
	if main := t.Git(remote, "rev-parse", "refs/heads/main"); main != t.Git(e.Project, "rev-parse", "refs/heads/main") {
		t.Errorf("the remote's main is another commit now: %s", main)
	}
	pushed := filepath.Join(t.Dir("pushed"), oid)
	if _, err := os.Stat(pushed); err != nil {
		t.Git(e.Project, "clone", "--quiet", "--no-local", "--branch", branch, remote, pushed)
	}
	t.Equal("what was pushed", treeOf(t, pushed), treeOf(t, e.Path()))
	return answer
}
