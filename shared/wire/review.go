package wire

// The statuses of a changed file.
const (
	Added    = "added"
	Modified = "modified"
	Deleted  = "deleted"
	Renamed  = "renamed"
)

// DiffResult is the result of providerGetDiffFiles: everything that changed
// since the environment was made, committed or not.
type DiffResult struct {
	Files   []DiffFile  `json:"files"`
	Summary DiffSummary `json:"summary"`
	// RawDiff is one patch of all files; unless Truncated, git apply takes it.
	RawDiff string `json:"rawDiff"`

	// The rest are extensions.
	Base      string `json:"base,omitzero"`      // commit the diff is against
	Truncated bool   `json:"truncated,omitzero"` // a limit cut something short
}

// DiffFile is one changed file.
type DiffFile struct {
	Path    string      `json:"path"`
	Status  string      `json:"status"` // added, modified, deleted or renamed
	Changes DiffChanges `json:"changes"`
	Diff    string      `json:"diff"` // this file's part of the patch

	// The rest are extensions.
	OldPath   string `json:"oldPath,omitzero"` // of a renamed file
	Binary    bool   `json:"binary,omitzero"`
	OldMode   string `json:"oldMode,omitzero"` // git mode, when it changed
	NewMode   string `json:"newMode,omitzero"`
	Truncated bool   `json:"truncated,omitzero"` // Diff was over the size limit
}

// DiffChanges counts lines; Changes is the sum of the other two.
type DiffChanges struct {
	Additions int `json:"additions"`
	Deletions int `json:"deletions"`
	Changes   int `json:"changes"`
}

// DiffSummary counts over all files.
type DiffSummary struct {
	TotalFiles     int `json:"totalFiles"`
	TotalAdditions int `json:"totalAdditions"`
	TotalDeletions int `json:"totalDeletions"`
	TotalChanges   int `json:"totalChanges"`
}

// SendPR asks that the work be offered for review. The server's own API has
// title, description and branch; the Node SDK passes none of them on.
type SendPR struct {
	Header
	Title       string `json:"title,omitzero"`
	Description string `json:"description,omitzero"`
	Branch      string `json:"branch,omitzero"`
	Extra       Extra  `json:",embed"`
}

// PullRequest is the result of providerSendPR: what was pushed, and the pull
// request where one could be opened, or else the page on which to open it.
type PullRequest struct {
	SourceType    string `json:"sourceType"`    // "git"
	RMRSourceType string `json:"rmrSourceType"` // "git"

	Branch     string `json:"branch"`
	Remote     string `json:"remote"`
	Commit     string `json:"commit"`
	CompareURL string `json:"compareUrl,omitzero"`

	// ExternalPRURL and PRURL are the same; the second is the shorter name that
	// newer readers use.
	PRURL            string `json:"prUrl,omitzero"`
	ExternalPRURL    string `json:"externalPrUrl,omitzero"`
	ExternalPRNumber int    `json:"externalPrNumber,omitzero"`
	GitTransport     string `json:"gitTransport,omitzero"` // "github_pr" when a pull request was opened

	Title             string   `json:"title,omitzero"`
	Description       string   `json:"description,omitzero"`
	MajorFilesChanged []string `json:"majorFilesChanged,omitzero"`
}
