package review

import (
	"os"
	"slices"
	"sync"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func failures() []suite.Check {
	return []suite.Check{
		{
			ID: "DF-032", Level: suite.Must, Needs: []suite.Capability{diffVerb},
			Title: "Before a start there is no diff and no patch, but an error",
			Why:   "An empty diff reads as \"nothing was changed\".",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				for _, verb := range []suite.Capability{diffVerb, patchVerb, "providerSendPR", "createPatchRequest", "createPullRequestRequest"} {
					if t.Can(verb) {
						e.Refused(suite.Message{"type": string(verb)}, "not_running")
					}
				}
			},
		},
		{
			ID: "DF-033", Level: suite.Must, Needs: diffing,
			Title: "Twenty requests for the diff at once all give the same one",
			Why:   "Several views ask at a time; a scratch index that they share gives each a part.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, name := range []string{"a.txt", "b/c.txt", "d.txt"} {
					write(e, name, "content of "+name+"\n")
				}
				first, files := diffOf(t, e)
				t.Equal("the number of files", len(files), 3)
				var asking sync.WaitGroup
				for range 20 {
					asking.Go(func() {
						answer, err := e.TryAsk(suite.Message{"type": diffVerb})
						if err != nil && answer == nil {
							t.Errorf("one of twenty requests was not answered: %v", err)
							return
						}
						t.Equal("one of twenty diffs", answer["message"], first)
					})
				}
				asking.Wait()
			},
		},
		{
			ID: "DF-034", Level: suite.Must, Needs: slices.Concat(onDisk, []suite.Capability{suite.Local}),
			Title: "When the workspace is gone diff and patch are errors, not empty",
			Why:   "An empty diff reads as \"nothing was changed\", and the environment is removed.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				put(t, e, "new.txt", "new\n")
				aside := e.Workspace() + ".aside"
				t.Try(os.Rename(e.Workspace(), aside))
				back := func() {
					if _, err := os.Lstat(aside); err == nil {
						t.Try(os.RemoveAll(e.Workspace()))
						t.Try(os.Rename(aside, e.Workspace()))
					}
				}
				t.Cleanup(back)
				ask := func() {
					for _, verb := range []suite.Capability{diffVerb, patchVerb, "createPatchRequest"} {
						if t.Can(verb) {
							e.Refused(suite.Message{"type": string(verb)})
						}
					}
				}
				ask()
				t.Try(os.WriteFile(e.Workspace(), []byte("no folder\n"), 0o600))
				ask()
				back()
				_, files := diffOf(t, e)
				t.Equal("the paths when it is back", statuses(files), map[string]string{"new.txt": "added"})
			},
		},
		{
			ID: "DF-035", Level: suite.Must, Needs: slices.Concat(onDisk, []suite.Capability{suite.Local, suite.Git}),
			Title: "When the checkout is broken diff and patch are errors, not empty",
			Why:   "An empty diff reads as \"nothing was changed\", and the environment is removed.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				put(t, e, "new.txt", "new\n")
				aside := e.Path(".git") + ".aside"
				t.Try(os.Rename(e.Path(".git"), aside))
				t.Cleanup(func() { t.Try(os.Rename(aside, e.Path(".git"))) })
				for _, verb := range []suite.Capability{diffVerb, patchVerb} {
					if t.Can(verb) {
						e.Refused(suite.Message{"type": string(verb)})
					}
				}
			},
		},
	}
}
