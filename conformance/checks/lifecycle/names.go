package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// planted is what a name tries to make. No workspace is called so: to a name a
// provider adds what tells it from others.
const planted = "pwned"

func names() []suite.Check {
	return []suite.Check{
		{
			ID: "LC-034", Level: suite.Must, Limit: 2 * time.Minute,
			Title: "Ordinary names are accepted, and the workspace is whole",
			Why:   "People name environments as they name branches and tickets.",
			Run: func(t *suite.T) {
				for name, result := range baptize(t, []string{"a", "Fix-1234", "release_2.0", "UPPER", "7"}) {
					if result.problem != "" {
						t.Errorf("the name %q was refused: %s", name, result.problem)
					}
				}
			},
		},
		{
			ID: "LC-035", Level: suite.Must, Limit: 2 * time.Minute,
			Title: "Names of 255 characters, in any script, with spaces or odd endings are safe or refused",
			Why:   "A name that is cut, doubled or refused by the file system half-way leaves a half environment.",
			Run: func(t *suite.T) {
				baptize(t, []string{
					strings.Repeat("n", 255), strings.Repeat("é", 127), "two words", " ", "umgebung-ü-環境-🙂", "ü", "u\u0308",
					"branch.lock", ".hidden", "ends.", "-", "@", "a~b^c:d?e*f[g",
				})
			},
		},
		{
			ID: "LC-036", Level: suite.Must, Limit: 2 * time.Minute,
			Title: "Names that are paths are safe or refused, and make nothing outside",
			Why:   "A name is what a stranger typed; a workspace in another's place overwrites it.",
			Run: func(t *suite.T) {
				baptize(t, []string{
					"../" + planted, "../../" + planted, "../../../../" + planted, "a/../../" + planted, "a/b", "/" + planted,
					".", "..", "./", `..\` + planted, "~/" + planted, "%2e%2e%2f" + planted,
				})
			},
		},
		{
			ID: "LC-037", Level: suite.Must, Limit: 2 * time.Minute,
			Title: "Names that are shell commands or options are safe or refused, and run nothing",
			Why:   "Two providers have executed them.",
			Run: func(t *suite.T) {
				baptize(t, []string{
					"-x", "--help", "--upload-pack=touch " + planted, ";touch " + planted, "$(touch " + planted + ")", "`touch " + planted + "`",
					"x && touch " + planted, "x|touch " + planted, "'; touch " + planted + "; '", `"; touch ` + planted + `; "`, "${IFS}touch${IFS}" + planted,
				})
			},
		},
		{
			ID: "LC-038", Level: suite.Must, Limit: 2 * time.Minute,
			Title: "Names with control characters, empty ones and those of more than 255 characters are safe or refused",
			Why:   "A NUL ends a name where C reads it, a newline where a log or a file does: two environments become one.",
			Run: func(t *suite.T) {
				results := baptize(t, []string{
					"", "nul\x00" + planted, "line\n" + planted, "return\rx", "tab\tx", "escape\x1b[31m", strings.Repeat("m", 256), strings.Repeat("k", 5000),
				})
				if results[""].problem == "" {
					t.Errorf("an environment without a name was started")
				}
			},
		},
		{
			ID: "LC-039", Level: suite.Must,
			Title: "Names that look alike have workspaces of their own",
			Why:   "Two environments in one directory overwrite each other's work.",
			Run: func(t *suite.T) {
				seen := map[string]string{}
				for name, result := range baptize(t, []string{"a b", "a-b", "a_b", "a/b", "A-B", "a--b"}) {
					if result.problem != "" {
						continue
					}
					path := strings.ToLower(result.workspace) // as some file systems have it
					if other, taken := seen[path]; taken {
						t.Errorf("%q and %q have the same workspace %s", name, other, result.workspace)
					}
					seen[path] = name
				}
				if len(seen) == 0 {
					t.Errorf("every one of these names was refused")
				}
			},
		},
		{
			ID: "LC-040", Level: suite.Must, Limit: 2 * time.Minute,
			Title: "An environmentId that is a path or a command is safe or refused",
			Why:   "Ids become names of files and labels; that they come from the server does not make them harmless.",
			Run: func(t *suite.T) {
				identify(t, []string{"../" + planted, "../../../" + planted, "/" + planted, "$(touch " + planted + ")", ";touch " + planted, "--" + planted, strings.Repeat("i", 4000)})
			},
		},
	}
}

// christened is what came of a start with a name.
type christened struct {
	problem   string // of a start that was refused
	workspace string
}

// baptize starts environments of one project with names, and notes a failure
// for each that is neither refused with a reason nor whole and in its place.
func baptize(t *suite.T, names []string) map[string]christened {
	return try(t, "the name", names, func(e *suite.Env, name string) suite.Message {
		return e.StartMessage().With(suite.Message{"environmentName": name})
	})
}

// identify is baptize for ids.
func identify(t *suite.T, ids []string) {
	try(t, "the id", ids, func(e *suite.Env, id string) suite.Message {
		return e.StartMessage().With(suite.Message{"environmentId": id})
	})
}

// abreast is how many environments with odd names are started at a time.
const abreast = 4

func try(t *suite.T, what string, texts []string, start func(e *suite.Env, text string) suite.Message) map[string]christened {
	project := t.NewProject()
	root := filepath.Dir(project)
	here := t.Target().Dir // where the providers run
	if here == "" {
		var err error
		here, err = os.Getwd()
		t.Try(err)
	}
	sane := t.Open(suite.Spec{Project: project})
	other := t.Open(suite.Spec{Project: project})
	base := common(sane.Workspace(), other.Workspace())
	before := around(root, here)
	var (
		mu      sync.Mutex
		results = map[string]christened{}
	)
	places := make(chan struct{}, abreast)
	envs := make([]*suite.Env, len(texts))
	for i := range texts {
		envs[i] = t.Env(suite.Spec{Project: project})
	}
	atOnce(len(texts), func(i int) {
		places <- struct{}{}
		defer func() { <-places }()
		text, e := texts[i], envs[i]
		if err := e.Environment.Launch(t.Context()); err != nil {
			t.Errorf("the provider did not connect: %v", err)
			return
		}
		answer, err := e.TryAsk(start(e, text))
		if err != nil {
			t.Errorf("a start with %s %.100q was not answered: %v", what, text, err)
			return
		}
		result := christened{problem: suite.Problem(answer), workspace: answer.Object("message").Text("workspacePath")}
		mu.Lock()
		results[text] = result
		mu.Unlock()
		file, err := e.TryAsk(read("README.md"))
		switch {
		case err != nil:
			t.Errorf("after a start with %s %.100q nothing is answered: %v", what, text, err)
		case result.problem != "":
			if code := answer.Text("code"); t.Can(suite.ErrorCodes) && code != "invalid" && code != "unsupported" {
				t.Errorf("%s %.100q was refused as %s, not as invalid: %s", what, text, code, result.problem)
			}
		case suite.Problem(file) != "":
			t.Errorf("%s %.100q gave an environment whose files cannot be read: %s", what, text, suite.Problem(file))
		default:
			t.Equal("README.md of "+what+" "+text, file["message"], suite.ProjectFiles["README.md"])
		}
		_ = e.Close(t.Context())
	})
	for text, result := range results {
		if result.problem == "" && t.Can(suite.Local) {
			settled(t, what+" "+text, result.workspace, base, sane, other, results)
		}
	}
	for path := range around(root, here) {
		if !before[path] {
			t.Errorf("something outside was made: %s", path)
		}
	}
	for _, path := range append(traces.Named(root, planted), traces.Named("/"+planted, planted)...) {
		t.Errorf("%s was made", path)
	}
	if status := t.Git(project, "status", "--porcelain"); status != "" {
		t.Errorf("the project was changed: %s", status)
	}
	works(t, sane, "beside the others")
	return results
}

// settled notes a failure unless a workspace lies where the project's others do,
// and in none of them.
func settled(t *suite.T, who, path, base string, sane, other *suite.Env, results map[string]christened) {
	if path == base || !within(path, base) {
		t.Errorf("%.100q has its workspace at %s, outside of %s", who, path, base)
	}
	taken := []string{sane.Workspace(), other.Workspace()}
	for _, result := range results {
		if result.problem == "" && result.workspace != path {
			taken = append(taken, result.workspace)
		}
	}
	for _, another := range taken {
		if within(path, another) || within(another, path) {
			t.Errorf("%.100q has its workspace at %s, which is not apart from %s", who, path, another)
		}
	}
}

// around are the names in the folders that an escape would reach first.
func around(root, here string) map[string]bool {
	names := map[string]bool{}
	for _, dir := range []string{root, filepath.Dir(root), here, filepath.Join(root, "home"), filepath.Join(root, "tmp")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if path := filepath.Join(dir, entry.Name()); dir == root || strings.Contains(entry.Name(), planted) {
				names[path] = true
			}
		}
	}
	return names
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// common is the deepest directory above both paths.
func common(a, b string) string {
	dir := filepath.Dir(a)
	for !within(b, dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}
