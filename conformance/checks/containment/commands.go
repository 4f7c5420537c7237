package containment

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// bait is text that makes a file of a certain name wherever it is run.
type bait struct {
	t    *suite.T
	name string // of the file
	top  string // of everything that is the check's
}

func newBait(t *suite.T) *bait {
	return &bait{t: t, name: "pwned-" + rand.Text(), top: filepath.Dir(t.Dir("bait"))}
}

// shell are texts that a shell would run. None holds a slash: each is a name.
func (b *bait) shell() []string {
	touch := "touch " + b.name
	return []string{
		"$(" + touch + ")", "`" + touch + "`", "; " + touch + ";", "| " + touch, "&& " + touch, "\n" + touch + "\n", "'; " + touch + "; '", "\"; " + touch + "; \"",
		"${IFS}$(" + touch + ")", "a & " + touch + " &", "> " + b.name, "x\r\n" + touch,
	}
}

// flags are texts that git, or another program, would take for an option that
// runs something or writes somewhere.
func (b *bait) flags() []string {
	path := filepath.Join(b.top, "bait", b.name)
	return []string{
		"--upload-pack=touch " + b.name, "--upload-pack=touch " + path, "--exec=touch " + path, "-utouch " + path, "--output=" + path, "-o" + path,
		"--output=" + b.name, "-c core.fsmonitor=touch " + path, "--config=core.sshCommand=touch " + path, "--open-files-in-pager=touch " + path,
	}
}

// untaken notes a failure when the file was made somewhere below the check's
// folders, or where the provider was started.
func (b *bait) untaken() {
	here := filepath.Join(b.t.Target().Dir, b.name)
	if _, err := os.Lstat(here); err == nil {
		b.t.Errorf("a text of a request was run: it has made %s where the provider was started", here)
		b.t.Try(os.Remove(here))
	}
	if _, err := os.Lstat(filepath.Join(string(filepath.Separator), b.name)); err == nil {
		b.t.Errorf("a text of a request was run: %s is in the root folder", b.name)
	}
	_ = filepath.WalkDir(b.top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == b.name {
			b.t.Errorf("a text of a request was run: it has made %s", path)
		}
		return nil // what cannot be read was not made by a touch
	})
}

