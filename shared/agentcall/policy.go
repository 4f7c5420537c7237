package agentcall

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// need is what a request takes.
type need int

const (
	needNothing need = iota
	needRead
	needWrite
	needExec
)

func (n need) String() string { return [...]string{"nothing", "read", "write", "exec"}[n] }

// Mode is what becomes of requests that no rule of a [Policy] is about.
type Mode string

// The modes. None of them asks about reading.
const (
	Auto     Mode = "auto"      // all is allowed, as is with the zero value
	AskWrite Mode = "ask-write" // a person is asked about writing and about commands
	AskExec  Mode = "ask-exec"  // a person is asked about commands
	ReadOnly Mode = "read-only" // writing and commands are refused
)

func (m Mode) auto() bool { return m == "" || m == Auto }

// Policy says what agents may do without asking. What Deny names is refused, of the
// rest what Allow names is done, and of the rest the Mode decides. The zero value
// allows everything.
//
// Rules about files concern the requests by which agents read and write files. A
// command is a program: it can read and write whatever the environment lets it,
// under any name, so that rules about commands are no security boundary. They spare
// a person questions, and keep an agent from accidents. Who must keep files from an
// agent keeps it from commands, too, by Mode, or keeps the files out of the
// environment.
//
// What git reads as its configuration makes it run programs. Writing into a folder
// named .git therefore counts as a command where the Mode decides, and git runs hooks
// in the mode Auto only.
type Policy struct {
	Mode  Mode
	Allow Rules
	Deny  Rules
	// Timeout is how long a person has to answer; default 5 min.
	Timeout time.Duration
}

// Rules are patterns of what a [Policy] is about.
//
// Patterns of files are matched with the path relative to the workspace, with slashes,
// as it is spelt and as it is after links: * matches within a name, ** any number
// of folders, ? one character, {a,b} either; a pattern that ends in a slash is that
// folder and all in it.
//
// Patterns of commands are matched with the whole line: * matches anything, ? one
// character. With Deny they are matched also with each part of a line that the shell
// takes as a command of its own. With Allow, a * or ? does not get along with a line
// that holds one of the characters by which the shell puts commands together. What
// agents have git do without a command is the line that does the same, such as "git
// push" or "git checkout main".
type Rules struct {
	// Read is for Deny only, since reading is always allowed. What may not be read
	// may not be written either, as the answers show what was there.
	Read     []string
	Write    []string
	Commands []string
}

// ParsePolicy reads a policy from JSON, such as
//
//	{
//	  "mode": "ask-write",
//	  "allow": {"commands": ["git status", "go test*"], "write": ["docs/**"]},
//	  "deny": {"write": [".env", "**/*.pem"], "read": ["secrets/**"], "commands": ["rm -rf*"]},
//	  "timeoutMs": 300000
//	}
//
// All members are optional. It fails with kind Invalid when one is not known or wrong.
func ParsePolicy(data []byte) (Policy, error) {
	var (
		p           Policy
		allow, deny wire.Raw
		timeout     *int64
	)
	err := members("", data, map[string]any{"mode": &p.Mode, "allow": &allow, "deny": &deny, "timeoutMs": &timeout})
	if err == nil && allow != nil {
		err = members("allow.", allow, map[string]any{"write": &p.Allow.Write, "commands": &p.Allow.Commands})
	}
	if err == nil && deny != nil {
		err = members("deny.", deny, map[string]any{"read": &p.Deny.Read, "write": &p.Deny.Write, "commands": &p.Deny.Commands})
	}
	if err == nil && timeout != nil {
		if p.Timeout = time.Duration(*timeout) * time.Millisecond; *timeout <= 0 || *timeout > 1<<40 {
			err = wire.Errorf(wire.Invalid, "timeoutMs: %d is no time to wait", *timeout)
		}
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return Policy{}, wire.Errorf(wire.Invalid, "policy: %w", err)
	}
	return p, nil
}

// members reads an object that has no others.
func members(where string, data []byte, into map[string]any) error {
	var have map[string]wire.Raw
	if err := wire.Unmarshal(data, &have); err != nil {
		return fmt.Errorf("%sit must be an object: %w", where, err)
	}
	var known []string
	for name := range into {
		known = append(known, name)
	}
	slices.Sort(known)
	for name, value := range have {
		to, ok := into[name]
		if !ok {
			hint := "there are " + strings.Join(known, ", ")
			if near, ok := manifest.Nearest(name, known); ok {
				hint = "did you mean " + near + "?"
			}
			return wire.Errorf(wire.Invalid, "%s%s is not known (%s)", where, name, hint)
		}
		if err := wire.Unmarshal(value, to); err != nil {
			return fmt.Errorf("%s%s: %w", where, name, err)
		}
	}
	return nil
}

// check fails when the policy is none.
func (p *Policy) check() error {
	switch p.Mode {
	case "", Auto, AskWrite, AskExec, ReadOnly:
	default:
		return wire.Errorf(wire.Invalid, "mode: there is no %q, but %s, %s, %s and %s", p.Mode, Auto, AskWrite, AskExec, ReadOnly)
	}
	if len(p.Allow.Read) > 0 {
		return wire.Errorf(wire.Invalid, "allow.read: reading needs no leave")
	}
	if p.Timeout < 0 {
		return wire.Errorf(wire.Invalid, "the time to wait for a person is negative")
	}
	for _, list := range [][]string{p.Allow.Write, p.Deny.Write, p.Deny.Read} {
		for _, pattern := range list {
			if pattern == "" || strings.HasPrefix(pattern, "/") || slices.Contains(strings.Split(pattern, "/"), "..") || !doublestar.ValidatePattern(pattern) {
				return wire.Errorf(wire.Invalid, "%q is no pattern of paths in the workspace", pattern)
			}
		}
	}
	for _, pattern := range append(slices.Clone(p.Allow.Commands), p.Deny.Commands...) {
		if strings.TrimSpace(pattern) == "" {
			return wire.Errorf(wire.Invalid, "%q is no pattern of commands", pattern)
		}
	}
	return nil
}

