package wire

// Messages between a provider and a remote runtime that speaks the agent
// server's protocol, and what the runtime says on behalf of its agents.
const (
	TypeRegistered         = "registered"
	TypePing               = "__ping" // application-level keepalive of the runtime
	TypePong               = "__pong"
	TypeAgentStarted       = "agentStarted"
	TypeAgentOutput        = "agentOutput" // an extension
	TypeProcessStopped     = "processStoped"
	TypeStopProcess        = "stopProcessClicked"
	TypeSetNarrative       = "setNarrativeContext"
	TypeSnapshotImport     = "snapshotArchiveImport"
	TypeSnapshotImported   = "snapshotArchiveImportResult"
	TypeSnapshotExport     = "snapshotExportRequest"
	TypeSnapshotExported   = "snapshotBundleExport"
	TypeError              = "error"
	TypeResponse           = "response" // the runtime's answer to a message without a type
	ActionAgentGone        = "agent-disconnected"
	ActionAppGone          = "app-disconnected"
	RuntimeReadyLine       = "Server started successfully" // on the runtime's stdout
	RuntimeClientApp       = "app"
	RuntimeParamToken      = "token" // query parameter, where no header can be sent
	RuntimeParamClientType = "clientType"
	RuntimeParamAppID      = "appId"
	RuntimeParamProject    = "projectName"
	RuntimeParamCurrent    = "currentProject"
	RuntimeParamProvider   = "providerId" // of the direct execution gateway
)

// Registered is the first message of a runtime to a client.
type Registered struct {
	Type             string `json:"type"`
	ConnectionID     string `json:"connectionId"`
	ConnectionType   string `json:"connectionType"`
	ThreadID         string `json:"threadId,omitzero"`
	Message          string `json:"message"`
	RegistrationType string `json:"registrationType,omitzero"`
	AppInstanceID    string `json:"appInstanceId,omitzero"`

	// ParentID and AgentInstanceID are told to agents only.
	ParentID        string `json:"parentId,omitzero"`
	AgentInstanceID string `json:"agentInstanceId,omitzero"`

	// InstanceID names the runtime process; an extension of codebolt-runtime.
	InstanceID string `json:"instanceId,omitzero"`
	Version    string `json:"version,omitzero"`
	Extra      Extra  `json:",embed"`
}

// MessageResponse is the prompt envelope: it starts the agent it selects, or
// gives a running one its next message.
type MessageResponse struct {
	Header
	Message   Prompt `json:"message"`
	Sender    Raw    `json:"sender,omitzero"`
	MessageID string `json:"messageId,omitzero"`
	Timestamp int64  `json:"timestamp,omitzero"` // milliseconds since 1970
	Extra     Extra  `json:",embed"`
}

// Prompt is the part of a MessageResponse that a runtime reads.
type Prompt struct {
	UserMessage   string         `json:"userMessage,omitzero"`
	SelectedAgent *SelectedAgent `json:"selectedAgent,omitzero"`
	ThreadID      string         `json:"threadId,omitzero"`
	MessageID     string         `json:"messageId,omitzero"`
	Extra         Extra          `json:",embed"`
}

// SelectedAgent says which agent a prompt is for and how to start it.
type SelectedAgent struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitzero"`
	AgentType string `json:"agentType,omitzero"`
	// AgentDetails is a string for the documented agent types, and an AgentCommand
	// for command.
	AgentDetails Raw   `json:"agentDetails,omitzero"`
	Extra        Extra `json:",embed"`
}

// EnvRuntimeInstance is the environment variable that a runtime and everything
// it starts have: the runtime's instance id. By it, what a killed runtime left
// running is known. An extension of codebolt-runtime.
const EnvRuntimeInstance = "CODEBOLT_RUNTIME_INSTANCE"

// EnvAgentInstance is the environment variable that an agent and everything it
// starts have: which run of an agent it is. An extension of codebolt-runtime.
const EnvAgentInstance = "CODEBOLT_AGENT_INSTANCE"

// AgentTypeCommand is the agent type of a plain command. An extension of
// codebolt-runtime; the documented types start agents that use the SDK.
const AgentTypeCommand = "command"

