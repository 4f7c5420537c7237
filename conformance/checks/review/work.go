package review

import (
	"os"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// work does to a workspace all that can be done to one: some of it committed and
// some staged where it is a checkout, the rest neither.
func work(t *suite.T, e *suite.Env) {
	if checkedOut(t) {
		put(t, e, "committed.txt", "committed\nand kept\n")
		put(t, e, "src/main.txt", "committed\nsecond\nthird\n")
		put(t, e, "src/lib/util.txt", "one\ntwo\nthree\n")
		put(t, e, "taken back.txt", "committed, and deleted again\n")
		commit(t, e, "First part")
		t.Try(os.Remove(e.Path("taken back.txt")))
		put(t, e, "src/main.txt", "staged\nsecond\nthird\n")
		put(t, e, "staged only.txt", "staged\n")
		t.Git(e.Workspace(), "add", "--all")
	}
	put(t, e, "src/main.txt", "staged\nsecond\nunstaged")
	put(t, e, "unträcked/ä ö.txt", "untracked\r\n")
	put(t, e, "logo.bin", string(binary))
	put(t, e, "nothing.txt", "")
	put(t, e, "run.sh", "#!/bin/sh\nexit 0\n")
	t.Try(os.Chmod(e.Path("run.sh"), 0o755))
	t.Try(os.Chmod(e.Path("README.md"), 0o755))
	t.Try(os.Remove(e.Path("src/lib/util.txt")))
	t.Try(os.Remove(e.Path("empty.txt"))) // to git it has become nothing.txt
	t.Try(os.Rename(e.Path("docs/guide.md"), e.Path("docs/-guide.md")))
	t.Try(os.Symlink("src/main.txt", e.Path("link")))
}

// checkedOut tells that agents work in a checkout of this machine, so that git can be
// used where they do.
func checkedOut(t *suite.T) bool { return t.Can(suite.Git) && t.Can(suite.Local) }
