package wire

// ProviderStart asks for an environment to be opened. Besides the members
// below, the server spreads the merged configuration of the provider into the
// message; those members are in Extra.
type ProviderStart struct {
	Header
	EnvironmentName string `json:"environmentName"`        // as people write it: untrusted
	EnvironmentID   string `json:"environmentId,omitzero"` // the server's id; the name, when it gives none
	ProviderID      string `json:"providerId,omitzero"`    // likewise, for heartbeats
	ProjectPath     string `json:"projectPath,omitzero"`   // absolute
	ProjectName     string `json:"projectName,omitzero"`

	// ResourceID is what setResourceId reported in an earlier life.
	ResourceID string `json:"resourceId,omitzero"`
	SandboxID  string `json:"sandboxId,omitzero"` // an older name for ResourceID

	ArchivePath         string `json:"archivePath,omitzero"`         // of the platform's snapshot of the project
	SnapshotID          string `json:"snapshotId,omitzero"`          // what the environment is to begin with
	NarrativeBundlePath string `json:"narrativeBundlePath,omitzero"` // of the platform's story of the work

	MergeConfig *MergeConfig `json:"mergeConfig,omitzero"`

	PathRequest `json:",embed"`

	GitURL     string `json:"gitUrl,omitzero"` // of the project, for environments that clone it
	GitBranch  string `json:"gitBranch,omitzero"`
	GitBaseRef string `json:"gitBaseRef,omitzero"`
	GitHeadRef string `json:"gitHeadRef,omitzero"`

	ParentRuntimeID     string `json:"parentRuntimeId,omitzero"`
	ParentEnvironmentID string `json:"parentEnvironmentId,omitzero"`

	Extra Extra `json:",embed"`
}

// MergeConfig says how an environment's work comes back. When the start message
// has none, the member of that name in ENVIRONMENT_CONFIG counts.
type MergeConfig struct {
	MergeStrategy             string `json:"mergeStrategy,omitzero"`      // auto or manual
	ConflictResolution        string `json:"conflictResolution,omitzero"` // manual or agent
	ConflictResolutionAgentID string `json:"conflictResolutionAgentId,omitzero"`
	Extra                     Extra  `json:",embed"`
}

// PathRequest holds the members with which a caller says where an environment
// should be, in all the spellings that callers use.
type PathRequest struct {
	EnvironmentPath string `json:"environmentPath,omitzero"` // where the environment is to be
	RequestedPath   string `json:"requestedPath,omitzero"`   // likewise
	ResolvedPath    string `json:"resolvedPath,omitzero"`    // likewise
	Path            string `json:"path,omitzero"`            // likewise

	ParentProjectPath string `json:"parentProjectPath,omitzero"` // the project, when projectPath is missing
	ParentPath        string `json:"parentPath,omitzero"`        // likewise
	ParentBasePath    string `json:"parentBasePath,omitzero"`    // likewise

	SyncMode           string `json:"syncMode,omitzero"`  // git, workspace_sync or none
	SyncModeSnake      string `json:"sync_mode,omitzero"` // likewise
	MergeStrategy      string `json:"mergeStrategy,omitzero"`
	MergeStrategySnake string `json:"merge_strategy,omitzero"` // likewise
	RMRSourceType      string `json:"rmrSourceType,omitzero"`
}

// Requested is the location the caller asks for: the first of the four
// spellings that is not blank, or "".
func (p *PathRequest) Requested() string {
	return firstNonBlank(p.EnvironmentPath, p.RequestedPath, p.ResolvedPath, p.Path)
}

// Mode is the sync mode the caller asks for, in either spelling, or "".
func (p *PathRequest) Mode() string { return firstNonBlank(p.SyncMode, p.SyncModeSnake) }

// StartResult is the result of a providerStart that succeeded.
type StartResult struct {
	Success         bool   `json:"success"`
	EnvironmentName string `json:"environmentName"`
	EnvironmentID   string `json:"environmentId,omitzero"`
	AgentServerURL  string `json:"agentServerUrl"`        // "" when there is no runtime
	WorkspacePath   string `json:"workspacePath"`         // where the files are, as agents see them
	Transport       string `json:"transport"`             // "websocket", or "custom" when there is no runtime
	WorktreePath    string `json:"worktreePath,omitzero"` // the same as WorkspacePath, when it is a git worktree
	ResourceID      string `json:"resourceId,omitzero"`   // as in setResourceId

	// Attached tells that an existing environment was found and is used again. An
	// extension.
	Attached bool `json:"attached,omitzero"`
	// Warnings are things a person should know about an open that succeeded. An
	// extension.
	Warnings []string `json:"warnings,omitzero"`

	Placement `json:",embed"`
	Extra     Extra `json:",embed"`
}

// Where an environment's path comes from.
const (
	PathProposed  = "provider_proposed"
	PathRequested = "user_override"
	PathExisting  = "existing"
)

// Placement says where an environment is, or would be, and how it is kept in
// step with the project.
type Placement struct {
	ResolvedPath             string      `json:"resolvedPath,omitzero"`    // where the environment is
	EnvironmentPath          string      `json:"environmentPath,omitzero"` // the same
	RequestedPath            string      `json:"requestedPath,omitzero"`   // what the caller asked for
	PathSource               string      `json:"pathSource,omitzero"`      // provider_proposed, user_override or existing
	SyncMode                 string      `json:"syncMode,omitzero"`        // git, workspace_sync or none
	MergeStrategy            string      `json:"mergeStrategy,omitzero"`
	ParentPath               string      `json:"parentPath,omitzero"` // the project
	SyncPolicy               *SyncPolicy `json:"syncPolicy,omitzero"`
	DefaultSyncMode          string      `json:"defaultSyncMode,omitzero"`
	SupportedSyncModes       []string    `json:"supportedSyncModes,omitzero"`
	SupportedMergeStrategies []string    `json:"supportedMergeStrategies,omitzero"`
}

