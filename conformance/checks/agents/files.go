package agents

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// fs is a request that concerns files.
func fs(requestID, action string, message map[string]any) suite.Message {
	return suite.Message{"type": "fsEvent", "action": action, "message": message, "requestId": requestID}
}

// execute is a request to run a command.
func execute(requestID, command string) suite.Message {
	return suite.Message{"type": "executeCommand", "message": command, "requestId": requestID}
}

// projectPath asks where the files are.
func projectPath(requestID string) suite.Message {
	return suite.Message{"type": "projectEvent", "action": "getProjectPath", "requestId": requestID}
}

// succeeded is an answer to the agent "one" that must be a success, of a type.
func (w *world) succeeded(requestID, typ string) suite.Message {
	answer := w.answer("one", requestID)
	if answer.Type() != typ || answer["success"] != true {
		w.t.Errorf("%s is answered with %s", requestID, answer)
	}
	return answer
}

// kept notes a failure if anything of the types has come to the server.
func (w *world) kept(types ...string) {
	for _, f := range w.Heard(0, func(m suite.Message) bool { return slices.Contains(types, m.Type()) }) {
		w.t.Errorf("what is to be answered in the environment came to the server: %s", f.Data)
	}
}

func files() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-009", Level: suite.Must, Needs: slices.Concat(needs, []suite.Capability{"providerReadFile"}),
			Title: "Requests for files are answered in the environment, and what an agent writes is there for the server too",
			Why:   "Answered elsewhere, the agent works on other files than the ones that the user sees.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.run("m1", projectPath("where"))
				root := w.succeeded("where", "getProjectPathResponse").Text("projectPath")
				w.run("m2",
					fs("read", "readFile", map[string]any{"filePath": "README.md"}),
					fs("absolute", "readFile", map[string]any{"filePath": root + "/README.md"}),
					fs("create", "createFile", map[string]any{"filePath": "made/new.txt", "content": "first\n"}),
					fs("update", "updateFile", map[string]any{"path": "src/main.txt", "content": "changed by needle\n"}),
					fs("list", "listDirectory", map[string]any{"path": "src"}),
					fs("grep", "grepSearch", map[string]any{"path": ".", "pattern": "needle"}),
					fs("absent", "readFile", map[string]any{"filePath": "absent.txt"}))
				for _, id := range []string{"read", "absolute"} {
					t.Equal("content", w.succeeded(id, "readFileResponse")["content"], suite.ProjectFiles["README.md"])
				}
				w.succeeded("create", "createFileResponse")
				w.succeeded("update", "updateFileResponse")
				names := []string{}
				entries, _ := w.succeeded("list", "listDirectoryResponse")["entries"].([]any)
				for _, e := range entries {
					entry, _ := e.(map[string]any)
					names = append(names, suite.Message(entry).Text("name"))
				}
				slices.Sort(names)
				t.Equal("the names in src", names, []string{"lib", "main.txt"})
				found, _ := w.succeeded("grep", "grepSearchResponse")["results"].([]any)
				if len(found) != 1 || !strings.Contains(fmt.Sprint(found), "src/main.txt") {
					t.Errorf("what was searched is found in %v", found)
				}
				t.Equal("success for what is absent", w.answer("one", "absent")["success"], false)
				for path, text := range map[string]string{"made/new.txt": "first\n", "src/main.txt": "changed by needle\n"} {
					t.Equal(path+" as the server reads it", w.Result(suite.Message{"type": "providerReadFile", "path": path}), text)
				}
				if t.Can("providerGetDiffFiles") {
					diff := suite.Message{"diff": w.Result(suite.Message{"type": "providerGetDiffFiles"})}.String()
					for _, path := range []string{"made/new.txt", "src/main.txt"} {
						if !strings.Contains(diff, path) {
							t.Errorf("%s is not in the diff: %s", path, diff)
						}
					}
				}
				w.kept("fsEvent", "projectEvent")
			},
		},
		{
			ID: "AG-010", Level: suite.Must, Needs: needs,
			Title: "Requests for files outside the environment are refused, whichever way the path leads there",
			Why:   "What an agent reads goes to a language model, and what it was told to write comes from one.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				// What lies outside is the check's own: a provider that lets an agent out
				// harms nothing else.
				outside := "/tmp/" + w.Name() + "-outside"
				if t.Can(suite.Local) {
					outside = t.Dir("outside")
				}
				w.run("m1", projectPath("where"), execute("make", fmt.Sprintf(
					"mkdir -p %[1]s/folder && echo secret > %[1]s/secret.txt && ln -s %[1]s/secret.txt link.txt && ln -s %[1]s away && ln -s .. up", outside)))
				t.Cleanup(func() { _ = os.RemoveAll(outside) }) // it may be on another machine
				w.succeeded("make", "commandFinish")
				relative, err := filepath.Rel(w.succeeded("where", "getProjectPathResponse").Text("projectPath"), outside)
				t.Try(err)
				beside := w.Name() + "-beside.txt"
				var requests []suite.Message
				ask := func(action, member, path string, more map[string]any) {
					message := map[string]any{member: path}
					maps.Copy(message, more)
					requests = append(requests, fs(fmt.Sprint(action, "-", len(requests)), action, message))
				}
				for _, path := range []string{
					outside + "/secret.txt", relative + "/secret.txt", "src/../" + relative + "/secret.txt", "link.txt", "away/secret.txt",
					"away/new.txt", outside + "/new.txt", relative + "/new.txt", "../" + beside, "up/" + beside,
				} {
					ask("readFile", "filePath", path, nil)
					ask("createFile", "filePath", path, map[string]any{"content": "escaped"})
					ask("updateFile", "path", path, map[string]any{"content": "escaped"})
				}
				for _, path := range []string{outside, relative, "away"} {
					ask("deleteFile", "filePath", path+"/secret.txt", map[string]any{"filename": "secret.txt"})
					ask("deleteFolder", "folderpath", path+"/folder", map[string]any{"foldername": "folder"})
					ask("createFolder", "path", path+"/made", nil)
				}
				for _, path := range []string{outside, relative, "away", "..", "up"} {
					ask("listDirectory", "path", path, nil)
					ask("grepSearch", "path", path, map[string]any{"pattern": "secret"})
				}
				w.run("m2", requests...)
				for _, m := range requests {
					if answer := w.answer("one", m.Text("requestId")); answer["success"] != false || answer.Text("error") == "" {
						t.Errorf("%s was not refused with a reason, but answered with %s", m, answer)
					}
				}
				w.run("m3", execute("look", fmt.Sprintf("cat %[1]s/secret.txt; ls %[1]s; ls ../%s; rm -rf %[1]s", outside, beside)))
				t.Equal("what lies outside", w.answer("one", "look")["stdout"], "secret\nfolder\nsecret.txt\n")
				w.kept("fsEvent")
			},
		},
	}
}
