package agentcall

import (
	"context"
	"fmt"
	"strings"
)

// gitFile is a file of a status: its state in the index and in the workspace, by the
// letters of git status, of which a space is unchanged.
type gitFile struct {
	Path       string `json:"path"`
	Index      string `json:"index"`
	WorkingDir string `json:"working_dir"`
}

type gitRename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// gitState is a status. Its lists are never null.
type gitState struct {
	NotAdded   []string    `json:"not_added"`
	Conflicted []string    `json:"conflicted"`
	Created    []string    `json:"created"`
	Deleted    []string    `json:"deleted"`
	Modified   []string    `json:"modified"`
	Renamed    []gitRename `json:"renamed"`
	Staged     []string    `json:"staged"`
	Files      []gitFile   `json:"files"`
	Ahead      int         `json:"ahead"`
	Behind     int         `json:"behind"`
	Current    string      `json:"current"`  // the branch
	Tracking   *string     `json:"tracking"` // the remote branch that belongs to it
	Detached   bool        `json:"detached"`
}

func gitStatus(ctx context.Context, g *gitCall) (gitBody, error) {
	out, whole, err := g.run(ctx, false, "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--find-renames", "--", ".")
	if err != nil {
		return nil, err
	}
	if !whole {
		out = out[:strings.LastIndexByte(out, 0)+1]
	}
	state, err := parseStatus(out)
	if err != nil {
		return nil, err
	}
	body := gitBody{"message": "Looked at the state of the files", "data": state}
	if !whole {
		body["truncated"] = true
	}
	return body, nil
}

// parseStatus reads what git status --porcelain=v2 -z --branch prints.
func parseStatus(out string) (*gitState, error) {
	s := &gitState{
		NotAdded: []string{}, Conflicted: []string{}, Created: []string{}, Deleted: []string{},
		Modified: []string{}, Renamed: []gitRename{}, Staged: []string{}, Files: []gitFile{},
	}
	items := strings.Split(out, "\x00")
	for len(items) > 0 {
		item := items[0]
		items = items[1:]
		kind, rest, _ := strings.Cut(item, " ")
		fields := map[string]int{"1": 7, "2": 8, "u": 9}[kind] // before the path, without the kind
		part := strings.SplitN(rest, " ", fields+1)
		switch {
		case item == "":
		case kind == "#":
			s.header(rest)
		case kind == "?":
			s.NotAdded = append(s.NotAdded, valid(rest))
			s.Files = append(s.Files, gitFile{valid(rest), "?", "?"})
		case fields == 0 || len(part) != fields+1 || len(part[0]) != 2:
			return nil, fmt.Errorf("git status: cannot read %q", item)
		case kind == "2":
			if len(items) == 0 {
				return s, nil // cut off
			}
			s.add(kind, part[0], part[fields], items[0])
			items = items[1:]
		default:
			s.add(kind, part[0], part[fields], "")
		}
	}
	return s, nil
}

func (s *gitState) header(line string) {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "branch.head":
		s.Current = valid(value)
		if value == "(detached)" {
			s.Current, s.Detached = "HEAD", true
		}
	case "branch.upstream":
		value = valid(value)
		s.Tracking = &value
	case "branch.ab":
		_, _ = fmt.Sscanf(value, "+%d -%d", &s.Ahead, &s.Behind)
	}
}

// add notes a file that git knows; from is what it was before it was renamed.
func (s *gitState) add(kind, xy, path, from string) {
	path, from = valid(path), valid(from)
	x, y := xy[0], xy[1]
	letter := func(c byte) string { return strings.ReplaceAll(string(rune(c)), ".", " ") }
	s.Files = append(s.Files, gitFile{path, letter(x), letter(y)})
	if kind == "u" {
		s.Conflicted = append(s.Conflicted, path)
		return
	}
	if x != '.' {
		s.Staged = append(s.Staged, path)
	}
	if kind == "2" {
		s.Renamed = append(s.Renamed, gitRename{from, path})
	}
	switch {
	case x == 'D' || y == 'D':
		s.Deleted = append(s.Deleted, path)
	case x == 'A' || y == 'A' || x == 'C':
		s.Created = append(s.Created, path)
	case x == 'M' || y == 'M' || x == 'T' || y == 'T':
		s.Modified = append(s.Modified, path)
	}
}

// gitCommitLine is a commit of a log.
type gitCommitLine struct {
	Hash        string `json:"hash"`
	Date        string `json:"date"` // ISO 8601
	Message     string `json:"message"`
	Refs        string `json:"refs"`
	Body        string `json:"body"`
	AuthorName  string `json:"author_name"`
	AuthorEmail string `json:"author_email"`
}

const (
	logFormat = "%H%x00%aI%x00%s%x00%D%x00%b%x00%aN%x00%aE"
	logFields = 7
	// maxCommits is how many commits a log has.
	maxCommits = 1000
)

func gitLogs(ctx context.Context, g *gitCall) (gitBody, error) {
	out, whole, err := g.run(ctx, false, "log", "-z", "--no-color", "--no-show-signature", fmt.Sprintf("--max-count=%d", maxCommits+1), "--format=tformat:"+logFormat)
	if complains(err, "does not have any commits yet") {
		out, err = "", nil
	}
	if err != nil {
		return nil, err
	}
	fields := strings.Split(out, "\x00")
	commits := []gitCommitLine{}
	for ; len(fields) > logFields; fields = fields[logFields:] { // what follows the last NUL is nothing, or cut off
		commits = append(commits, gitCommitLine{
			fields[0], fields[1], valid(fields[2]), valid(fields[3]), valid(strings.TrimSpace(fields[4])), valid(fields[5]), valid(fields[6]),
		})
	}
	body := gitBody{"message": "Read the log"}
	if len(commits) > maxCommits || !whole {
		commits = commits[:min(len(commits), maxCommits)]
		body["truncated"] = true
	}
	// The documentation has the list as data, and the SDK's own tool reads logs.
	body["data"], body["logs"], body["total"] = commits, commits, len(commits)
	if len(commits) > 0 {
		body["latest"] = commits[0]
	}
	return body, nil
}
