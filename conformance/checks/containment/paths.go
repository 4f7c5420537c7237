package containment

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// ascents is how many folders a path may climb.
const ascents = 10

// outsideCode is the kind of error for what leads out of the workspace.
const outsideCode = "outside_workspace"

func paths() []suite.Check {
	read := []suite.Capability{"providerReadFile"}
	write := []suite.Capability{"providerWriteFile"}
	return []suite.Check{
		{
			ID: "SC-001", Level: suite.Must, Needs: read,
			Title: "Nothing above the workspace is read, listed or copied, by one ../ or ten",
			Why:   "An agent that was talked into it reads keys and other projects of the person whose machine it is.",
			Run:   func(t *suite.T) { climb(t, reading) },
		},
		{
			ID: "SC-002", Level: suite.Must, Needs: write,
			Title: "Nothing above the workspace is written or created, by one ../ or ten",
			Why:   "One file in the right place outside, such as a shell's profile, runs as the person.",
			Run:   func(t *suite.T) { climb(t, making) },
		},
		{
			ID: "SC-003", Level: suite.Must, Needs: []suite.Capability{"providerDeleteFile"},
			Title: "Nothing above the workspace is deleted or moved away, by one ../ or ten",
			Why:   "Work of other projects is lost for good.",
			Run:   func(t *suite.T) { climb(t, removing) },
		},
		{
			ID: "SC-004", Level: suite.Must, Needs: read,
			Title: "An absolute path outside the workspace is refused by every request",
			Why:   "A provider that takes any absolute path confines nothing.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				c, dir := hatch(t)
				try(t, e, all(), func(target string) []string { return []string{filepath.Join(dir, target)} }, outsideCode)
				for _, p := range []string{"/etc/passwd", "/etc/hostname"} {
					refused(t, e, toRead, p, outsideCode)
				}
				c.sings(e)
			},
		},
		{
			ID: "SC-005", Level: suite.Must, Needs: append(read, suite.Local),
			Title: "A folder beside the workspace whose name begins like the workspace's is outside",
			Why:   "The environment e1 must not reach e10, as it does where paths are compared as text.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				c := newCanary(t)
				sibling := e.Workspace() + "x"
				t.Try(os.Mkdir(sibling, 0o755))
				t.Cleanup(func() { t.Try(os.RemoveAll(sibling)) })
				c.lay(sibling)
				try(t, e, all(), func(target string) []string {
					return []string{filepath.Join(sibling, target), "../" + filepath.Base(sibling) + "/" + target}
				}, outsideCode)
				c.sings(e)
			},
		},
		{
			ID: "SC-006", Level: suite.Must, Needs: read,
			Title: "A path with a NUL is refused by every request",
			Why:   "What checks the whole text and what opens up to the NUL do not mean the same file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, p := range all() {
					if !t.Can(p.verb) {
						continue
					}
					refused(t, e, p, "README.md\x00.txt", "invalid", outsideCode)
					refused(t, e, p, "new\x00/../../x", "invalid", outsideCode)
				}
				t.Equal("README.md afterwards", e.Result(toRead.ask("README.md")), suite.ProjectFiles["README.md"])
			},
		},
		{
			ID: "SC-007", Level: suite.Must, Needs: append(read, "providerWriteFile"),
			Title: "Backslashes lead nowhere outside the workspace",
			Why:   "A path that some layer below takes for a Windows one climbs out.",
			Run: func(t *suite.T) {
				e, c := deep(t)
				for n := 1; n <= ascents; n++ {
					for _, p := range all() {
						if !t.Can(p.verb) {
							continue
						}
						for _, target := range p.targets {
							// To some systems this is the name of a file, which is fine too.
							e.Ask(p.ask(strings.ReplaceAll(strings.Repeat("../", n)+outsideName+"/"+target, "/", `\`)))
						}
					}
				}
				c.sings(e)
			},
		},
		{
			ID: "SC-008", Level: suite.Must, Needs: append(read, "providerWriteFile", suite.Disk),
			Title: "Percent signs in a path are not decoded",
			Why:   "Decoding makes ../ out of what was looked at and found harmless, and makes some files unreachable.",
			Run: func(t *suite.T) {
				e, c := deep(t)
				for _, path := range []string{"%2e%2e/" + outsideName + "/secret.txt", "%2e%2e%2f" + outsideName + "%2fsecret.txt", "..%2f" + outsideName + "%2fsecret.txt", "%252e%252e/" + outsideName + "/secret.txt"} {
					e.Result(toWrite.ask(path))
					t.Equal("what was written to "+path, e.Result(toRead.ask(path)), "overwritten")
					if data, err := os.ReadFile(e.Path(path)); err != nil || string(data) != "overwritten" {
						t.Errorf("%s is not in the workspace under just that name: %q, %v", path, data, err)
					}
				}
				c.sings(e)
			},
		},
		{
			ID: "SC-009", Level: suite.Must, Needs: read,
			Title: "Dots and slashes within a path lead neither outside nor astray",
			Why:   "A path is checked as it is and used as it is meant; where the two differ there is a hole.",
			Run: func(t *suite.T) {
				e, c := deep(t)
				try(t, e, all(), func(target string) []string {
					return []string{
						"src/../../" + outsideName + "/" + target, "./../" + outsideName + "/" + target, "src//..//..//" + outsideName + "//" + target,
						"absent/../../" + outsideName + "/" + target, "src/lib/../../../" + outsideName + "/" + target + "/.",
					}
				})
				for _, path := range []string{"src//main.txt", "./src/main.txt", "src/./main.txt", "src/lib/../main.txt"} {
					t.Equal("what is read at "+path, e.Result(toRead.ask(path)), suite.ProjectFiles["src/main.txt"])
				}
				c.sings(e)
			},
		},
	}
}

func all() []probe { return slices.Concat(reading, making, removing) }

// climb tries probes on paths that begin with one to ten ../.
func climb(t *suite.T, probes []probe) {
	e, c := deep(t)
	for n := 1; n <= ascents; n++ {
		try(t, e, probes, func(target string) []string {
			return []string{strings.Repeat("../", n) + ascended(e.Workspace(), c, n, target)}
		}, outsideCode)
	}
	c.sings(e)
}

// deep opens an environment ten folders down, where the provider lets itself be
// told a place, with a canary in every folder above that is the check's.
func deep(t *suite.T) (*suite.Env, *canary) {
	c := newCanary(t)
	top := t.Dir("places")
	below := top
	for range ascents - 1 {
		below = filepath.Join(below, "p")
	}
	t.Try(os.MkdirAll(below, 0o755))
	e := t.Open(suite.Spec{Start: map[string]any{"environmentPath": filepath.Join(below, "workspace")}})
	for dir := below; ; dir = filepath.Dir(dir) {
		c.lay(filepath.Join(dir, outsideName))
		if dir == top {
			return e, c
		}
	}
}

// ascended is the rest of a path that climbed n folders out of the workspace,
// down to a canary if there is one below.
func ascended(workspace string, c *canary, n int, target string) string {
	up := workspace
	for range n {
		up = filepath.Dir(up)
	}
	for _, dir := range c.dirs {
		if rel, err := filepath.Rel(up, dir); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel) + "/" + target
		}
	}
	return outsideName + "/" + target
}