func commands() []suite.Check {
	const why = "A name that reaches a shell, or git in the place of an option, runs what it says with the rights of the person."
	read := []suite.Capability{"providerReadFile", "providerWriteFile"}
	return []suite.Check{
		{
			ID: "SC-043", Level: suite.Must, Needs: append(read, suite.Disk),
			Title: "File names that a shell would run are only names",
			Why:   why,
			Run:   func(t *suite.T) { b := newBait(t); b.inFiles(b.shell()) },
		},
		{
			ID: "SC-044", Level: suite.Must, Needs: append(read, suite.Disk),
			Title: "File names that begin with a dash are only names",
			Why:   why,
			Run: func(t *suite.T) {
				b := newBait(t)
				names := []string{"-rf", "--", "-", "--help", "--output=" + b.name, "-o" + b.name, "--upload-pack=touch " + b.name, "--exec=touch " + b.name, "-O" + b.name}
				b.inFiles(names)
			},
		},
		{
			ID: "SC-045", Level: suite.Must, Needs: []suite.Capability{suite.Disk}, Limit: raceLimit,
			Title: "An environment's name is never run",
			Why:   why,
			Run: func(t *suite.T) {
				b := newBait(t)
				project := t.NewProject()
				for _, name := range append(b.shell(), b.flags()...) {
					e := t.Env(suite.Spec{Name: name, Project: project})
					if _, err := e.TryStart(); err == nil {
						e.Ask(suite.Message{"type": "providerWriteFile", "path": "new.txt", "content": "new\n"})
						b.review(e, nil)
						if t.Can(suite.OnStop) {
							e.Stop("snapshotAndRemove")
						}
					}
				}
				b.untaken()
			},
		},
		{
			ID: "SC-046", Level: suite.Must, Needs: []suite.Capability{suite.Disk}, Limit: raceLimit,
			Title: "References, addresses and texts of a start are never run",
			Why:   why,
			Run: func(t *suite.T) {
				b := newBait(t)
				project := t.NewProject()
				members := []string{"baseRef", "gitBranch", "gitBaseRef", "gitHeadRef", "existingBranch", "branchPrefix", "gitUrl", "remote", "prBase"}
				for _, text := range []string{b.shell()[0], b.shell()[2], b.flags()[0], b.flags()[1], b.flags()[4], "ext::sh -c touch% " + filepath.Join(b.top, "bait", b.name)} {
					for _, member := range members {
						e := t.Env(suite.Spec{Project: project, Start: map[string]any{member: text}})
						if _, err := e.TryStart(); err == nil && (member == "remote" || member == "prBase" || member == "gitUrl") {
							e.Ask(suite.Message{"type": "providerWriteFile", "path": "new.txt", "content": "new\n"})
							b.review(e, nil)
						}
						e.Crash()
					}
				}
				b.untaken()
			},
		},
		{
			ID: "SC-047", Level: suite.Must, Needs: append(read, "providerSendPR", suite.Disk, suite.Git),
			Title: "A pull request's title, description and branch are never run",
			Why:   why,
			Run: func(t *suite.T) {
				b := newBait(t)
				project := t.NewProject()
				remote := filepath.Join(t.Dir("remotes"), "origin.git")
				t.Git(project, "init", "--quiet", "--bare", remote)
				t.Git(project, "remote", "add", "origin", remote)
				t.Git(project, "push", "--quiet", "origin", "HEAD:refs/heads/main")
				e := t.Open(suite.Spec{Project: project, Start: map[string]any{"prTitle": b.shell()[0], "prDescription": b.shell()[1], "title": b.shell()[0]}})
				for i, text := range append(b.shell(), b.flags()...) {
					e.Result(toWrite.ask("new.txt").With(suite.Message{"content": fmt.Sprintf("version %d\n", i)}))
					b.review(e, suite.Message{"title": text, "description": text})
					b.review(e, suite.Message{"branch": text})
				}
				b.untaken()
			},
		},
	}
}

// review asks for everything in which git has a part.
func (b *bait) review(e *suite.Env, more suite.Message) {
	for _, verb := range []suite.Capability{"providerGetDiffFiles", "providerMergeAsPatch", "providerSendPR"} {
		if b.t.Can(verb) {
			e.Ask(suite.Message{"type": string(verb)}.With(more))
		}
	}
}

// inFiles makes, reads, copies, renames, lists and deletes files of certain
// names, and folders.
func (b *bait) inFiles(names []string) {
	t := b.t
	e := t.Open(suite.Spec{})
	for i, name := range names {
		// What a provider does not want to have as a name it may refuse.
		if suite.Problem(e.Ask(toWrite.ask(name))) == "" {
			t.Equal("what is read at "+name, e.Result(toRead.ask(name)), "overwritten")
			if _, err := os.Lstat(e.Path(name)); err != nil {
				t.Errorf("the file has another name than it was given: %v", err)
			}
		}
		for _, p := range []probe{toCopyFrom, toMoveAway, toWrite, toMoveTo, toDeleteFile, toCopyTo, toList} {
			if t.Can(p.verb) {
				t.Try(os.WriteFile(e.Path("README.md"), []byte("again\n"), 0o600))
				e.Ask(p.ask(name))
			}
		}
		folder := fmt.Sprintf("%s %d", name, i)
		for _, p := range []probe{toCreateFolder, toCopyFolderFrom, toList} {
			if t.Can(p.verb) {
				e.Ask(p.ask(folder))
			}
		}
		if t.Can(toCopyFolderTo.verb) {
			e.Ask(toCopyFolderTo.ask(folder + strings.Repeat("x", 3)))
		}
		if t.Can(toDeleteFolder.verb) {
			e.Ask(toDeleteFolder.ask(folder))
		}
		e.Ask(toWrite.ask(name))
	}
	b.review(e, nil)
	b.untaken()
}
