package agentcall

import (
	"context"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// maxEcho is how large an old or new content an answer repeats, in bytes; with
	// larger ones nothing is compared either.
	maxEcho = 1 << 20
	// maxDiffLines is how many lines are compared: what that takes grows with the
	// square of their number.
	maxDiffLines = 20_000
	diffContext  = 3
	// maxTold is how much of a file's content the platform is told, in bytes.
	maxTold = 4 << 10
)

// written is the answer of the requests that write a file.
type written struct {
	Path         string `json:"path"`
	BytesWritten int    `json:"bytesWritten"`
	Created      bool   `json:"created"`
	Updated      bool   `json:"updated"`
	IsNewFile    bool   `json:"isNewFile"`
	// The contents and what changed are absent when they are large or no text.
	OriginalContent *string `json:"originalContent,omitzero"`
	NewContent      *string `json:"newContent,omitzero"`
	Diff            *string `json:"diff,omitzero"`
	DiffTruncated   bool    `json:"diffTruncated,omitzero"` // the diff is left out
	Replacements    int     `json:"replacements,omitzero"`
	Result          string  `json:"result"` // a sentence
}

func createFile(ctx context.Context, c *Caller, r *request) (any, error) {
	return c.writeFile(ctx, r, "create", false)
}

func writeToFile(ctx context.Context, c *Caller, r *request) (any, error) {
	return c.writeFile(ctx, r, "write", false)
}

func updateFile(ctx context.Context, c *Caller, r *request) (any, error) {
	return c.writeFile(ctx, r, "update", true)
}

// writeFile makes a file have the content of the request; there tells that it must
// exist already.
func (c *Caller) writeFile(ctx context.Context, r *request, op string, there bool) (any, error) {
	a, err := message[itemArgs](r)
	if err != nil {
		return nil, err
	}
	where, base := a.file()
	name, err := c.locate(ctx, op, there, where, base)
	if err != nil {
		return nil, err
	}
	if there {
		if _, err := c.s.opt.Files.Stat(ctx, name); err != nil {
			return nil, err
		}
	}
	before := c.before(ctx, name)
	w, err := c.put(ctx, r, name, &before, &wire.FileRequest{Path: name, Content: a.content(), Encoding: a.Encoding})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// state is what was in the place of a file that is written.
type state struct {
	absent bool
	text   *string // nil when it is large, no text or not to be read
}

func (c *Caller) before(ctx context.Context, name string) state {
	data, err := c.s.opt.Files.ReadFile(ctx, name, maxEcho)
	switch {
	case wire.CodeOf(err) == wire.NotFound:
		return state{absent: true, text: new(string)}
	case err != nil, !utf8.Valid(data):
		return state{}
	}
	text := string(data)
	return state{text: &text}
}

// put writes a file, tells the platform and says what changed.
func (c *Caller) put(ctx context.Context, r *request, name string, before *state, req *wire.FileRequest) (*written, error) {
	if _, err := c.files().Do(ctx, wire.TypeWriteFile, req); err != nil {
		return nil, err
	}
	w := written{
		Path: c.path(name), BytesWritten: size(req.Content, req.Encoding),
		Created: before.absent, Updated: !before.absent, IsNewFile: before.absent,
		OriginalContent: before.text, Result: "wrote " + c.path(name),
	}
	if req.Encoding == "" && len(*req.Content) <= maxEcho {
		w.NewContent = req.Content
	}
	if w.OriginalContent != nil && w.NewContent != nil {
		w.Diff = diff(path.Base(name), *w.OriginalContent, *w.NewContent)
	}
	w.DiffTruncated = w.Diff == nil
	c.tellFile(r, "writeToFileResult", name, *req.Content, req.Encoding)
	return &w, nil
}

// diff describes a change as a unified patch; nil when it is too much to compare.
func diff(base, before, after string) *string {
	a, b := lines(before), lines(after)
	if len(a)+len(b) > maxDiffLines {
		return nil
	}
	// As the diff libraries of JavaScript begin a patch.
	head := "Index: " + base + "\n" + strings.Repeat("=", 67) + "\n"
	body, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: a, FromFile: base, FromDate: "Original",
		B: b, ToFile: base, ToDate: "Written", Context: diffContext,
	})
	if err != nil {
		return nil
	}
	if body == "" { // nothing changed
		body = "--- " + base + "\tOriginal\n+++ " + base + "\tWritten\n"
	}
	patch := head + body
	return &patch
}

