package review

import (
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// change is a file of a diff.
type change struct {
	path, status string
	added        float64
	deleted      float64
	diff         string
	whole        suite.Message
}

// diffOf asks for the diff and returns its result and its files by path.
func diffOf(t *suite.T, e *suite.Env) (suite.Message, map[string]change) {
	result, ok := e.Result(suite.Message{"type": diffVerb}).(map[string]any)
	if !ok {
		t.Fatalf("the message of providerDiffFilesResponse is no object")
	}
	list, ok := result["files"].([]any)
	if !ok {
		t.Fatalf("the member files is no array: %v", result["files"])
	}
	files := map[string]change{}
	for _, item := range list {
		file, _ := item.(map[string]any)
		m := suite.Message(file)
		counts := m.Object("changes")
		added, _ := counts["additions"].(float64)
		deleted, _ := counts["deletions"].(float64)
		c := change{path: m.Text("path"), status: m.Text("status"), added: added, deleted: deleted, diff: m.Text("diff"), whole: m}
		if _, twice := files[c.path]; twice {
			t.Errorf("%q is in the diff twice", c.path)
		}
		files[c.path] = c
	}
	return result, files
}

// statuses are the files of a diff with what happened to them.
func statuses(files map[string]change) map[string]string {
	all := map[string]string{}
	for path, file := range files {
		all[path] = file.status
	}
	return all
}

// patchOf asks for the patch.
func patchOf(t *suite.T, e *suite.Env) string {
	patch, ok := e.Result(suite.Message{"type": patchVerb}).(string)
	if !ok {
		t.Fatalf("the message of providerMergeAsPatchResponse is no string")
	}
	return patch
}

// write writes a file by request.
func write(e *suite.Env, path, content string) {
	e.Result(suite.Message{"type": "providerWriteFile", "path": path, "content": content})
}

// put writes a file on disk, with the folders above it.
func put(t *suite.T, e *suite.Env, path, content string) {
	t.Try(os.MkdirAll(filepath.Dir(e.Path(path)), 0o755))
	t.Try(os.WriteFile(e.Path(path), []byte(content), 0o644))
}

// commit commits all that is changed in the workspace.
func commit(t *suite.T, e *suite.Env, message string) {
	t.Git(e.Workspace(), "add", "--all")
	t.Git(e.Workspace(), "commit", "--quiet", "--message", message)
}