// AgentCommand is a plain command that runs as an agent.
type AgentCommand struct {
	// Argv is the program and its arguments; no shell looks at them.
	Argv []string `json:"argv"`
	// Env holds variables set besides the ones every agent gets.
	Env map[string]string `json:"env,omitzero"`
	// Dir is the working directory inside the workspace; "" is its root.
	Dir string `json:"dir,omitzero"`
	// Endpoint tells that the program speaks as an agent with the SDK does: it gets the
	// same variables, and connects. Without it, it is a program that prints and ends.
	Endpoint bool `json:"endpoint,omitzero"`
}

// Messages between a runtime and agents with the SDK.
const (
	TypeConfirmation   = "confirmationResponse"
	TypeSteering       = "steeringMessage"
	RuntimeClientAgent = "agent"
)

// AgentStarted tells that an agent's process runs.
type AgentStarted struct {
	Type        string       `json:"type"`
	AgentID     string       `json:"agentId"`
	ParentID    string       `json:"parentId"`
	InstanceID  string       `json:"instanceId"` // of this run of the agent
	ThreadID    string       `json:"threadId,omitzero"`
	ProjectInfo *ProjectInfo `json:"projectInfo,omitzero"`

	// The rest are extensions.
	PID       int    `json:"pid,omitzero"`
	Replay    bool   `json:"replay,omitzero"` // sent before, to an earlier connection
	Timestamp int64  `json:"timestamp,omitzero"`
	MessageID string `json:"messageId,omitzero"`
}

// ProjectInfo says where an agent works.
type ProjectInfo struct {
	Path     string `json:"path"`
	Name     string `json:"name"`
	Metadata Raw    `json:"metadata,omitzero"`
}

// The streams of AgentOutput.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// AgentOutput is a piece of what an agent printed. Offset counts the bytes of
// that stream before it, so that a reader who has seen a part of a replay
// before can leave it out. An extension.
type AgentOutput struct {
	Type            string `json:"type"`
	AgentID         string `json:"agentId"`
	AgentInstanceID string `json:"agentInstanceId"`
	ThreadID        string `json:"threadId,omitzero"`
	Stream          string `json:"stream"` // stdout or stderr
	Offset          int64  `json:"offset"` // bytes
	Data            string `json:"data"`
	Encoding        string `json:"encoding,omitzero"` // "base64" when the bytes are not UTF-8
	// Dropped counts bytes of this stream just before Offset that were not kept
	// for the replay.
	Dropped   int64 `json:"dropped,omitzero"`
	Replay    bool  `json:"replay,omitzero"`
	Timestamp int64 `json:"timestamp"`
}

// ProcessStopped ends an agent's message: the agent's own word, or, with
// Synthetic, the runtime's when the process ended without one.
type ProcessStopped struct {
	Type            string `json:"type"`
	AgentID         string `json:"agentId,omitzero"`
	AgentInstanceID string `json:"agentInstanceId,omitzero"`
	ThreadID        string `json:"threadId,omitzero"`
	MessageID       string `json:"messageId,omitzero"`
	Message         Raw    `json:"message,omitzero"` // the agent's result
	Problem         `json:",embed"`

	// The rest are extensions.
	ExitCode  *int   `json:"exitCode,omitzero"` // absent when it never ran or a signal ended it
	Signal    string `json:"signal,omitzero"`   // such as "SIGKILL"
	Synthetic bool   `json:"synthetic,omitzero"`
	Replay    bool   `json:"replay,omitzero"`
	// StdoutBytes and StderrBytes count what the agent printed in all, so that a
	// reader knows when it has everything.
	StdoutBytes int64 `json:"stdoutBytes,omitzero"`
	StderrBytes int64 `json:"stderrBytes,omitzero"`
	Timestamp   int64 `json:"timestamp,omitzero"`
	RequestID   ID    `json:"requestId,omitzero"`
	Extra       Extra `json:",embed"`
}

// StopProcess asks that an agent stop. A plain command gets SIGTERM, and
// SIGKILL when it does not end in time.
type StopProcess struct {
	Header
	AgentID         string `json:"agentId,omitzero"`
	AgentInstanceID string `json:"agentInstanceId,omitzero"`
	ThreadID        string `json:"threadId,omitzero"`
	// GraceMS is how long the process group has between the two signals;
	// 0 is the runtime's default. An extension.
	GraceMS int64 `json:"graceMs,omitzero"`
	Extra   Extra `json:",embed"`
}