// lines are the lines of a text with their ends. A last one that has none bears the
// mark that a patch has for that.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	split := strings.SplitAfter(text, "\n")
	if last := len(split) - 1; split[last] == "" {
		split = split[:last]
	} else {
		split[last] += "\n\\ No newline at end of file\n"
	}
	return split
}

type editArgs struct {
	FilePath             string  `json:"filePath"`
	OldString            string  `json:"oldString"`
	NewString            *string `json:"newString"`
	ExpectedReplacements *int    `json:"expectedReplacements"`
}

// smartEdit replaces all occurrences of a text in a file.
func smartEdit(ctx context.Context, c *Caller, r *request) (any, error) {
	const op = "edit"
	a, err := message[editArgs](r)
	if err != nil {
		return nil, err
	}
	name, err := c.name(op, a.FilePath)
	switch {
	case err != nil:
		return nil, err
	case a.OldString == "":
		return nil, wire.Errorf(wire.Invalid, "%s %q: oldString, the text to replace, is empty", op, name)
	case a.NewString == nil:
		return nil, wire.Errorf(wire.Invalid, "%s %q: newString, the text to put in its place, is missing", op, name)
	case a.ExpectedReplacements != nil && *a.ExpectedReplacements < 1:
		return nil, wire.Errorf(wire.Invalid, "%s %q: expectedReplacements must be at least 1", op, name)
	}
	got, err := c.files().Do(ctx, wire.TypeReadFile, &wire.FileRequest{Path: name})
	if err != nil {
		return nil, err
	}
	old, _ := got.(string)
	n := strings.Count(old, a.OldString)
	switch {
	case n == 0:
		return nil, wire.Errorf(wire.Conflict, "%s %q: the text to replace is not in the file", op, name)
	case a.ExpectedReplacements != nil && n != *a.ExpectedReplacements:
		return nil, wire.Errorf(wire.Conflict, "%s %q: the text to replace is in the file %d times, not %d times", op, name, n, *a.ExpectedReplacements)
	case int64(len(old))+int64(n)*int64(len(*a.NewString)-len(a.OldString)) > maxRead:
		return nil, wire.Errorf(wire.TooLarge, "%s %q: the file would become larger than the limit of %d bytes", op, name, maxRead)
	}
	before := state{text: &old}
	if len(old) > maxEcho {
		before.text = nil
	}
	content := strings.ReplaceAll(old, a.OldString, *a.NewString)
	w, err := c.put(ctx, r, name, &before, &wire.FileRequest{Path: name, Content: &content})
	if err != nil {
		return nil, err
	}
	w.Replacements = n
	return w, nil
}

// notice tells the platform of a file that an agent has read or written.
type notice struct {
	Type            string     `json:"type"`
	Action          string     `json:"action"`
	Data            noticeFile `json:"data"`
	RequestID       wire.ID    `json:"requestId"`
	ToolUseID       wire.ID    `json:"toolUseId"`
	ThreadID        string     `json:"threadId"`
	AgentID         string     `json:"agentId"`
	AgentInstanceID string     `json:"agentInstanceId"`
	IsError         bool       `json:"isError"`
}

type noticeFile struct {
	FilePath  string `json:"filePath"`
	Content   string `json:"content"`
	Truncated bool   `json:"truncated,omitzero"`
}

// tellRead tells the platform of a file that was read, where that is wanted.
func (c *Caller) tellRead(r *request, name, content, encoding string) {
	if c.s.opt.TellReads {
		c.tellFile(r, "readFileResult", name, content, encoding)
	}
}

func (c *Caller) tellFile(r *request, action, name, content, encoding string) {
	data := noticeFile{FilePath: c.path(name), Content: content}
	if encoding == wire.Base64 { // nobody could read it
		data.Content, data.Truncated = "", content != ""
	}
	if len(data.Content) > maxTold {
		data.Content, data.Truncated = head(data.Content, maxTold), true
	}
	id := r.RequestID.OrNew()
	frame, err := wire.Marshal(&notice{
		Type: "fsnotify", Action: action, Data: data, RequestID: id, ToolUseID: id,
		ThreadID: c.agent.ThreadID, AgentID: c.agent.ID, AgentInstanceID: c.agent.InstanceID,
	})
	if err != nil {
		c.s.opt.Log.Warn("notice of an agent's request", "action", action, "error", err)
		return
	}
	c.agent.Tell(frame)
}

// head is the beginning of a text, of at most n bytes and not torn in a character.
func head(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
