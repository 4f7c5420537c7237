// Package scripttest has what scripts of package testscript need to try a program with: two
// commands, and a look at what was tried.
package scripttest

import (
	"encoding/json"
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

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// Commands are status and json, for [testscript.Params].
//
//	status STATUS PROGRAM [ARGS…]
//
// is exec with the exit status that is wanted.
//
//	[!] json FILE PATH [PATTERN]
//
// looks in the JSON of a file, or of stdout or stderr, for the value at a path, such as
// 0.files.-1.path. A number is the place in a list, from its end if it is negative, length
// is how many it has, and a file with several documents is a list of them. The pattern has
// to match the whole text of the value, which is JSON unless it is a string. With ! before
// there must be no such value.
func Commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"status": status, "json": lookIn}
}

func status(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) < 2 {
		ts.Fatalf("usage: status STATUS PROGRAM [ARGS…]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("the status is %d, and not %s", got, args[0])
	}
}

func lookIn(ts *testscript.TestScript, not bool, args []string) {
	if len(args) != 2 && (len(args) != 3 || not) {
		ts.Fatalf("usage: [!] json FILE PATH [PATTERN]")
	}
	var documents []any
	for from := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0]))); ; {
		var document any
		err := from.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		documents = append(documents, document)
	}
	value := any(documents)
	if len(documents) == 1 {
		value = documents[0]
	}
	found := true
	for _, step := range strings.Split(args[1], ".") {
		if value, found = below(value, step); !found {
			break
		}
	}
	switch {
	case found == not:
		ts.Fatalf("there is %s: %v", args[1], found)
	case not || len(args) == 2:
		return
	}
	text, isText := value.(string)
	if !isText {
		data, err := json.Marshal(value)
		ts.Check(err)
		text = string(data)
	}
	pattern, err := regexp.Compile(`\A(?s:` + args[2] + `)\z`)
	ts.Check(err)
	if !pattern.MatchString(text) {
		ts.Fatalf("%s is %q, and not %s", args[1], text, args[2])
	}
}

// below is the value at one step of a path.
func below(value any, step string) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		inner, found := value[step]
		return inner, found
	case []any:
		if step == "length" {
			return len(value), true
		}
		at, err := strconv.Atoi(step)
		if at < 0 {
			at += len(value)
		}
		if err != nil || at < 0 || at >= len(value) {
			return nil, false
		}
		return value[at], true
	}
	return nil, false
}

// EveryCommand looks in the scripts of a folder for each command of a program with --help,
// with --json if it has that, and with what makes it fail.
func EveryCommand(t *testing.T, dir string, root func() *cobra.Command) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	seen := map[string][]string{} // what commands are run with
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			at := slices.Index(words, root().Name())
			if at < 1 || !slices.Contains([]string{"exec", "status", "!"}, words[0]) {
				continue
			}
			args := words[at+1:]
			if end := slices.Index(args, "--"); end >= 0 {
				args = args[:end]
			}
			command, _, err := root().Find(args)
			if err != nil {
				command = root() // whose words are meant to be wrong
			}
			name := command.CommandPath()
			seen[name] = append(seen[name], args...)
			if words[0] == "!" || words[0] == "status" && words[1] != "0" {
				seen[name] = append(seen[name], "fails")
			}
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, want := range []string{"--help", "--json", "fails"} {
			if want == "--json" && (!c.Runnable() || c.Flag("json") == nil) {
				continue
			}
			if !slices.Contains(seen[c.CommandPath()], want) {
				t.Errorf("no script has %s: %s", c.CommandPath(), want)
			}
		}
		for _, inner := range c.Commands() {
			if !inner.Hidden {
				walk(inner)
			}
		}
	}
	walk(root())
}
