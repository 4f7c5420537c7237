package containment

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// promptly is how soon something that is no file must be refused, with room for
// a machine that has much else to do. What hangs is answered by the deadline of
// a request, long after.
const promptly = 8 * time.Second

// endless are files that no file system holds: they tell of the process that
// reads them, or never end. They are only read, and are none that hold secrets:
// what a provider that fails answers is in the report.
var endless = []string{"/proc/self/status", "/proc/self/cmdline", "/proc/self/root/etc/hostname", "/proc/self/fd/0", "/dev/zero", "/dev/fd/0"}

func special() []suite.Check {
	needs := []suite.Capability{"providerReadFile", "providerWriteFile", suite.Disk}
	kind := func(id, what string, lay func(t *suite.T, path string)) suite.Check {
		return suite.Check{
			ID: id, Level: suite.Must, Needs: needs,
			Title: what + " is refused at once where a file is wanted",
			Why:   "Opening it waits for ever for another process, or reads without an end; the request and those behind it hang.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				t.Try(os.Mkdir(e.Path("odd"), 0o755))
				t.Try(os.WriteFile(e.Path("odd/plain.txt"), []byte("plain\n"), 0o600))
				t.Cleanup(func() { t.Try(os.RemoveAll(e.Path("odd"))) })
				lay(t, e.Path("odd/item"))
				t.Try(os.Symlink("item", e.Path("odd/link")))
				for _, path := range []string{"odd/item", "odd/link"} {
					for _, p := range []probe{toRead, toWrite, toCopyFrom, toCopyTo} {
						if t.Can(p.verb) {
							timed(t, p.what+" "+path, func() { refused(t, e, p, path) })
						}
					}
				}
				if t.Can(toCopyFolderFrom.verb) {
					timed(t, "copy the folder", func() { e.Ask(toCopyFolderFrom.ask("odd")) })
				}
				if info, err := os.Lstat(e.Path("odd/item")); err != nil || info.Mode().IsRegular() {
					t.Errorf("odd/item is not what it was: %v, %v", info, err)
				}
				timed(t, "read the file beside it", func() { t.Equal("what is read", e.Result(toRead.ask("odd/plain.txt")), "plain\n") })
			},
		}
	}
	return []suite.Check{
		kind("SC-034", "A FIFO", layFIFO),
		kind("SC-035", "A socket", laySocket),
		kind("SC-036", "A device", layDevice),
		{
			ID: "SC-037", Level: suite.Must, Needs: []suite.Capability{"providerGetTreeChildren", suite.Disk},
			Title: "A folder with FIFOs and sockets is listed at once",
			Why:   "One such item, as development servers leave them, would hide the whole project.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				t.Try(os.Mkdir(e.Path("odd"), 0o755))
				t.Cleanup(func() { t.Try(os.RemoveAll(e.Path("odd"))) })
				layFIFO(t, e.Path("odd/fifo"))
				laySocket(t, e.Path("odd/socket"))
				t.Try(os.Symlink("fifo", e.Path("odd/link")))
				t.Try(os.WriteFile(e.Path("odd/plain.txt"), []byte("plain\n"), 0o600))
				t.Try(os.Mkdir(e.Path("odd/folder"), 0o755))
				timed(t, "list the folder", func() {
					names := namesOf(e.Result(toList.ask("odd")))
					if !names["plain.txt"] || !names["folder"] {
						t.Errorf("the list of a folder with a FIFO does not hold its file and its folder: %v", names)
					}
				})
				if t.Can("providerGetFullProject") {
					timed(t, "list the project", func() { e.Result(suite.Message{"type": "providerGetFullProject", "recursive": true}) })
				}
			},
		},
		{
			ID: "SC-038", Level: suite.Must, Needs: needs,
			Title: "Files of /proc and /dev are refused, by their names and through links",
			Why:   "They give away the environment of the provider, with its tokens, and the root of the file system; or never end.",
			Run: func(t *suite.T) {
				if _, err := os.Stat("/proc/self/environ"); err != nil {
					t.Skipf("there is no /proc here: %v", err)
				}
				e := t.Open(suite.Spec{})
				c, outside := hatch(t)
				t.Try(os.Symlink("/proc/self/root", e.Path("root-link")))
				t.Try(os.Symlink("/proc/self/cwd", e.Path("cwd-link")))
				for i, path := range endless {
					link := "link-" + string(rune('a'+i))
					t.Try(os.Symlink(path, e.Path(link)))
					for _, at := range []string{path, link} {
						for _, p := range []probe{toRead, toCopyFrom} {
							if t.Can(p.verb) {
								timed(t, p.what+" "+at, func() { refused(t, e, p, at) })
							}
						}
					}
				}
				// What is copied is not answered, and goes with the check.
				t.Try(os.Symlink("/proc/self/environ", e.Path("environ-link")))
				for _, at := range []string{"/proc/self/environ", "environ-link"} {
					if t.Can(toCopyFrom.verb) {
						refused(t, e, toCopyFrom, at)
					}
				}
				for _, p := range []probe{toRead, toWrite, toDeleteFile, toList, toCopyFrom} {
					if t.Can(p.verb) {
						refused(t, e, p, "root-link"+outside+"/secret.txt")
						refused(t, e, p, "/proc/self/root"+outside+"/secret.txt")
						refused(t, e, p, "/proc/self/root"+e.Path("../workspace-of-another"))
					}
				}
				refused(t, e, toRead, "cwd-link/README.md")
				c.sings(e)
			},
		},
	}
}

// timed notes a failure when something takes too long.
func timed(t *suite.T, what string, do func()) {
	begun := time.Now()
	do()
	if took := time.Since(begun); took > promptly {
		t.Errorf("to %s took %v; it is to be refused or done at once", what, took.Round(time.Millisecond))
	}
}

// namesOf are the names in a list of entries.
func namesOf(list any) map[string]bool {
	names := map[string]bool{}
	entries, _ := list.([]any)
	for _, entry := range entries {
		if entry, ok := entry.(map[string]any); ok {
			names[suite.Message(entry).Text("name")] = true
		}
	}
	return names
}

// laySocket makes the socket where its path is short, as it must be to be bound.
func laySocket(t *suite.T, path string) {
	short := filepath.Join(t.Dir("s"), filepath.Base(path))
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", short)
	if err != nil {
		t.Skipf("no socket can be made here: %v", err)
	}
	t.Try(os.Rename(short, path))
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	t.Try(l.Close())
}

func layFIFO(t *suite.T, path string) {
	if err := makeFIFO(path); err != nil {
		t.Skipf("no FIFO can be made here: %v", err)
	}
}

func layDevice(t *suite.T, path string) {
	if err := makeDevice(path); errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("no device can be made here; root can: %v", err)
	} else {
		t.Try(err)
	}
}
