package agentcall

import (
	"cmp"
	"context"
	"encoding/base64"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	// maxRead is the most that is read of a file for an agent, in bytes. Encoded it
	// must still fit into one frame.
	maxRead = 32 << 20
	// maxPath is how long a path in a request may be; sentences repeat it.
	maxPath = 4096
)

// fileVerbs are the requests about files, under the names that the SDK's versions and
// the protocol's own list have for them.
var fileVerbs = map[string]map[string]verb{"fsEvent": {
	"readFile":     {response: "readFileResponse", need: needRead, do: readFile},
	"createFile":   {response: "createFileResponse", need: needWrite, do: createFile},
	"writeToFile":  {response: "writeToFileResponse", need: needWrite, do: writeToFile},
	"updateFile":   {response: "updateFileResponse", unnamed: "commandOutput", need: needWrite, do: updateFile},
	"smartEdit":    {response: "smartEditResponse", need: needWrite, do: smartEdit},
	"deleteFile":   {response: "deleteFileResponse", need: needWrite, do: deleteFile},
	"deleteFolder": {response: "deleteFolderResponse", need: needWrite, do: deleteFolder},
	"createFolder": {response: "createFolderResponse", need: needWrite, do: createFolder},

	"listDirectory":  {response: "listDirectoryResponse", need: needRead, do: listDirectory},
	"list_directory": {response: "listDirectoryResponse", need: needRead, do: listDirectory},
	"listFiles":      {response: "listFilesResponse", need: needRead, do: listFiles},
	"fileList":       {response: "fileListResponse", need: needRead, do: listFiles},

	"readManyFiles":   {response: "readManyFilesResponse", need: needRead, do: readManyFiles},
	"read_many_files": {response: "readManyFilesResponse", need: needRead, do: readManyFiles},

	"grepSearch":  {response: "grepSearchResponse", need: needRead, do: grepSearch},
	"grep_search": {response: "grepSearchResponse", need: needRead, do: grepSearch},
	"searchFiles": {response: "searchFilesResponse", need: needRead, do: grepSearch},
	"fuzzySearch": {response: "fuzzySearchResponse", need: needRead, do: fuzzySearch},
	"file_search": {response: "fuzzySearchResponse", need: needRead, do: fuzzySearch},
}}

// message decodes what a request is about: its member message.
func message[T any](r *request) (*T, error) {
	var frame struct {
		Message *T `json:"message"`
	}
	if err := wire.Unmarshal(r.frame, &frame); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%s: %w", r.Action, err)
	}
	if frame.Message == nil {
		return nil, wire.Errorf(wire.Invalid, "%s: the message is missing", r.Action)
	}
	return frame.Message, nil
}

// itemArgs are the message of the requests about one file or folder. Each version of
// the SDK has other names for the same.
type itemArgs struct {
	Path     string `json:"path"`
	FilePath string `json:"filePath"`
	RelPath  string `json:"relPath"`

	FileName string `json:"fileName"`
	Filename string `json:"filename"`

	FolderPath string `json:"folderPath"`
	Folderpath string `json:"folderpath"`
	FolderName string `json:"folderName"`
	Foldername string `json:"foldername"`

	Content    *string `json:"content"`
	NewContent *string `json:"newContent"`
	Source     *string `json:"source"`
	Encoding   string  `json:"encoding"`
}

func (a *itemArgs) content() *string { return cmp.Or(a.Content, a.NewContent, a.Source) }

func (a *itemArgs) file() (where, base string) {
	return cmp.Or(a.FilePath, a.Path, a.RelPath), cmp.Or(a.FileName, a.Filename)
}

func (a *itemArgs) folder() (where, base string) {
	return cmp.Or(a.FolderPath, a.Folderpath, a.Path), cmp.Or(a.FolderName, a.Foldername)
}

func (c *Caller) files() *workspace.Files {
	return &workspace.Files{FS: c.s.opt.Files, MaxRead: maxRead}
}

// name turns a path of a request into a name of the workspace.
func (c *Caller) name(op, p string) (string, error) {
	if len(p) > maxPath {
		return "", wire.Errorf(wire.Invalid, "%s: the path has more than %d bytes", op, maxPath)
	}
	return workspace.Name(c.s.opt.Files, op, p)
}

// folderName is name for what is listed or searched, where no path means all.
func (c *Caller) folderName(op, p string) (string, error) {
	return c.name(op, cmp.Or(p, "."))
}

func (c *Caller) path(name string) string { return workspace.Path(c.s.opt.Files, name) }

// locate finds the item that a request names by its path, or by a path and a base
// name. Agents give as the path then the folder that holds the item or the item
// itself. there tells that the item is one that must exist already.
func (c *Caller) locate(ctx context.Context, op string, there bool, where, base string) (string, error) {
	switch {
	case base == "":
		return c.name(op, where)
	case where == "", strings.HasPrefix(base, "/"):
		return c.name(op, base)
	}
	whole, err := c.name(op, where)
	if err != nil {
		return "", err
	}
	joined, err := c.name(op, where+"/"+base)
	if err != nil {
		return "", err
	}
	if whole != base && !strings.HasSuffix(whole, "/"+base) {
		return joined, nil
	}
	// A folder may hold an item of its own name.
	if there {
		if _, err := c.s.opt.Files.Stat(ctx, joined); err == nil {
			return joined, nil
		}
	} else if item, err := c.s.opt.Files.Stat(ctx, whole); err == nil && isFolder(&item) {
		return joined, nil
	}
	return whole, nil
}

