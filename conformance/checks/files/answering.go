package files

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func answering() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-001", Level: suite.Must, Needs: []suite.Capability{readFile},
			Title: "A text file is read as a plain string",
			Why:   "Servers put the message into an editor as it comes; an object in its place is shown as such.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Ask(read("src/main.txt"))
				t.Equal("the answer's type", answer.Type(), "remoteProviderEvent")
				t.Equal("the answer's action", answer.Text("action"), "providerReadFileResponse")
				t.Equal("the answer's message", answer["message"], suite.ProjectFiles["src/main.txt"])
			},
		},
		{
			ID: "FS-002", Level: suite.Must, Needs: every,
			Title: "A request that changes files is answered without a message",
			Why:   "A server takes a message for a result; for these requests the protocol has none.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, step := range []struct {
					ask    suite.Message
					action string
				}{
					{write("new.txt", "text"), "providerWriteFileResponse"},
					{at(createFolder, "folder"), "providerCreateFolderResponse"},
					{duplicate(copyFile, "new.txt", "copy.txt"), "providerCopyFileResponse"},
					{duplicate(copyFolder, "src", "copied"), "providerCopyFolderResponse"},
					{rename("copy.txt", "renamed.txt"), "providerRenameItemResponse"},
					{at(deleteFile, "renamed.txt"), "providerDeleteFileResponse"},
					{at(deleteFolder, "copied"), "providerDeleteFolderResponse"},
				} {
					answer := e.Ask(step.ask)
					if problem := suite.Problem(answer); problem != "" {
						t.Errorf("%v failed: %s", step.ask, problem)
						continue
					}
					t.Equal("the type of the answer to "+step.ask.Type(), answer.Type(), "remoteProviderEvent")
					t.Equal("the action of the answer to "+step.ask.Type(), answer.Text("action"), step.action)
					if answer.Has("message") {
						t.Errorf("the answer to %s has a message: %v", step.ask.Type(), answer)
					}
				}
			},
		},
		{
			ID: "FS-003", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile, getTree},
			Title: "What was written is read and listed",
			Why:   "A write that is answered and not carried out loses the user's work without a word.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("new.txt", "one"))
				holds(t, e, "new.txt", "one")
				do(e, write("new.txt", "another text"), write("src/main.txt", "changed"))
				holds(t, e, "new.txt", "another text")
				holds(t, e, "src/main.txt", "changed")
				if !slices.Contains(names(t, e, "root"), "new.txt") {
					t.Errorf("the list of the workspace does not have new.txt")
				}
			},
		},
		{
			ID: "FS-004", Level: suite.Must, Needs: onDisk(readFile, writeFile, getTree),
			Title: "Requests and the disk show the same files",
			Why:   "Agents work on the disk and people through requests; a cache between the two shows one of them what is no longer true.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("new.txt", "through a request"))
				lies(t, e.Path("new.txt"), "through a request")
				put(t, e.Path("new.txt"), "on the disk")
				holds(t, e, "new.txt", "on the disk")
				put(t, e.Path("src", "other.txt"), "made on the disk")
				onlyHas(t, e, "src", "lib", "main.txt", "other.txt")
				holds(t, e, "src/other.txt", "made on the disk")
			},
		},
		{
			ID: "FS-005", Level: suite.Must, Needs: append([]suite.Capability{getProject}, every...),
			Title: "Members that a request does not have are ignored",
			Why:   "A newer server sends more than an older provider knows; refusing that would tie their versions together.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				more := suite.Message{"sourceScope": "runtime_tree", "conformance": map[string]any{"path": "README.md"}, "threadId": nil}
				do(
					e,
					write("new.txt", "text").With(more), read("new.txt").With(more), at(createFolder, "folder").With(more),
					duplicate(copyFile, "new.txt", "copy.txt").With(more), duplicate(copyFolder, "src", "copied").With(more),
					rename("copy.txt", "renamed.txt").With(more), at(deleteFile, "renamed.txt").With(more),
					at(deleteFolder, "copied").With(more), at(getTree, "src").With(more), suite.Message{"type": getProject}.With(more),
				)
				holds(t, e, "new.txt", "text")
			},
		},
		{
			ID: "FS-006", Level: suite.Must, Needs: every,
			Title: "The path that a list gives for an item serves in every request",
			Why:   "A server hands the absolute path of a tree's entry back when a person clicks on it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				path := map[string]string{}
				for _, folder := range []string{"root", "src"} {
					for _, item := range entries(t, e, at(getTree, folder)) {
						path[item.Text("id")] = item.Text("path")
					}
				}
				file, folder := path["src/main.txt"], path["src"]
				if file == "" || folder == "" {
					t.Fatalf("the lists do not tell the paths of src and src/main.txt: %v", path)
				}
				same(t, "the file by its absolute path", e.Result(read(file)), suite.ProjectFiles["src/main.txt"])
				do(e, write(file, "changed"), at(createFolder, folder+"/made"), write(folder+"/made/new.txt", "new"))
				holds(t, e, "src/main.txt", "changed")
				onlyHas(t, e, folder+"/made", "new.txt")
				do(e, duplicate(copyFile, file, folder+"/copy.txt"), duplicate(copyFolder, folder+"/made", folder+"/copied"))
				do(e, rename(folder+"/copy.txt", folder+"/renamed.txt"), at(deleteFile, file), at(deleteFolder, folder+"/made"))
				onlyHas(t, e, "src", "copied", "lib", "renamed.txt")
			},
		},
	}
}
