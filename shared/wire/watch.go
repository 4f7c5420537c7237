package wire

// Messages by which a server watches the files of an environment, an extension of
// codebolt-runtime. Each request is answered once, by its type with "Response".
const (
	TypeWatchStart   = "watch.start"
	TypeWatchStop    = "watch.stop"
	TypeWatchList    = "watch.list"
	TypeWatchChanged = "watch.changed"
)

// WatchStart begins to watch. The zero value of each member is its default.
type WatchStart struct {
	Header
	WatchID string `json:"watchId,omitzero"` // made up when it is ""
	// Path is a folder or a file; "" is all.
	Path string `json:"path,omitzero"`
	// Recursive is also what is in folders below; default true.
	Recursive *bool `json:"recursive,omitzero"`
	// Ignore are patterns of what is left out. One without a slash is of a name, at any
	// depth.
	Ignore []string `json:"ignore,omitzero"`
	// DebounceMS is how long changes are collected, in milliseconds; default 100.
	DebounceMS int   `json:"debounceMs,omitzero"`
	Extra      Extra `json:",embed"`
}

// WatchStop ends a watch.
type WatchStop struct {
	Header
	WatchID string `json:"watchId"`
	Extra   Extra  `json:",embed"`
}

// WatchReply answers requests about watches.
type WatchReply struct {
	Header
	Success bool       `json:"success"`
	WatchID string     `json:"watchId,omitzero"`
	Watches []WatchRow `json:"watches,omitempty"` // of TypeWatchList, when there are any
	Problem `json:",embed"`
	Extra   Extra `json:",embed"`
}

// WatchRow is a watch that there is.
type WatchRow struct {
	WatchID    string   `json:"watchId"`
	Path       string   `json:"path"`
	Recursive  bool     `json:"recursive"`
	Ignore     []string `json:"ignore,omitempty"`
	DebounceMS int      `json:"debounceMs"`
}

// WatchChanged tells what changed within a moment: each path once.
type WatchChanged struct {
	Type    string       `json:"type"`
	WatchID string       `json:"watchId"`
	Changes []FileChange `json:"changes"`
	// Overflow says that there was more: look at all anew.
	Overflow  bool `json:"overflow,omitzero"`
	Timestamp Time `json:"timestamp"`
}

// FileChange is one file or folder that changed.
type FileChange struct {
	Path     string `json:"path"` // below the workspace
	Kind     string `json:"kind"` // created, modified or deleted
	IsFolder bool   `json:"isFolder,omitzero"`
}
