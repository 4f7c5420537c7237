//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the folder of the repository, whose pages these tests read.
const root = "../.."

// triedPages are those whose commands are run, each page's in order and in one shell, as
// somebody does who follows it. Of all other pages the commands are only looked at.
var triedPages = []string{"README.md", "docs/quickstart.md", "docs/faq.md", "docs/writing-a-provider.md"}

// notRun begins the line before a block that cannot be run here; why not follows it.
const notRun = "<!-- not run: "

// shellBlock is a fenced block of shell commands.
type shellBlock struct {
	line int // of the fence
	text string
	why  string // it is not run; "" when it is
}

// blocksOf reads the blocks of a page. A mark that no block follows, and a block of shell
// commands under another name than sh, which nothing would try, are errors.
func blocksOf(page string) (blocks []shellBlock, err error) {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return nil, err
	}
	var errs []error
	var why string // of the mark just read
	var block *shellBlock
	var info string
	fenced := false
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		fence, isFence := strings.CutPrefix(trimmed, "```")
		switch {
		case fenced && isFence:
			if block != nil {
				blocks = append(blocks, *block)
			}
			fenced, block = false, nil
		case fenced:
			if block != nil {
				block.text += line + "\n"
			}
		case isFence:
			fenced, info = true, strings.TrimSpace(fence)
			if slices.Contains([]string{"bash", "shell", "console", "shell-session", "zsh"}, info) {
				errs = append(errs, fmt.Errorf("%s:%d: a block of %s; write sh", page, i+1, info))
			}
			if info == "sh" {
				block = &shellBlock{line: i + 1, why: why}
			} else if why != "" {
				errs = append(errs, fmt.Errorf("%s:%d: the mark before it is of no block of sh", page, i+1))
			}
			why = ""
		case strings.HasPrefix(trimmed, notRun):
			why = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(trimmed, notRun), "-->"))
			if why == "" || !strings.HasSuffix(trimmed, " -->") {
				errs = append(errs, fmt.Errorf("%s:%d: the mark does not say why", page, i+1))
			}
		case trimmed != "" && why != "":
			errs = append(errs, fmt.Errorf("%s:%d: the mark before it is of no block", page, i+1))
			why = ""
		}
	}
	if fenced {
		errs = append(errs, fmt.Errorf("%s: a block has no end", page))
	}
	return blocks, errors.Join(errs...)
}

// TestTheCommandsOfThePagesRun follows the pages, with the programs of this build, in a
// home of their own.
func TestTheCommandsOfThePagesRun(t *testing.T) {
	t.Parallel()
	for _, page := range triedPages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			blocks, err := blocksOf(page)
			if err != nil {
				t.Fatal(err)
			}
			follow(t, page, blocks)
		})
	}
}

func follow(t *testing.T, page string, blocks []shellBlock) {
	home := t.TempDir()
	d := deskAt(t, filepath.Join(home, "src", "app"))
	d.write("package.json", `{"name": "app", "version": "1.0.0", "scripts": {"test": "echo tested"}}`)
	d.git("add", "package.json")
	d.git("commit", "-qm", "second")
	if err := os.Symlink(checkout(t), filepath.Join(home, "src", "codebolt-providers")); err != nil {
		t.Fatal(err)
	}
	tools := filepath.Join(home, "tools")
	if err := os.Mkdir(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	agent := "#!/bin/sh\necho \"$1\" > done.txt\n"
	if err := os.WriteFile(filepath.Join(tools, "my-agent"), []byte(agent), 0o755); err != nil {
		t.Fatal(err)
	}

	// Each block tells that it begins, and the shell stops at the first command that fails.
	var script strings.Builder
	script.WriteString("set -e\n")
	var want []string
	for _, b := range blocks {
		if b.why != "" {
			t.Logf("%s:%d is not run: %s", page, b.line, b.why)
			continue
		}
		want = append(want, strconv.Itoa(b.line))
		fmt.Fprintf(&script, "echo %d >&3\n%s\n", b.line, b.text)
	}
	if len(want) == 0 {
		t.Fatalf("none of the %d blocks of %s is run", len(blocks), page)
	}
	begunFile, err := os.Create(filepath.Join(home, "begun"))
	if err != nil {
		t.Fatal(err)
	}
	defer begunFile.Close()
	var out bytes.Buffer
	sh := exec.CommandContext(t.Context(), "sh", "-c", script.String())
	sh.Dir, sh.ExtraFiles = home, []*os.File{begunFile}
	sh.Env = slices.Concat(d.environ, []string{"HOME=" + home, "PATH=" + programs + ":" + tools + ":" + os.Getenv("PATH")})
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} { // of the machine, whatever HOME is
		sh.Env = append(sh.Env, name+"="+goSetting(t, name))
	}
	sh.Stdout, sh.Stderr = &out, &out
	failed := sh.Run()
	told, err := os.ReadFile(begunFile.Name())
	if err != nil {
		t.Fatal(err)
	}
	begun := strings.Fields(string(told))
	switch {
	case failed != nil && len(begun) > 0:
		t.Errorf("%s: the block at line %s: %v; all that was printed:\n%s", page, begun[len(begun)-1], failed, &out)
	case failed != nil:
		t.Errorf("%s: %v\n%s", page, failed, &out)
	case !slices.Equal(begun, want):
		t.Errorf("%s: the blocks at %v were run, not those at %v", page, begun, want)
	}
}

// allPages are the pages of the repository for people who use it.
func allPages(t *testing.T) []string {
	t.Helper()
	pages := []string{"README.md", "CONTRIBUTING.md"}
	for _, pattern := range []string{"docs/*.md", "providers/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, path := range found {
			pages = append(pages, strings.TrimPrefix(filepath.ToSlash(path), root+"/"))
		}
	}
	return pages
}

