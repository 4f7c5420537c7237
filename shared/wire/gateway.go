package wire

// Messages of the direct execution gateway, the other way to speak with a
// runtime, and the file calls that codebolt-runtime serves on every connection.
const (
	TypeGatewayRequest      = "executionGateway.request"
	TypeGatewayNotification = "executionGateway.notification"
	TypeGatewayReply        = "executionGateway.reply"
	TypeGatewayClaim        = "executionGateway.claim"
	TypeGatewayRelinquish   = "executionGateway.relinquish"
	TypeGatewaySubscribe    = "executionGateway.subscribe"
	TypeGatewayUnsubscribe  = "executionGateway.unsubscribe"
	TypeLegacyRequest       = "executionRequest"
	TypeLegacyNotification  = "executionNotification"
	TypeAppFS               = "providerAppFs"
	TypeAppFSResponse       = "providerAppFsResponse"
	TypeNarrativeImport     = "narrative.importUnifiedBundle"
	TypeNarrativeCheckout   = "narrative.checkoutSnapshot"
	TypeNarrativeCreate     = "narrative.createSnapshot"
	TypeNarrativeExport     = "narrative.exportUnifiedBundle"
	GatewayPath             = "/direct-execution-gateway"
)

// GatewayRequest carries an agent's request that awaits a reply.
type GatewayRequest struct {
	Header
	OriginalType    string `json:"originalType"`
	OriginalAction  string `json:"originalAction,omitzero"`
	OriginalMessage Raw    `json:"originalMessage"`
	Extra           Extra  `json:",embed"`
}

// GatewayNotification carries an agent's message that awaits none. Result
// stands in for OriginalMessage with some senders.
type GatewayNotification struct {
	Header
	OriginalType    string `json:"originalType"`
	OriginalMessage Raw    `json:"originalMessage,omitzero"`
	Result          Raw    `json:"result,omitzero"`
	Extra           Extra  `json:",embed"`
}

// GatewayReply answers a GatewayRequest. ReplyRequestID is the gateway's id;
// the reply is matched by it alone.
type GatewayReply struct {
	Header
	ReplyRequestID ID    `json:"replyRequestId"`
	Success        bool  `json:"success"`
	Result         Raw   `json:"result"`
	Extra          Extra `json:",embed"`
}

// GatewayRole answers a client of the gateway that claims or relinquishes it, subscribes
// or unsubscribes, by the type of its request.
type GatewayRole struct {
	Header
	Success bool             `json:"success"`
	Data    *GatewayRoleData `json:"data,omitzero"`
	Problem `json:",embed"`
}

// GatewayRoleData tells whether the client answers what agents ask.
type GatewayRoleData struct {
	Claimed  bool   `json:"claimed"`
	PluginID string `json:"pluginId"`
}

// The actions of AppFS. The first six are the gateway's; the rest are
// codebolt-runtime's, so that every file call takes one round trip.
const (
	FSReadFile     = "readFile"
	FSWriteFile    = "writeFile"
	FSCreateFolder = "createFolder"
	FSDeleteFile   = "deleteFile"
	FSDeleteFolder = "deleteFolder"
	FSRenameItem   = "renameItem"
	FSCopyFile     = "copyFile"
	FSCopyFolder   = "copyFolder"
	FSReadDir      = "readDir"
	FSStat         = "stat"
	FSWalk         = "walk"
)

// AppFS is a file call of a provider to its runtime.
type AppFS struct {
	Type      string    `json:"type"`
	RequestID ID        `json:"requestId"`
	Action    string    `json:"action"`
	Message   AppFSArgs `json:"message"`
}

// AppFSArgs are the arguments of an AppFS; paths are relative to the workspace.
type AppFSArgs struct {
	FilePath string `json:"filePath,omitzero"`
	OldPath  string `json:"oldPath,omitzero"`
	NewPath  string `json:"newPath,omitzero"`
	// Content is what writeFile writes: text, or base64 as Encoding says.
	Content  *string `json:"content,omitzero"`
	Encoding string  `json:"encoding,omitzero"`

	// The rest are extensions.
	Limit     int64 `json:"limit,omitzero"`     // readFile: most bytes; readDir, walk: most entries
	MaxDepth  int   `json:"maxDepth,omitzero"`  // walk
	Overwrite bool  `json:"overwrite,omitzero"` // renameItem, copyFile, copyFolder
	Extra     Extra `json:",embed"`
}

// AppFSReply answers an AppFS.
type AppFSReply struct {
	Type      string       `json:"type"`
	RequestID ID           `json:"requestId"`
	Success   bool         `json:"success"`
	Result    *AppFSResult `json:"result,omitzero"`
	Problem   `json:",embed"`
}

// AppFSResult wraps an AppFSPayload as the gateway does.
type AppFSResult struct {
	Payload AppFSPayload `json:"payload"`
}

// AppFSPayload is what a file call gives: Data for readFile, Entries for
// readDir, walk and stat.
type AppFSPayload struct {
	Data      *string   `json:"data,omitzero"`
	Encoding  string    `json:"encoding,omitzero"`
	Entries   []FSEntry `json:"entries,omitzero"`
	Truncated bool      `json:"truncated,omitzero"`
}

// The values of FSEntry.Kind.
const (
	KindFile    = "file"
	KindFolder  = "folder"
	KindSymlink = "symlink"
	KindOther   = "other" // a FIFO, socket or device; never opened
)

// FSEntry is one item of a directory.
type FSEntry struct {
	Path    string `json:"path"` // relative to the workspace, slash-separated
	Kind    string `json:"kind"`
	Size    int64  `json:"size,omitzero"`
	ModTime int64  `json:"modTime"` // nanoseconds since 1970
	Mode    uint32 `json:"mode"`    // permission bits
	// Target is what a symbolic link leads to inside the workspace: the kind, or
	// "" when it leads nowhere or outside.
	Target  string `json:"target,omitzero"`
	Problem string `json:"problem,omitzero"`
}

// NarrativeRequest is one of the narrative.* requests.
type NarrativeRequest struct {
	Header
	EnvironmentID string `json:"environmentId,omitzero"`
	Workspace     string `json:"workspace,omitzero"`
	BundlePath    string `json:"bundlePath,omitzero"`
	SnapshotID    string `json:"snapshotId,omitzero"`
	Description   string `json:"description,omitzero"`
	Incremental   *bool  `json:"incremental,omitzero"`
	Strategy      Raw    `json:"strategy,omitzero"`
	Extra         Extra  `json:",embed"`
}

// NarrativeResponse answers a NarrativeRequest; its type is the request's with
// "Response" appended, and it carries the request's id.
type NarrativeResponse struct {
	Header
	Success           bool     `json:"success"`
	SnapshotIDs       []string `json:"snapshot_ids,omitzero"`
	NarrativeImported bool     `json:"narrative_imported,omitzero"`
	RestoredTreeHash  string   `json:"restored_tree_hash,omitzero"`
	SnapshotID        string   `json:"snapshot_id,omitzero"`
	TreeHash          string   `json:"tree_hash,omitzero"`
	BundlePath        string   `json:"bundlePath,omitzero"`
	ExportedSnapshot  string   `json:"snapshotId,omitzero"`
	BaseSnapshotID    *string  `json:"baseSnapshotId,omitzero"`
	NarrativeSummary  Raw      `json:"narrativeSummary,omitzero"`
	Problem           `json:",embed"`
	Extra             Extra `json:",embed"`
}
