package files

import (
	"fmt"
	"os"
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// The request types of this group.
const (
	readFile     = "providerReadFile"
	writeFile    = "providerWriteFile"
	deleteFile   = "providerDeleteFile"
	deleteFolder = "providerDeleteFolder"
	renameItem   = "providerRenameItem"
	createFolder = "providerCreateFolder"
	copyFile     = "providerCopyFile"
	copyFolder   = "providerCopyFolder"
	getTree      = "providerGetTreeChildren"
	getProject   = "providerGetFullProject"
)

// every is what a check needs that tries all requests which change something.
var every = []suite.Capability{
	readFile, writeFile, deleteFile, deleteFolder, renameItem, createFolder, copyFile, copyFolder, getTree,
}

// onDisk is needs, for a check that also looks at the disk itself.
func onDisk(needs ...suite.Capability) []suite.Capability { return append(needs, suite.Disk) }

func read(path string) suite.Message { return suite.Message{"type": readFile, "path": path} }

func write(path, content string) suite.Message {
	return suite.Message{"type": writeFile, "path": path, "content": content}
}

// at is a request that names one item.
func at(verb, path string) suite.Message { return suite.Message{"type": verb, "path": path} }

func rename(from, to string) suite.Message {
	return suite.Message{"type": renameItem, "oldPath": from, "newPath": to}
}

// duplicate is providerCopyFile or providerCopyFolder.
func duplicate(verb, from, to string) suite.Message {
	return suite.Message{"type": verb, "sourcePath": from, "destinationPath": to}
}

// do sends requests that must succeed, one after another.
func do(e *suite.Env, requests ...suite.Message) {
	for _, m := range requests {
		e.Result(m)
	}
}

// holds notes a failure unless a file is read with exactly this content.
func holds(t *suite.T, e *suite.Env, path, content string) {
	answer := e.Ask(read(path))
	if problem := suite.Problem(answer); problem != "" {
		t.Errorf("%q cannot be read: %s", path, problem)
		return
	}
	same(t, fmt.Sprintf("%q as it is read", path), answer["message"], content)
}

// same compares contents, whose differences are too long to be shown whole.
func same(t *suite.T, what string, got any, want string) {
	text, ok := got.(string)
	switch {
	case ok && text == want:
	case !ok || len(text) < 1000 && len(want) < 1000:
		t.Equal(what, got, want)
	default:
		i := 0
		for i < min(len(text), len(want)) && text[i] == want[i] {
			i++
		}
		t.Errorf("%s has %d bytes in place of %d and differs from byte %d on", what, len(text), len(want), i)
	}
}

// entries are the items of a list.
func entries(t *suite.T, e *suite.Env, m suite.Message) []suite.Message {
	return objects(t, m.Type(), e.Result(m))
}

func objects(t *suite.T, what string, list any) []suite.Message {
	items, ok := list.([]any)
	if !ok {
		t.Fatalf("the result of %s is no array but %T", what, list)
	}
	all := make([]suite.Message, 0, len(items))
	for _, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			t.Fatalf("an entry of %s is no object but %T", what, item)
		}
		all = append(all, object)
	}
	return all
}

// names are the names of the items of a folder, in the order of the answer.
func names(t *suite.T, e *suite.Env, folder string) []string {
	return members(entries(t, e, at(getTree, folder)), "name")
}

func members(items []suite.Message, member string) []string {
	all := make([]string, 0, len(items))
	for _, item := range items {
		all = append(all, item.Text(member))
	}
	return all
}

// sorted is a copy in the order of bytes, for a check that is not about order.
func sorted(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}

// onlyHas notes a failure unless a folder lists exactly these names.
func onlyHas(t *suite.T, e *suite.Env, folder string, want ...string) {
	if want == nil {
		want = []string{}
	}
	t.Equal(fmt.Sprintf("the names in %q", folder), sorted(names(t, e, folder)), sorted(want))
}

// put makes a file on the disk itself.
func put(t *suite.T, path, content string) { t.Try(os.WriteFile(path, []byte(content), 0o644)) }

// lies notes a failure unless a file on the disk itself has this content.
func lies(t *suite.T, path, content string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("on the disk: %v", err)
		return
	}
	same(t, path+" on the disk", string(data), content)
}
