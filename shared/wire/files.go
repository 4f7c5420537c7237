package wire

// FileRequest holds the members of every file request: each request type uses
// the ones that the protocol gives it. One type serves all of them because the
// provider treats them alike: it decodes, runs the verb, and answers.
type FileRequest struct {
	Header
	// Path is the item concerned, relative to the workspace or absolute inside
	// it. "", "." and "/" mean the workspace itself, and so does "root" where
	// something is listed.
	Path string `json:"path,omitzero"`

	OldPath         string `json:"oldPath,omitzero"`         // providerRenameItem
	NewPath         string `json:"newPath,omitzero"`         // providerRenameItem
	SourcePath      string `json:"sourcePath,omitzero"`      // providerCopyFile, providerCopyFolder
	DestinationPath string `json:"destinationPath,omitzero"` // providerCopyFile, providerCopyFolder

	// Content is what providerWriteFile writes; absent is an error, "" an empty file.
	Content *string `json:"content,omitzero"`
	// Encoding is "base64" when Content, or the answer, is to be base64. An
	// extension: the protocol knows only text.
	Encoding string `json:"encoding,omitzero"`

	// Overwrite lets providerRenameItem, providerCopyFile and providerCopyFolder
	// replace files that exist; without it they are refused. An extension.
	Overwrite bool `json:"overwrite,omitzero"`

	// Recursive, MaxEntries and MaxDepth make providerGetFullProject list the
	// whole tree instead of the top level. An extension.
	Recursive  bool `json:"recursive,omitzero"`
	MaxEntries int  `json:"maxEntries,omitzero"`
	MaxDepth   int  `json:"maxDepth,omitzero"`

	Extra Extra `json:",embed"`
}

// Base64 is the one value of "encoding" beside the default, text.
const Base64 = "base64"

// EncodedContent is the result of providerReadFile when the request asked for
// an encoding; without one the result is the text itself.
type EncodedContent struct {
	Encoding string `json:"encoding"`
	Content  string `json:"content"`
}

// TreeEntry is one item of providerGetTreeChildren and providerGetFullProject.
type TreeEntry struct {
	ID           string `json:"id"`   // path relative to the workspace, slash-separated
	Name         string `json:"name"` // last element of ID
	Path         string `json:"path"` // absolute path in the environment
	IsFolder     bool   `json:"isFolder"`
	Size         int64  `json:"size"`         // bytes; 0 for folders
	LastModified Time   `json:"lastModified"` // UTC, milliseconds
	// Problem says why the other members are incomplete, such as for a symbolic
	// link that leads nowhere. An extension.
	Problem string `json:"problem,omitzero"`
}

// FullProject is the result of providerGetFullProject with recursive:true.
type FullProject struct {
	Root      string      `json:"root"` // absolute path of the workspace
	Entries   []TreeEntry `json:"entries"`
	Truncated bool        `json:"truncated"` // a limit cut the list short
}