// AgentRefusal is the runtime's answer to an agent's message that it does not pass on.
type AgentRefusal struct {
	Type      string `json:"type"` // the action with "Response", or "error"
	RequestID ID     `json:"requestId,omitzero"`
	Success   bool   `json:"success"`
	Message   string `json:"message"` // the same as Error
	Problem   `json:",embed"`
}

// MessageFault is the runtime's answer to a frame it cannot use.
type MessageFault struct {
	ID        string `json:"id"`
	Type      string `json:"type"` // response
	Success   bool   `json:"success"`
	Error     string `json:"error"`
	RequestID ID     `json:"requestId,omitzero"`
	Timestamp Time   `json:"timestamp"`
}

// SetNarrative gives the runtime the story its agents work in.
type SetNarrative struct {
	Header
	NarrativeContext *NarrativeContext `json:"narrativeContext"`
	Extra            Extra             `json:",embed"`
}

// SnapshotImport hands the runtime a snapshot archive.
type SnapshotImport struct {
	Header
	ArchiveData      string            `json:"archiveData"` // base64 of a tar.gz
	EnvironmentID    string            `json:"environmentId"`
	EnvironmentName  string            `json:"environmentName"`
	SnapshotID       string            `json:"snapshotId,omitzero"`
	WorkspacePath    string            `json:"workspacePath,omitzero"`
	NarrativeContext *NarrativeContext `json:"narrativeContext,omitzero"`
	Extra            Extra             `json:",embed"`
}

// SnapshotImported answers a SnapshotImport.
type SnapshotImported struct {
	Header
	Success       bool   `json:"success"`
	SnapshotID    string `json:"snapshotId,omitzero"`
	TreeHash      string `json:"treeHash,omitzero"`
	EnvironmentID string `json:"environmentId"`
	Problem       `json:",embed"`
	Extra         Extra `json:",embed"`
}

// SnapshotExport asks the runtime for a snapshot of the workspace.
type SnapshotExport struct {
	Header
	EnvironmentID string `json:"environmentId"`
	Extra         Extra  `json:",embed"`
}

// SnapshotExported answers a SnapshotExport.
type SnapshotExported struct {
	Header
	BundleData       string            `json:"bundleData"` // base64
	SnapshotID       string            `json:"snapshotId"`
	BaseSnapshotID   *string           `json:"baseSnapshotId"`
	EnvironmentID    string            `json:"environmentId"`
	Success          bool              `json:"success"`
	NarrativeContext *NarrativeContext `json:"narrativeContext,omitzero"`
	Problem          `json:",embed"`
	Extra            Extra `json:",embed"`
}

// RuntimeStatus is the body of the runtime's GET /status, for whoever shows the token. An
// extension of codebolt-runtime.
type RuntimeStatus struct {
	Agents    []AgentStatus `json:"agents"`    // that run
	Questions int           `json:"questions"` // of agents that nobody has answered
	Commands  int           `json:"commands"`  // of agents that run or wait
	History   int64         `json:"history"`   // bytes kept of what agents said and printed
	// Heard is when an agent last said or printed something or ended.
	Heard Time  `json:"heard,omitzero"`
	Extra Extra `json:",embed"`
}

// AgentStatus is one running agent.
type AgentStatus struct {
	ID         string `json:"id"`
	InstanceID string `json:"instanceId"`
	ThreadID   string `json:"threadId,omitzero"`
	PID        int    `json:"pid,omitzero"` // as its environment counts
	// Working tells that it works on a message, rather than waiting for the next.
	Working   bool `json:"working"`
	Questions int  `json:"questions,omitzero"`
}

// RuntimeHealth is the body of the runtime's GET /health. An upstream runtime
// sends the first members; InstanceID is codebolt-runtime's and only told to a
// caller who shows the token.
type RuntimeHealth struct {
	Status     string `json:"status"` // "ok"
	Timestamp  Time   `json:"timestamp"`
	Version    string `json:"version,omitzero"`
	InstanceID string `json:"instanceId,omitzero"`
	Agents     int    `json:"agents,omitzero"` // running now
	PID        int    `json:"pid,omitzero"`
	Extra      Extra  `json:",embed"`
}
