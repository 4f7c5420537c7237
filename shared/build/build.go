// Package build tells which version a program is and of which commit. Every program
// says it in the same way: in a line, for --version, or as JSON, for version --json.
//
// A release sets the three values when it links:
//
//	go build -ldflags "-X github.com/codeboltai/codebolt-providers/shared/build.version=1.2.3 …"
//
// and whatever it does not set is taken from what Go wrote into the program: the
// module's version and the state of the checkout. The version of a provider, which its
// manifest has, is another matter: it is that of what is installed.
package build

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// What releases set with -ldflags -X; the date is that of the commit, as in RFC 3339.
var version, commit, date string

// Unknown is the version of a program of which nothing tells one.
const Unknown = "0.0.0-dev"

// Info is what is known of a program.
type Info struct {
	Version  string `json:"version"`           // a semantic version without the v, or Unknown
	Commit   string `json:"commit,omitzero"`   // in full
	Date     string `json:"date,omitzero"`     // of the commit, in UTC, as in RFC 3339
	Modified bool   `json:"modified,omitzero"` // the checkout had changes that are not in the commit
	Go       string `json:"go"`                // such as go1.26.0
	Platform string `json:"platform"`          // such as linux/amd64
}

// Get returns what is known of this program.
func Get() Info {
	written, _ := debug.ReadBuildInfo()
	return known(version, commit, date, written)
}

// known is what was set, and for what was not, what Go wrote, which may be nil.
func known(version, commit, date string, written *debug.BuildInfo) Info {
	info := Info{
		Version: strings.TrimPrefix(version, "v"), Commit: commit, Date: date,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if written != nil && info.Version == "" && written.Main.Version != "(devel)" {
		info.Version = strings.TrimPrefix(written.Main.Version, "v")
	}
	if info.Version == "" {
		info.Version = Unknown
	}
	if written == nil || commit != "" {
		return info
	}
	for _, s := range written.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.time":
			info.Date = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// String is one line, such as "1.2.3 (commit 0123456789ab of 2026-01-02T03:04:05Z)".
func (i Info) String() string {
	if i.Commit == "" {
		return i.Version
	}
	said := "commit " + i.Commit[:min(len(i.Commit), 12)]
	if i.Date != "" {
		said += " of " + i.Date
	}
	if i.Modified {
		said += ", modified"
	}
	return fmt.Sprintf("%s (%s)", i.Version, said)
}

// Print writes what is known of this program, which goes by name: a line, or an
// indented JSON object.
func Print(w io.Writer, name string, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(w, name, Get())
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Name string `json:"name"`
		Info
	}{name, Get()})
}

// Subcommand is the subcommand version of a program that goes by name: it prints what
// Print does and returns the status to exit with. The arguments are those after it.
func Subcommand(name string, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print JSON")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "version: unknown argument %q\n", flags.Arg(0))
		return 2
	}
	if err := Print(stdout, name, *asJSON); err != nil {
		fmt.Fprintln(stderr, "version:", err)
		return 1
	}
	return 0
}
