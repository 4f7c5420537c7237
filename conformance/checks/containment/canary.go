package containment

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// canary is a folder outside the workspace that nobody may see or change. Its
// files, and the names of some, hold a token that must never come back.
type canary struct {
	t      *suite.T
	token  string
	dirs   []string
	before map[string]string
}

func newCanary(t *suite.T) *canary {
	return &canary{t: t, token: rand.Text(), before: map[string]string{}}
}

// hatch is a canary with one folder, beside everything else of the check.
func hatch(t *suite.T) (c *canary, dir string) {
	c = newCanary(t)
	dir = t.Dir(outsideName)
	c.lay(dir)
	return c, dir
}

// outsideName is what the folder of a canary is called. A request that goes
// astray would work on whatever has that name there: nobody's but ours.
const outsideName = "outside-of-conformance"

// old is long before the check, so that every change shows in a file's time.
var old = time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)

// lay fills a folder and takes it under guard.
func (c *canary) lay(dir string) {
	for _, folder := range []string{"folder", "d"} {
		c.t.Try(os.MkdirAll(filepath.Join(dir, folder), 0o750))
	}
	for _, name := range []string{"secret.txt", "canary", "folder/inner.txt", "d/canary", "only-" + c.token, "folder/only-" + c.token, "d/only-" + c.token} {
		c.t.Try(os.WriteFile(filepath.Join(dir, name), []byte("outside "+c.token+"\n"), 0o640))
		c.t.Try(os.Chtimes(filepath.Join(dir, name), old, old))
	}
	c.t.Try(os.Symlink("secret.txt", filepath.Join(dir, "link")))
	for _, folder := range []string{"folder", "d", "."} {
		c.t.Try(os.Chtimes(filepath.Join(dir, folder), old, old))
	}
	c.dirs = append(c.dirs, dir)
	c.t.Try(describe(c.before, dir))
}

// describe notes all that a folder holds, with modes, times and contents.
func describe(into map[string]string, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%v %s", info.Mode(), info.ModTime().UTC().Format(time.RFC3339Nano))
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %q", data)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text = "-> " + target
		}
		into[path] = text
		return nil
	})
}

// sings notes a failure for everything that was changed outside, that was told
// of it, and that was brought inside.
func (c *canary) sings(e *suite.Env) {
	after := map[string]string{}
	for _, dir := range c.dirs {
		if err := describe(after, dir); err != nil {
			c.t.Errorf("what is outside cannot be read any more: %v", err)
		}
	}
	for path, was := range c.before {
		if is, there := after[path]; !there {
			c.t.Errorf("%s, which is outside the workspace, is gone", path)
		} else {
			c.t.Equal(path+", which is outside the workspace,", is, was)
		}
	}
	for path := range after {
		if _, there := c.before[path]; !there {
			c.t.Errorf("%s was made, which is outside the workspace", path)
		}
	}
	for _, f := range e.Heard(0, func(suite.Message) bool { return true }) {
		if bytes.Contains(f.Data, []byte(c.token)) {
			c.t.Errorf("frame %d tells what is outside the workspace", f.Number)
		}
	}
	if c.t.Can(suite.Disk) {
		c.searched(e.Path())
	}
}

// searched notes a failure when something from outside is in a folder. Links
// are not followed.
func (c *canary) searched(dir string) {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		found := strings.Contains(entry.Name(), c.token)
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(path)
			found = found || err == nil && bytes.Contains(data, []byte(c.token))
		}
		if found {
			c.t.Errorf("%s in the workspace has come from outside", path)
		}
		return nil
	})
	c.t.Try(err)
}