// SyncPolicy lists the sync modes a provider offers.
type SyncPolicy struct {
	DefaultSyncMode string         `json:"defaultSyncMode"`
	Modes           []SyncModeInfo `json:"modes"`
}

// SyncModeInfo describes one sync mode to a person who chooses.
type SyncModeInfo struct {
	Value              string `json:"value"` // git, workspace_sync or none
	Label              string `json:"label"`
	Description        string `json:"description"`
	PathFolder         string `json:"pathFolder,omitzero"`
	CreatesGitWorktree bool   `json:"createsGitWorktree"`
	UsesWorkspaceSync  bool   `json:"usesWorkspaceSync"`
	Cleanup            string `json:"cleanup"` // none, git_worktree, filesystem or runtime_provider
}

// ProspectivePath asks where an environment of some name would be put. It may
// arrive before providerStart.
type ProspectivePath struct {
	Header
	PathRequest     `json:",embed"`
	EnvironmentName string `json:"environmentName,omitzero"`
	EnvironmentID   string `json:"environmentId,omitzero"`
	ProjectPath     string `json:"projectPath,omitzero"`
	ProjectName     string `json:"projectName,omitzero"`
	GitURL          string `json:"gitUrl,omitzero"`
	Extra           Extra  `json:",embed"`
}

// Parent is the project the environment would belong to: the first spelling
// that is not blank, or "".
func (p *ProspectivePath) Parent() string {
	return firstNonBlank(p.ProjectPath, p.ParentProjectPath, p.ParentPath, p.ParentBasePath)
}

// Parent is the project the environment belongs to: the first spelling that is
// not blank, or "".
func (s *ProviderStart) Parent() string {
	return firstNonBlank(s.ProjectPath, s.ParentProjectPath, s.ParentPath, s.ParentBasePath)
}

// PathPlan is the result of a ProspectivePath: a Placement with the further
// names that readers of this answer use for the same values.
type PathPlan struct {
	Path              string `json:"path"`        // where the environment would be
	ProjectPath       string `json:"projectPath"` // the same
	Placement         `json:",embed"`
	Source            string `json:"source"`                     // as pathSource
	ParentProjectPath string `json:"parentProjectPath,omitzero"` // as parentPath
	Editable          bool   `json:"editable"`                   // the caller may ask for another path
	Extra             Extra  `json:",embed"`
}

// PlanOf spells a Placement out as the answer to providerProspectivePath.
func PlanOf(p Placement) PathPlan {
	return PathPlan{
		Path: p.ResolvedPath, ProjectPath: p.ResolvedPath, Placement: p,
		Source: p.PathSource, ParentProjectPath: p.ParentPath, Editable: true,
	}
}

// ProviderStop asks that the environment be closed for good; what that means
// for its resources is the provider's onStop policy.
type ProviderStop struct {
	Header
	EnvironmentName string `json:"environmentName,omitzero"`
	EnvironmentID   string `json:"environmentId,omitzero"`
	// OnStop is the policy for this time, in place of the configured one. An
	// extension.
	OnStop string `json:"onStop,omitzero"`
	Extra  Extra  `json:",embed"`
}

// CloseSignal asks the provider to let go of the environment without deleting
// anything.
type CloseSignal struct {
	Header
	Extra Extra `json:",embed"`
}

// EnvironmentRestart asks that the environment's runtime be started anew.
type EnvironmentRestart struct {
	Header
	EnvironmentID string `json:"environmentId,omitzero"`
	ProviderID    string `json:"providerId,omitzero"`
	Extra         Extra  `json:",embed"`
}

// EnvironmentRestarted answers an EnvironmentRestart, also when it failed.
type EnvironmentRestarted struct {
	Type          string `json:"type"` // environmentRestartResponse
	EnvironmentID string `json:"environmentId"`
	Success       bool   `json:"success"`
	Message       string `json:"message,omitzero"` // what went wrong
	Code          Code   `json:"code,omitzero"`
	Timestamp     Time   `json:"timestamp"`
	RequestID     ID     `json:"requestId"`
}

// ProviderAgentStart asks that an agent be started in the environment. The
// Node SDK hands its provider only userMessage; all members are kept here.
type ProviderAgentStart struct {
	Header
	// UserMessage is the envelope for the runtime, passed on unchanged but for a
	// timestamp. It must be an object with a string member "type".
	UserMessage Raw `json:"userMessage"`

	AgentID             string            `json:"agentId,omitzero"`
	ProjectPath         string            `json:"projectPath,omitzero"`
	ThreadID            string            `json:"threadId,omitzero"`
	ArchivePath         string            `json:"archivePath,omitzero"`
	SnapshotID          string            `json:"snapshotId,omitzero"`
	NarrativeBundlePath string            `json:"narrativeBundlePath,omitzero"`
	NarrativeContext    *NarrativeContext `json:"narrativeContext,omitzero"`
	Extra               Extra             `json:",embed"`
}

// NarrativeContext attributes an agent's work to the platform's story of it.
type NarrativeContext struct {
	ObjectiveID       string `json:"objective_id,omitzero"`
	NarrativeThreadID string `json:"narrative_thread_id,omitzero"`
	AgentRunID        string `json:"agent_run_id,omitzero"`
	Extra             Extra  `json:",embed"`
}