// verdict is what a policy makes of a request.
type verdict int

const (
	allowed verdict = iota
	denied
	asked
)

// decide judges a request; by names the rule that did.
func (p *Policy) decide(ctx context.Context, s *subject) (v verdict, by string) {
	rule := func(name, pattern string) string { return name + " " + pattern }
	if s.line != "" {
		if pattern, ok := p.Deny.command(s.line); ok {
			return denied, rule("deny.commands", pattern)
		}
	}
	for _, at := range s.places {
		if pattern, ok := matchesAny(p.Deny.Read, at.name, at.real); ok {
			return denied, rule("deny.read", pattern)
		}
		if s.need != needRead {
			if pattern, ok := matchesAny(p.Deny.Write, at.name, at.real); ok {
				return denied, rule("deny.write", pattern)
			}
			if s.removes {
				if pattern, ok := p.Deny.below(ctx, s.root, at.real); ok {
					return denied, rule("deny.write", pattern)
				}
			}
		}
	}
	if s.line != "" {
		if slices.Contains(p.Allow.Commands, strings.TrimSpace(s.line)) {
			return allowed, rule("allow.commands", strings.TrimSpace(s.line))
		}
		if pattern, ok := p.Allow.commandAlone(s.line); ok {
			return allowed, rule("allow.commands", pattern)
		}
	}
	if s.need == needWrite && s.line == "" {
		if pattern, ok := p.Allow.all(s.means); ok {
			return allowed, rule("allow.write", pattern)
		}
	}
	mode := p.Mode
	if mode == "" {
		mode = Auto
	}
	by = "mode " + string(mode)
	writes, runs := s.need == needWrite, s.need == needExec || s.need == needWrite && s.forGit()
	switch {
	case mode == ReadOnly && (writes || runs):
		return denied, by
	case mode == AskWrite && (writes || runs), mode == AskExec && runs:
		return asked, by
	}
	return allowed, by
}

// matches is the first pattern that one of the names matches.
func matchesAny(patterns []string, names ...string) (string, bool) {
	for _, pattern := range patterns {
		full := strings.TrimPrefix(pattern, "./")
		if strings.HasSuffix(full, "/") {
			full += "**"
		}
		for _, name := range names {
			if doublestar.MatchUnvalidated(fold(full), fold(name)) {
				return pattern, true
			}
		}
	}
	return "", false
}

// all reports whether patterns of Write match all places, and names the last.
func (r *Rules) all(places []place) (pattern string, ok bool) {
	for _, at := range places {
		if _, ok = matchesAny(r.Write, at.name); !ok || !at.inside {
			return "", false
		}
		if pattern, ok = matchesAny(r.Write, at.real); !ok {
			return "", false
		}
	}
	return pattern, ok
}

// below is a pattern of Write that something in a folder matches.
func (r *Rules) below(ctx context.Context, root, folder string) (found string, ok bool) {
	if len(r.Write) == 0 {
		return "", false
	}
	top := filepath.Join(root, filepath.FromSlash(folder))
	_ = filepath.WalkDir(top, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be looked at cannot be removed either
		}
		if rel, err := filepath.Rel(root, p); err == nil {
			found, ok = matchesAny(r.Write, filepath.ToSlash(rel))
		}
		if ok || ctx.Err() != nil {
			return fs.SkipAll
		}
		return nil
	})
	return found, ok
}

// hides reports whether an item must not be shown to an agent: its name is relative to
// the workspace. Requests that look into many files leave out those.
func (p *Policy) hides(name string) bool {
	_, hidden := matchesAny(p.Deny.Read, name)
	return hidden
}

// pathspecs has git leave out what must not be read.
func (r *Rules) pathspecs() ([]string, error) {
	var specs []string
	for _, pattern := range r.Read {
		if strings.Contains(pattern, "{") {
			return nil, wire.Errorf(wire.Permission, "git diff: git cannot leave out what the rule deny.read %s hides", pattern)
		}
		pattern = strings.TrimPrefix(pattern, "./")
		if strings.HasSuffix(pattern, "/") {
			pattern += "**"
		}
		magic := ":(exclude,glob)"
		if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
			magic = ":(exclude,glob,icase)"
		}
		specs = append(specs, magic+pattern)
	}
	return specs, nil
}

// separators are what the shell puts commands together with.
const separators = ";&|\n\r"

// command is the first pattern that a line or a part of it matches.
func (r *Rules) command(line string) (string, bool) {
	parts := append([]string{line}, strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune(separators+"()`", c) })...)
	for _, pattern := range r.Commands {
		for _, part := range parts {
			if wildcard(pattern, strings.TrimSpace(part)) || wildcard(pattern, strings.Join(strings.Fields(part), " ")) {
				return pattern, true
			}
		}
	}
	return "", false
}

// commandAlone is the first pattern that a line matches that is one command alone.
func (r *Rules) commandAlone(line string) (string, bool) {
	if line = strings.TrimSpace(line); strings.ContainsAny(line, separators+"<>()`$") {
		return "", false
	}
	for _, pattern := range r.Commands {
		if wildcard(pattern, line) {
			return pattern, true
		}
	}
	return "", false
}

// wildcard matches a text with a pattern of * and ?.
func wildcard(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, from := -1, 0 // the last star, and where the text goes on after what it stands for
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
