package agentfolder_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/agentfolder"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// selected is an agent with details that are any JSON.
func selected(id, agentType string, details any) *wire.SelectedAgent {
	raw, err := json.Marshal(details)
	if err != nil {
		panic(err) // the tests give what encodes
	}
	return &wire.SelectedAgent{ID: id, AgentType: agentType, AgentDetails: raw}
}

// place makes a root and a store below a folder without symbolic links.
func place(t *testing.T) (root string, o agentfolder.Options) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root = filepath.Join(dir, "agents")
	return root, agentfolder.Options{Roots: []string{root}, Store: filepath.Join(dir, "store")}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// item is one of an archive.
type item struct {
	name, text string
	mode       fs.FileMode // the default is that of a file
}

func archive(t *testing.T, items ...item) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		if i.mode == 0 {
			i.mode = 0o644
		}
		h.SetMode(i.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(i.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// listing is what is in a folder; nothing when it is not there.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func wantError(t *testing.T, err error, code wire.Code, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error, want kind %s", code)
	}
	if wire.CodeOf(err) != code {
		t.Errorf("kind %s, want %s: %v", wire.CodeOf(err), code, err)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

func TestTheEntryIsTheFirstOfThePlacesWhereOneMayBe(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"index.js before all":      {map[string]string{"index.js": "", "dist/index.js": "", "package.json": `{"main":"m.js"}`, "m.js": ""}, "index.js"},
		"dist before main":         {map[string]string{"dist/index.js": "", "package.json": `{"main":"m.js"}`, "m.js": ""}, "dist/index.js"},
		"dist beside a broken one": {map[string]string{"dist/index.js": "", "package.json": `{`}, "dist/index.js"},
		"main":                     {map[string]string{"package.json": `{"main":"./lib/m.cjs"}`, "lib/m.cjs": ""}, "lib/m.cjs"},
		"main without its ending":  {map[string]string{"package.json": `{"main":"lib/m"}`, "lib/m.js": ""}, "lib/m.js"},
		"main is a folder":         {map[string]string{"package.json": `{"main":"lib"}`, "lib/index.js": ""}, "lib/index.js"},
		"index.js is a folder":     {map[string]string{"index.js/x": "", "dist/index.js": ""}, "dist/index.js"},
		"dist is a file":           {map[string]string{"dist": "", "package.json": `{"main":"m.js"}`, "m.js": ""}, "m.js"},
	} {
		t.Run(name, func(t *testing.T) {
			root, o := place(t)
			dir := filepath.Join(root, "a")
			for file, text := range c.files {
				write(t, filepath.Join(dir, file), text)
			}
			for _, agentType := range []string{"local-path", "folderpath"} {
				got, err := agentfolder.Find(t.Context(), selected("a1", agentType, dir), o)
				if err != nil {
					t.Fatal(err)
				}
				want := agentfolder.Folder{ID: "a1", Dir: dir, Entry: filepath.Join(dir, filepath.FromSlash(c.want))}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
			if got := listing(t, o.Store); got != nil {
				t.Error("the store was made for a folder that needs none:", got)
			}
		})
	}
}

func TestAFolderWithNothingToStartIsNotFoundAndSaysWhatWasLookedFor(t *testing.T) {
	root, o := place(t)
	write(t, filepath.Join(root, "a", "main.js"), "")
	_, err := agentfolder.Find(t.Context(), selected("a", "local-path", filepath.Join(root, "a")), o)
	wantError(t, err, wire.NotFound, "index.js", "dist/index.js", "package.json", filepath.Join(root, "a"))
}

func TestAMainThatIsNotInTheFolderIsRefused(t *testing.T) {
	for main, code := range map[string]wire.Code{
		`{"main":"../out.js"}`:     wire.Permission,
		`{"main":"/etc/passwd"}`:   wire.Permission,
		`{"main":"link.js"}`:       wire.Permission,
		`{"main":"missing.js"}`:    wire.NotFound,
		`{"main":1}`:               wire.Invalid,
		`not JSON`:                 wire.Invalid,
		strings.Repeat(" ", 2<<20): wire.TooLarge,
	} {
		root, o := place(t)
		write(t, filepath.Join(root, "out.js"), "")
		write(t, filepath.Join(root, "a", "package.json"), main)
		if err := os.Symlink("../out.js", filepath.Join(root, "a", "link.js")); err != nil {
			t.Fatal(err)
		}
		_, err := agentfolder.Find(t.Context(), selected("a", "local-path", filepath.Join(root, "a")), o)
		if wire.CodeOf(err) != code {
			t.Errorf("%.40s: kind %s, want %s: %v", main, wire.CodeOf(err), code, err)
		}
	}
}

func TestAnIndexThatLeadsOutOfTheFolderIsRefused(t *testing.T) {
	root, o := place(t)
	write(t, filepath.Join(root, "out.js"), "")
	write(t, filepath.Join(root, "a", "dist", "index.js"), "")
	if err := os.Symlink("../out.js", filepath.Join(root, "a", "index.js")); err != nil {
		t.Fatal(err)
	}
	_, err := agentfolder.Find(t.Context(), selected("a", "local-path", filepath.Join(root, "a")), o)
	wantError(t, err, wire.Permission, "index.js")
}

func TestOnlyWhatIsBelowARootAfterLinksIsFound(t *testing.T) {
	root, o := place(t)
	top := filepath.Dir(root)
	write(t, filepath.Join(root, "a", "index.js"), "")
	write(t, filepath.Join(top, "agents2", "index.js"), "")
	write(t, filepath.Join(top, "other", "index.js"), "")
	for link, to := range map[string]string{
		filepath.Join(root, "out"):       filepath.Join(top, "other"),
		filepath.Join(top, "in"):         filepath.Join(root, "a"),
		filepath.Join(top, "linkedRoot"): root,
		filepath.Join(root, "dangling"):  filepath.Join(top, "nowhere"),
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	for path, code := range map[string]wire.Code{
		filepath.Join(root, "a"):                    "",
		filepath.Join(root, "..", "agents", "a"):    "",
		filepath.Join(top, "in"):                    "",
		filepath.Join(top, "linkedRoot", "a"):       "",
		root + "/../other":                          wire.Permission,
		filepath.Join(root, "out"):                  wire.Permission,
		filepath.Join(top, "agents2"):               wire.Permission,
		filepath.Join(top, "nowhere"):               wire.Permission,
		"/":                                         wire.Permission,
		filepath.Join(root, "missing"):              wire.NotFound,
		filepath.Join(root, "dangling"):             wire.NotFound,
		filepath.Join(root, "a", "index.js"):        wire.Invalid,
		filepath.Join(root, "a", "index.js", "sub"): wire.Invalid,
		"agents/a":      wire.Invalid,
		root + "/a\x00": wire.Invalid,
		"":              wire.Invalid,
	} {
		_, err := agentfolder.Find(t.Context(), selected("a", "local-path", path), o)
		if wire.CodeOf(err) != code {
			t.Errorf("%q: kind %q, want %q: %v", path, wire.CodeOf(err), code, err)
		}
		if code == wire.Permission {
			wantError(t, err, code, "agents.roots")
		}
	}
}

func TestARelativePathBeginsAtTheBase(t *testing.T) {
	root, o := place(t)
	write(t, filepath.Join(root, "a", "index.js"), "1")
	o.Base = filepath.Dir(root)
	folder, err := agentfolder.Find(t.Context(), selected("a", "local-path", filepath.Join(filepath.Base(root), "a")), o)
	if err != nil || filepath.Base(folder.Dir) != "a" {
		t.Errorf("%+v: %v", folder, err)
	}
	_, err = agentfolder.Find(t.Context(), selected("a", "local-path", "../elsewhere"), o)
	wantError(t, err, wire.Permission, "agents.roots")
}

func TestARootMayBeASymbolicLink(t *testing.T) {
	root, o := place(t)
	write(t, filepath.Join(root, "a", "index.js"), "")
	link := filepath.Join(filepath.Dir(root), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	o.Roots = []string{"relative", filepath.Join(root, "missing"), link}
	got, err := agentfolder.Find(t.Context(), selected("a", "local-path", filepath.Join(link, "a")), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "a"); got.Dir != want {
		t.Errorf("the folder is %s, want %s", got.Dir, want)
	}
	_, err = agentfolder.Find(t.Context(), selected("a", "local-path", filepath.Join(link, "missing")), o)
	wantError(t, err, wire.NotFound)
}

func TestAnIDIsOnePlainName(t *testing.T) {
	root, o := place(t)
	write(t, filepath.Join(root, "a", "index.js"), "")
	zipped := filepath.Join(root, "a.zip")
	write(t, zipped, string(archive(t, item{name: "index.js"})))
	for id, ok := range map[string]bool{
		"a": true, "A.b_c-9": true, strings.Repeat("a", 128): true,
		"": false, ".": false, "..": false, "../../victim": false, "a/b": false, `a\b`: false, ".a": false, "-a": false,
		"a b": false, "a\n": false, "a\x00": false, "ä": false, strings.Repeat("a", 129): false,
	} {
		for agentType, details := range map[string]string{"local-path": filepath.Join(root, "a"), "local-zip": zipped} {
			_, err := agentfolder.Find(t.Context(), selected(id, agentType, details), o)
			if ok && err != nil || !ok && wire.CodeOf(err) != wire.Invalid {
				t.Errorf("%s %q: %v", agentType, id, err)
			}
		}
	}
	if got := listing(t, filepath.Dir(root)); !cmp.Equal(got, []string{"agents", "store"}) {
		t.Error("beside the store there is", got)
	}
}

func TestDetailsThatDoNotSayOneThingAreInvalid(t *testing.T) {
	_, o := place(t)
	o.Downloads = &agentfolder.Downloads{Hosts: []string{"127.0.0.1"}}
	for _, c := range []struct {
		agentType string
		details   any
	}{
		{"local-path", nil},
		{"local-path", 1},
		{"local-path", map[string]any{}},
		{"local-path", map[string]any{"path": 1}},
		{"local-path", map[string]any{"url": "https://127.0.0.1"}},
		{"local-zip", map[string]any{"path": "/a", "url": "https://127.0.0.1"}},
		{"local-zip", map[string]any{"path": "/a", "sha256": "12"}},
		{"local-zip", map[string]any{"path": "/a", "sha256": strings.Repeat("g", 64)}},
		{"local-path", map[string]any{"path": "/a", "sha256": strings.Repeat("a", 64)}},
		{"server-zip", map[string]any{"path": "/a"}},
		{"url", "::"},
		{"url", "no-scheme"},
	} {
		_, err := agentfolder.Find(t.Context(), selected("a", c.agentType, c.details), o)
		if wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%s %v: %v", c.agentType, c.details, err)
		}
	}
	_, err := agentfolder.Find(t.Context(), nil, o)
	wantError(t, err, wire.Invalid)
	_, err = agentfolder.Find(t.Context(), &wire.SelectedAgent{ID: "a", AgentType: "local-path"}, o)
	wantError(t, err, wire.Invalid)
}

func TestAMarketplaceAgentIsUnsupportedAndSaysWhatToUse(t *testing.T) {
	_, o := place(t)
	for _, id := range []string{"", "a", "../../x"} {
		_, err := agentfolder.Find(t.Context(), selected(id, "marketplace", "../../x"), o)
		wantError(t, err, wire.Unsupported, "local-path", "server-zip")
	}
	_, err := agentfolder.Find(t.Context(), selected("a", "", "x"), o)
	wantError(t, err, wire.Unsupported, "local-zip")
}

func TestAnArchiveIsUnpackedOnceForItsContent(t *testing.T) {
	root, o := place(t)
	data := archive(t, item{name: "index.js", text: "one"}, item{name: "lib/run", text: "x", mode: 0o755}, item{name: "empty/"})
	file := filepath.Join(root, "a.zip")
	write(t, file, string(data))
	first, err := agentfolder.Find(t.Context(), selected("a", "local-zip", file), o)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(o.Store, "a-"+sum(data)[:16])
	if diff := cmp.Diff(agentfolder.Folder{ID: "a", Dir: want, Entry: filepath.Join(want, "index.js")}, first); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(filepath.Join(want, "lib", "run")); err != nil || info.Mode().Perm() != 0o755 {
		t.Error("the program is not one:", info, err)
	}
	if info, err := os.Stat(o.Store); err != nil || info.Mode().Perm() != 0o700 {
		t.Error("the store is open to others:", info, err)
	}
	write(t, filepath.Join(want, "notes.txt"), "of the running agent")
	again, err := agentfolder.Find(t.Context(), selected("a", "zippath", map[string]any{"path": file, "sha256": strings.ToUpper(sum(data))}), o)
	if err != nil || again != first {
		t.Errorf("the second time it is %v: %v", again, err)
	}
	if text, err := os.ReadFile(filepath.Join(want, "notes.txt")); err != nil || string(text) != "of the running agent" {
		t.Error("the folder was made again:", err)
	}
	write(t, file, string(archive(t, item{name: "index.js", text: "two"})))
	other, err := agentfolder.Find(t.Context(), selected("a", "local-zip", file), o)
	if err != nil || other.Dir == first.Dir {
		t.Errorf("another version is in %s: %v", other.Dir, err)
	}
	if text, err := os.ReadFile(first.Entry); err != nil || string(text) != "one" {
		t.Errorf("the running agent became %q: %v", text, err)
	}
}

func TestAnArchiveWhoseOnlyItemIsAFolderIsLookedInto(t *testing.T) {
	for name, c := range map[string]struct {
		items []item
		want  string // the folder below the unpacked one, and the entry
	}{
		"a folder":           {[]item{{name: "agent-1.0/"}, {name: "agent-1.0/dist/index.js"}}, "agent-1.0 dist/index.js"},
		"made on a Mac":      {[]item{{name: "agent/index.js"}, {name: "__MACOSX/agent/._index.js"}}, "agent index.js"},
		"only dist":          {[]item{{name: "dist/index.js"}}, ". dist/index.js"},
		"two folders":        {[]item{{name: "a/index.js"}, {name: "b/index.js"}}, ""},
		"a folder in one":    {[]item{{name: "a/b/index.js"}}, ""},
		"nothing to start":   {[]item{{name: "a/main.js"}}, ""},
		"nothing whatsoever": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root, o := place(t)
			data := archive(t, c.items...)
			file := filepath.Join(root, "a.zip")
			write(t, file, string(data))
			got, err := agentfolder.Find(t.Context(), selected("a", "local-zip", file), o)
			if c.want == "" {
				wantError(t, err, wire.NotFound, "archive", "index.js")
				if left := listing(t, o.Store); left != nil {
					t.Error("in the store there is", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			dir, script, _ := strings.Cut(c.want, " ")
			dir = filepath.Join(o.Store, "a-"+sum(data)[:16], dir)
			if want := (agentfolder.Folder{ID: "a", Dir: dir, Entry: filepath.Join(dir, script)}); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestAHostileArchiveIsInvalidAndLeavesNothing(t *testing.T) {
	good := item{name: "index.js", text: "x"}
	whole := archive(t, item{name: "index.js", text: strings.Repeat("some text ", 100)})
	broken := bytes.Clone(whole)
	broken[60] ^= 0xff
	for name, data := range map[string][]byte{
		"a path upwards":       archive(t, good, item{name: "../victim"}),
		"a path up and down":   archive(t, good, item{name: "a/../../victim"}),
		"an absolute path":     archive(t, good, item{name: "/tmp/victim"}),
		"a backslash":          archive(t, good, item{name: `..\victim`}),
		"an empty component":   archive(t, good, item{name: "a//b"}),
		"no name":              archive(t, good, item{name: ""}),
		"a NUL":                archive(t, good, item{name: "a\x00b"}),
		"a symbolic link":      archive(t, good, item{name: "link", text: "/etc", mode: fs.ModeSymlink | 0o777}),
		"a device":             archive(t, good, item{name: "dev", mode: fs.ModeDevice | 0o666}),
		"a pipe":               archive(t, good, item{name: "pipe", mode: fs.ModeNamedPipe | 0o666}),
		"a file twice":         archive(t, good, good),
		"below a file":         archive(t, good, item{name: "index.js/x"}),
		"a file and a folder":  archive(t, item{name: "a/index.js"}, item{name: "a"}),
		"our own mark":         archive(t, good, item{name: ".codebolt-archive", text: "x"}),
		"a damaged file":       broken,
		"the end is missing":   whole[:len(whole)-30],
		"it is no zip":         []byte("#!/bin/sh\n"),
		"there is nothing":     {},
		"a folder with a text": archive(t, good, item{name: "."}),
	} {
		t.Run(name, func(t *testing.T) {
			root, o := place(t)
			file := filepath.Join(root, "a.zip")
			write(t, file, string(data))
			_, err := agentfolder.Find(t.Context(), selected("a", "local-zip", file), o)
			wantError(t, err, wire.Invalid, "find the agent a: ")
			if left := listing(t, o.Store); left != nil {
				t.Error("in the store there is", left)
			}
			if got := listing(t, filepath.Dir(root)); !cmp.Equal(got, []string{"agents", "store"}) {
				t.Error("beside the store there is", got)
			}
		})
	}
}

func TestAnArchiveThatIsNotTheOneThatWasMeantIsAConflict(t *testing.T) {
	root, o := place(t)
	file := filepath.Join(root, "a.zip")
	write(t, file, string(archive(t, item{name: "index.js"})))
	_, err := agentfolder.Find(t.Context(), selected("a", "local-zip", map[string]any{"path": file, "sha256": sum(nil)}), o)
	wantError(t, err, wire.Conflict, sum(nil))
	if left := listing(t, o.Store); left != nil {
		t.Error("in the store there is", left)
	}
}

func TestAnArchiveHasToBeAFileBelowARoot(t *testing.T) {
	root, o := place(t)
	write(t, filepath.Join(root, "a", "index.js"), "")
	outside := filepath.Join(filepath.Dir(root), "a.zip")
	write(t, outside, string(archive(t, item{name: "index.js"})))
	for path, code := range map[string]wire.Code{
		outside:                      wire.Permission,
		filepath.Join(root, "a"):     wire.Invalid,
		filepath.Join(root, "b.zip"): wire.NotFound,
	} {
		_, err := agentfolder.Find(t.Context(), selected("a", "local-zip", path), o)
		if wire.CodeOf(err) != code {
			t.Errorf("%s: kind %q, want %q: %v", path, wire.CodeOf(err), code, err)
		}
	}
	o.Store, o.Roots = "", []string{filepath.Dir(root)}
	_, err := agentfolder.Find(t.Context(), selected("a", "local-zip", outside), o)
	wantError(t, err, wire.Unsupported)
}

func TestWhatIsInTheStoreAndNotOursStays(t *testing.T) {
	root, o := place(t)
	data := archive(t, item{name: "index.js"})
	file := filepath.Join(root, "a.zip")
	write(t, file, string(data))
	for name, put := range map[string]func(path string){
		"a folder":                  func(path string) { write(t, filepath.Join(path, "mine.txt"), "mine") },
		"a folder of another sum":   func(path string) { write(t, filepath.Join(path, ".codebolt-archive"), sum(nil)) },
		"a file":                    func(path string) { write(t, path, "mine") },
		"a link to somebody's else": func(path string) { link(t, filepath.Join(root, "x"), path) },
	} {
		t.Run(name, func(t *testing.T) {
			store := filepath.Join(t.TempDir(), "store")
			path := filepath.Join(store, "a-"+sum(data)[:16])
			write(t, filepath.Join(store, "keep"), "")
			put(path)
			o := o
			o.Store = store
			_, err := agentfolder.Find(t.Context(), selected("a", "local-zip", file), o)
			wantError(t, err, wire.Conflict, "move it away")
			if got := listing(t, store); !cmp.Equal(got, []string{filepath.Base(path), "keep"}) {
				t.Error("in the store there is", got)
			}
		})
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

func TestManyAtOnceGetTheSameFolder(t *testing.T) {
	root, o := place(t)
	items := []item{{name: "index.js", text: "x"}}
	for _, c := range "abcdefghijklmnopqrst" {
		items = append(items, item{name: "lib/" + string(c), text: strings.Repeat(string(c), 1000)})
	}
	data := archive(t, items...)
	file := filepath.Join(root, "a.zip")
	write(t, file, string(data))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := agentfolder.Find(context.Background(), selected("a", "local-zip", file), o)
			if err != nil || got.Dir != filepath.Join(o.Store, "a-"+sum(data)[:16]) {
				t.Errorf("%v: %v", got, err)
			}
		})
	}
	wg.Wait()
	if got := listing(t, o.Store); len(got) != 1 {
		t.Error("in the store there is", got)
	}
}