// TestTheCommandsOfThePagesExist looks at the commands of all pages, those of blocks that
// are not run too: the subcommand exists, with these flags and so many arguments.
func TestTheCommandsOfThePagesExist(t *testing.T) {
	t.Parallel()
	pages := allPages(t)
	looked := 0
	for _, page := range pages {
		blocks, err := blocksOf(page)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			for _, argv := range commandsIn(t, fmt.Sprintf("%s:%d", page, b.line), b.text) {
				looked++
				if err := exists(t.Context(), argv); err != nil {
					t.Errorf("%s:%d: %q: %v", page, b.line, argv, err)
				}
			}
		}
	}
	if looked < 30 {
		t.Errorf("only %d commands were found in %v", looked, pages)
	}
	named := 0
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range inProse.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
			named++
			if err := known(strings.Fields(found[1])); err != nil {
				t.Errorf("%s: %s: %v", page, found[0], err)
			}
		}
	}
	if named < 30 {
		t.Errorf("only %d commands were found in the sentences of %v", named, pages)
	}
}

var (
	fenced = regexp.MustCompile("(?ms)^```.*?^```$")
	// inProse is a command within a sentence.
	inProse = regexp.MustCompile("`codebolt-providers ([^`]+)`")
)

// known reports what is wrong with a command that a sentence names, which need not have
// all of its arguments.
func known(words []string) error {
	cmd, rest, err := (&app{stdout: io.Discard, stderr: io.Discard}).rootCommand().Find(words)
	if err != nil {
		if strings.Contains(err.Error(), `"COMMAND"`) { // stands for any
			return nil
		}
		return err
	}
	cmd.InitDefaultHelpFlag()
	return cmd.ParseFlags(rest)
}

// ourCall is where a block calls one of our programs.
var ourCall = regexp.MustCompile(`(?m)(^\s*|[;&|(]\s*|\bdo )(\./|bin/)?codebolt-(providers|conformance) `)

// commandsIn are the calls of our programs that a block makes, as the shell itself reads
// it: it runs the block where nothing but programs of those names is found, which write
// their arguments down.
func commandsIn(t *testing.T, where, text string) (calls [][]string) {
	t.Helper()
	mentions := len(ourCall.FindAllString(text, -1))
	if mentions == 0 {
		return nil
	}
	dir := t.TempDir()
	record := filepath.Join(dir, "record")
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	stub := `#!/bin/sh
printf '%s\0' "${0##*/}" "$#" "$@" >> "$RECORD"
`
	for _, name := range []string{"codebolt-providers", "codebolt-conformance"} {
		for _, folder := range []string{dir, bin} { // for ./NAME and bin/NAME, too
			if err := os.WriteFile(filepath.Join(folder, name), []byte(stub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", text).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", where, err, out)
		return nil
	}
	sh := exec.CommandContext(t.Context(), "/bin/sh", "-c", text)
	sh.Dir, sh.Env = dir, []string{"PATH=" + bin, "HOME=" + dir, "RECORD=" + record}
	_ = sh.Run() // all other programs are not found
	data, err := os.ReadFile(record)
	if err != nil {
		t.Errorf("%s: no call of our programs was seen: %v", where, err)
		return nil
	}
	words := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
	for len(words) > 1 {
		n, err := strconv.Atoi(words[1])
		if err != nil || len(words) < 2+n {
			t.Fatalf("%s: %q", where, words)
		}
		calls = append(calls, append([]string{words[0]}, words[2:2+n]...))
		words = words[2+n:]
	}
	if len(calls) < mentions {
		t.Errorf("%s: the block names our programs %d times, and %d calls were seen: %q", where, mentions, len(calls), calls)
	}
	return calls
}

// exists reports what is wrong with a call of one of our programs, without making it.
func exists(ctx context.Context, argv []string) error {
	if argv[0] != "codebolt-providers" {
		// It parses all flags before it helps.
		args := append([]string{}, argv[1:]...)
		if len(args) > 0 {
			args = slices.Insert(args, 1, "--help")
		}
		out, err := exec.CommandContext(ctx, filepath.Join(programs, argv[0]), args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	a := &app{stdout: io.Discard, stderr: io.Discard}
	top := a.rootCommand()
	cmd, rest, err := top.Find(argv[1:])
	if err != nil {
		return err
	}
	if cmd.Runnable() || len(rest) == 0 {
		cmd.InitDefaultHelpFlag()
		if err := cmd.ParseFlags(rest); err != nil {
			return err
		}
		if help, err := cmd.Flags().GetBool("help"); err == nil && help {
			return nil
		}
		return cmd.ValidateArgs(cmd.Flags().Args())
	}
	return fmt.Errorf("%s has no subcommand %q", cmd.Name(), rest)
}

// TestTheLinksOfThePagesLead looks that what pages link to in the repository is there, down
// to the heading.
func TestTheLinksOfThePagesLead(t *testing.T) {
	t.Parallel()
	headings := map[string][]string{} // by path
	links := 0
	for _, page := range allPages(t) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\]\(([^()\s]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			links++
			to, heading, _ := strings.Cut(found[1], "#")
			at := filepath.Join(root, filepath.Dir(page), filepath.FromSlash(to))
			if to == "" {
				at = filepath.Join(root, page)
			}
			if _, err := os.Stat(at); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
				continue
			}
			if heading == "" {
				continue
			}
			if headings[at] == nil {
				headings[at] = headingsOf(t, at)
			}
			if !slices.Contains(headings[at], heading) {
				t.Errorf("%s links to %s, and there is no such heading", page, found[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links were found", links)
	}
}

// headingsOf are the headings of a page as a link names them.
func headingsOf(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unnamed := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, found := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.ReplaceAll(unnamed.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-"))
	}
	return all
}
