package files

import (
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// modeIs notes a failure unless a file on the disk has these permission bits.
func modeIs(t *suite.T, path string, want fs.FileMode) {
	info, err := os.Lstat(path)
	if err != nil {
		t.Errorf("on the disk: %v", err)
		return
	}
	t.Equal("the mode of "+path, info.Mode().Perm().String(), want.String())
}

// onDiskOnly notes a failure unless a folder on the disk holds exactly these
// names, the hidden ones too.
func onDiskOnly(t *suite.T, path string, want ...string) {
	items, err := os.ReadDir(path)
	t.Try(err)
	got := make([]string, 0, len(items))
	for _, item := range items {
		got = append(got, item.Name())
	}
	t.Equal("the names in "+path+" on the disk", got, sorted(want))
}

func writing() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-031", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile, createFolder, getTree},
			Title: "A write and a new folder make the folders above them",
			Why:   "Servers send the path of a new file and nothing before it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("a/b/c/new.txt", "deep"), write("src/new/new.txt", "less deep"), at(createFolder, "d/e/f"))
				holds(t, e, "a/b/c/new.txt", "deep")
				holds(t, e, "src/new/new.txt", "less deep")
				onlyHas(t, e, "a/b", "c")
				onlyHas(t, e, "d/e", "f")
				onlyHas(t, e, "d/e/f")
			},
		},
		{
			ID: "FS-032", Level: suite.Must, Needs: []suite.Capability{readFile, createFolder, getTree},
			Title: "Making a folder that is there succeeds and keeps what is in it",
			Why:   "Requests are sent twice after a lost answer; the second must not fail, nor empty the folder.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, at(createFolder, "src"), at(createFolder, "new"), at(createFolder, "new"), at(createFolder, "src/lib"))
				onlyHas(t, e, "new")
				intact(t, e)
			},
		},
		{
			ID: "FS-033", Level: suite.Must, Needs: onDisk(writeFile),
			Title: "A file that is overwritten keeps its mode",
			Why:   "A script that can no longer be run, or a key that everybody can read, comes of one saved edit.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, mode := range []fs.FileMode{0o755, 0o600, 0o640, 0o444} {
					put(t, e.Path("script.sh"), "old")
					t.Try(os.Chmod(e.Path("script.sh"), mode))
					do(e, write("script.sh", "new content"))
					lies(t, e.Path("script.sh"), "new content")
					modeIs(t, e.Path("script.sh"), mode)
					t.Try(os.Remove(e.Path("script.sh")))
				}
			},
		},
		{
			ID: "FS-034", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile}, Limit: 4 * time.Minute,
			Title: "A reader sees the old content of a file that is overwritten or the new one, in 1,000 writes",
			Why:   "A compiler or an agent that reads while a person saves must not see half a file, or none.",
			Run:   atomically,
		},
		{
			ID: "FS-035", Level: suite.Must, Needs: onDisk(append([]suite.Capability{suite.Overwrite}, every...)...),
			Title: "Requests leave no files behind but those they were asked for",
			Why:   "Temporary files end up in listings, in diffs and in commits.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, at(createFolder, "area"))
				var writers sync.WaitGroup
				for range 16 {
					writers.Go(func() {
						for range 4 {
							if _, err := e.TryAsk(write("area/one.txt", strings.Repeat("x", 10_000))); err != nil {
								t.Errorf("a write was not answered: %v", err)
							}
						}
					})
				}
				writers.Wait()
				do(e, duplicate(copyFile, "area/one.txt", "area/two.txt"), duplicate(copyFolder, "src", "area/src"))
				do(e, duplicate(copyFile, "README.md", "area/two.txt").With(suite.Message{"overwrite": true}))
				do(e, rename("area/two.txt", "area/one.txt").With(suite.Message{"overwrite": true}))
				e.Refused(write("area/src", "text"))
				e.Refused(duplicate(copyFile, "README.md", "area/one.txt"))
				e.Refused(duplicate(copyFolder, "src", "area/src"))
				e.Refused(write("area/"+strings.Repeat("n", 256), "text"))
				onDiskOnly(t, e.Path("area"), "one.txt", "src")
				onDiskOnly(t, e.Path("area", "src"), "lib", "main.txt")
			},
		},
	}
}

// atomically writes one of two contents in turn while others read: through
// requests, and on the disk where there is one.
func atomically(t *suite.T) {
	const writes = 1000
	e := t.Open(suite.Spec{})
	contents := [2]string{strings.Repeat("a", 16_000), strings.Repeat("b", 10_000)}
	whole := func(text string) bool { return text == contents[0] || text == contents[1] }
	do(e, write("shared.txt", contents[0]))
	var (
		over           atomic.Bool
		asked, watched atomic.Int64
		readers        sync.WaitGroup
	)
	readers.Go(func() {
		for asked.Load() < writes && !over.Load() && !t.Failed() {
			answer, err := e.TryAsk(read("shared.txt"))
			if err != nil {
				t.Errorf("a read beside writes was not answered: %v", err)
				return
			}
			text, _ := answer["message"].(string)
			switch problem := suite.Problem(answer); {
			case problem != "":
				t.Errorf("a read beside writes failed: %s", problem)
			case !whole(text):
				t.Errorf("a read beside writes saw %d bytes that nobody wrote", len(text))
			}
			asked.Add(1)
		}
	})
	if t.Can(suite.Disk) {
		readers.Go(func() {
			for !over.Load() && !t.Failed() {
				data, err := os.ReadFile(e.Path("shared.txt"))
				switch {
				case err != nil:
					t.Errorf("a reader of the disk beside writes: %v", err)
				case !whole(string(data)):
					t.Errorf("a reader of the disk beside writes saw %d bytes that nobody wrote", len(data))
				}
				watched.Add(1)
			}
		})
	}
	for i := 1; i <= writes && !t.Failed(); i++ {
		answer, err := e.TryAsk(write("shared.txt", contents[i%2]))
		if err != nil {
			t.Errorf("a write was not answered: %v", err)
		} else if problem := suite.Problem(answer); problem != "" {
			t.Errorf("a write beside reads failed: %s", problem)
		}
	}
	over.Store(true)
	readers.Wait()
	t.Logf("%d reads through requests and %d on the disk beside %d writes", asked.Load(), watched.Load(), writes)
	if asked.Load() == 0 {
		t.Errorf("no read was answered beside %d writes", writes)
	}
	holds(t, e, "shared.txt", contents[0])
}