func isFolder(item *wire.FSEntry) bool {
	return item.Kind == wire.KindFolder || item.Target == wire.KindFolder
}

func isFile(item *wire.FSEntry) bool {
	return item.Kind == wire.KindFile || item.Target == wire.KindFile
}

// fileContent is the answer of readFile. The file is always whole.
type fileContent struct {
	Path        string `json:"path"`
	Content     string `json:"content"`
	Encoding    string `json:"encoding"` // "utf8" or "base64"
	Size        int    `json:"size"`
	LineCount   int    `json:"lineCount,omitzero"`
	IsTruncated bool   `json:"isTruncated"`
	Truncated   bool   `json:"truncated"`
}

func readFile(ctx context.Context, c *Caller, r *request) (any, error) {
	a, err := message[itemArgs](r)
	if err != nil {
		return nil, err
	}
	where, base := a.file()
	name, err := c.locate(ctx, "read", true, where, base)
	if err != nil {
		return nil, err
	}
	got, err := c.files().Do(ctx, wire.TypeReadFile, &wire.FileRequest{Path: name, Encoding: a.Encoding})
	if err != nil {
		return nil, err
	}
	content := fileContent{Path: c.path(name), Encoding: "utf8"}
	switch got := got.(type) {
	case string:
		content.Content, content.Size, content.LineCount = got, len(got), countLines(got)
	case wire.EncodedContent:
		content.Content, content.Encoding, content.Size = got.Content, got.Encoding, size(&got.Content, got.Encoding)
	}
	c.tellRead(r, name, content.Content, content.Encoding)
	return &content, nil
}

// countLines counts a last line without an end, too.
func countLines(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}

// size is how many bytes a content is that may be encoded.
func size(content *string, encoding string) int {
	switch {
	case content == nil:
		return 0
	case encoding != wire.Base64:
		return len(*content)
	}
	bare := strings.TrimRight(strings.NewReplacer("\r", "", "\n", "").Replace(*content), "=")
	return base64.RawStdEncoding.DecodedLen(len(bare))
}

// removed is the answer of the requests that delete.
type removed struct {
	Path    string `json:"path"`
	Deleted bool   `json:"deleted"`
	// ItemsDeleted counts the folder and what was in it; of a very large folder
	// nothing is known.
	ItemsDeleted int `json:"itemsDeleted,omitzero"`
}

func deleteFile(ctx context.Context, c *Caller, r *request) (any, error) {
	a, err := message[itemArgs](r)
	if err != nil {
		return nil, err
	}
	where, base := a.file()
	name, err := c.locate(ctx, "delete", true, where, base)
	if err != nil {
		return nil, err
	}
	if _, err := c.files().Do(ctx, wire.TypeDeleteFile, &wire.FileRequest{Path: name}); err != nil {
		return nil, err
	}
	return &removed{Path: c.path(name), Deleted: true}, nil
}

func deleteFolder(ctx context.Context, c *Caller, r *request) (any, error) {
	a, err := message[itemArgs](r)
	if err != nil {
		return nil, err
	}
	where, base := a.folder()
	name, err := c.locate(ctx, "delete folder", true, where, base)
	if err != nil {
		return nil, err
	}
	// The workspace is content with a folder that is absent, but an agent that names
	// one is mistaken.
	item, err := c.s.opt.Files.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	count := 1
	if item.Kind == wire.KindFolder && name != "." {
		count += c.count(ctx, name)
	}
	if _, err := c.files().Do(ctx, wire.TypeDeleteFolder, &wire.FileRequest{Path: name}); err != nil {
		return nil, err
	}
	if count > maxCount {
		count = 0
	}
	return &removed{Path: c.path(name), Deleted: true, ItemsDeleted: count}, nil
}

// maxCount is how many items are counted before the number is given up.
const maxCount = 10_000

// count is how many items are below a folder: exact up to maxCount, else more.
func (c *Caller) count(ctx context.Context, folder string) (n int) {
	for folders := []string{folder}; len(folders) > 0; {
		items, err := c.s.opt.Files.ReadDir(ctx, folders[0], maxCount)
		if err != nil {
			return maxCount + 1
		}
		folders = folders[1:]
		if n += len(items); n > maxCount {
			return n
		}
		for i := range items {
			if items[i].Kind == wire.KindFolder {
				folders = append(folders, items[i].Path)
			}
		}
	}
	return n
}

// created is the answer of createFolder.
type created struct {
	Path    string `json:"path"`
	Created bool   `json:"created"` // false when it was there already
}

func createFolder(ctx context.Context, c *Caller, r *request) (any, error) {
	a, err := message[itemArgs](r)
	if err != nil {
		return nil, err
	}
	where, base := a.folder()
	name, err := c.locate(ctx, "create folder", false, where, base)
	if err != nil {
		return nil, err
	}
	_, absent := c.s.opt.Files.Stat(ctx, name)
	if _, err := c.files().Do(ctx, wire.TypeCreateFolder, &wire.FileRequest{Path: name}); err != nil {
		return nil, err
	}
	return &created{Path: c.path(name), Created: absent != nil}, nil
}
