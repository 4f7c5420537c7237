package workspace_test

import (
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// rooted are files of which only the root matters.
type rooted struct {
	workspace.FS
	root string
}

func (r rooted) Root() string { return r.root }

func TestANameHasAPathAndAPathAName(t *testing.T) {
	for _, c := range []struct{ root, name, path string }{
		{"/ws", ".", "/ws"},
		{"/ws", "a/b", "/ws/a/b"},
		{"/", "a", "/a"},
		{`C:\ws`, ".", `C:\ws`},
		{`C:\ws`, "a/b", `C:\ws\a\b`},
		{`C:\`, "a", `C:\a`},
	} {
		files := rooted{root: c.root}
		if got := workspace.Path(files, c.name); got != c.path {
			t.Errorf("%s in %s is at %s, want %s", c.name, c.root, got, c.path)
		}
		if got, err := workspace.Name(files, "read", c.path); got != c.name || err != nil {
			t.Errorf("%s in %s is called %s, %v; want %s", c.path, c.root, got, err, c.name)
		}
	}
	for _, p := range []string{"/wsx", "/", "..", "a/../../ws"} {
		if _, err := workspace.Name(rooted{root: "/ws"}, "read", p); wire.CodeOf(err) != wire.OutsideWorkspace {
			t.Errorf("%s: %v", p, err)
		}
	}
}
