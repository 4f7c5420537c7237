package nodesdk

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/programtest"
)

// Version is the version of the SDK.
const Version = "1.1.99"

//go:embed package
var files embed.FS

// shared is what this test process has installed.
var shared struct {
	sync.Mutex
	dir string // "" outside of Main
	err error
	did bool
}

// Main runs the tests of a package, removes what they had installed, and returns
// the status to exit with. Call it in TestMain.
func Main(m programtest.Tests) int {
	dir, err := os.MkdirTemp("", "nodesdk")
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.dir = dir
	return m.Run()
}

// Install installs the SDK, once for this test process, and gives its
// node_modules, of some 110 MB. Without Node and npm the test fails.
func Install(tb testing.TB) string {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.dir == "" {
		tb.Fatal("nodesdk: a TestMain has to call nodesdk.Main, which removes what is installed")
	}
	if !shared.did {
		shared.did = true
		shared.err = install(tb, shared.dir)
	}
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return filepath.Join(shared.dir, "node_modules")
}

func install(tb testing.TB, dir string) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("nodesdk: these tests need Node with npm; install nodejs and npm: %w", err)
		}
	}
	content, err := fs.Sub(files, "package")
	if err == nil {
		err = os.CopyFS(dir, content)
	}
	if err != nil {
		return fmt.Errorf("nodesdk: %w", err)
	}
	npm := exec.CommandContext(tb.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=peer")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("nodesdk: npm ci: %w\n%s", err, out)
	}
	return nil
}

// Bundle makes one file of a script and of the SDK that it requires, some 340 kB,
// which needs nothing but node. codeutils.getJsTree, which uses a native module,
// does not work in it.
func Bundle(tb testing.TB, script string) []byte {
	tb.Helper()
	modules := Install(tb)
	args := []string{filepath.Join(modules, "esbuild", "bin", "esbuild"), "--bundle", "--platform=node", "--target=node18", "--log-level=warning"}
	for _, native := range []string{"tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript"} {
		args = append(args, "--alias:"+native+"=./nothing.js")
	}
	var out, problems bytes.Buffer
	esbuild := exec.CommandContext(tb.Context(), "node", args...)
	esbuild.Dir, esbuild.Stdin, esbuild.Stdout, esbuild.Stderr = filepath.Dir(modules), strings.NewReader(script), &out, &problems
	if err := esbuild.Run(); err != nil {
		tb.Fatalf("nodesdk: esbuild: %v\n%s", err, &problems)
	}
	return out.Bytes()
}

// Form is how an agent has the SDK.
type Form int

const (
	// Linked has node_modules as a symbolic link to what is installed. It works on
	// this machine, until the tests end.
	Linked Form = iota
	// Bundled has everything in index.js, so that it works wherever node is.
	Bundled
)

// Agent writes an agent to a folder, which it makes: index.js with the script,
// and codeboltagent.yaml.
func Agent(tb testing.TB, dir, script string, form Form) {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	content := []byte(script)
	switch form {
	case Linked:
		if err := os.Symlink(Install(tb), filepath.Join(dir, "node_modules")); err != nil {
			tb.Fatal(err)
		}
	case Bundled:
		content = Bundle(tb, script)
	}
	for name, text := range map[string][]byte{
		"index.js":           content,
		"codeboltagent.yaml": []byte("title: test agent\nunique_connectionid: " + filepath.Base(dir) + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}
