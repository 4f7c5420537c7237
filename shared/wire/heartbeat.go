package wire

import "time"

// How often a provider beats.
const (
	ProviderHeartbeatInterval    = 10 * time.Second
	EnvironmentHeartbeatInterval = 15 * time.Second
)

// The states of health a heartbeat reports.
const (
	Healthy  = "healthy"
	Degraded = "degraded"
	Failing  = "error"
)

// ProviderHeartbeat says that the provider lives. The Node SDK sends
// environmentName as providerId; the server's own id is used here when it gave
// one.
type ProviderHeartbeat struct {
	Type                  string             `json:"type"`
	ProviderID            string             `json:"providerId"`
	Timestamp             Time               `json:"timestamp"`
	Status                string             `json:"status"`                // healthy, degraded or error
	ConnectedEnvironments []string           `json:"connectedEnvironments"` // the id of the one that is open
	Uptime                *int64             `json:"uptime,omitzero"`       // whole seconds
	Metadata              *HeartbeatMetadata `json:"metadata,omitzero"`
	RequestID             ID                 `json:"requestId"`
}

// HeartbeatMetadata is the detail beside a heartbeat's status.
type HeartbeatMetadata struct {
	Transport   string   `json:"transport,omitzero"`
	Initialized bool     `json:"initialized"`      // an environment is open
	State       string   `json:"state,omitzero"`   // of the lifecycle; an extension
	Reasons     []string `json:"reasons,omitzero"` // why the status is not healthy; an extension
	Error       string   `json:"error,omitzero"`
}

// EnvironmentHeartbeat says that one environment lives. The Node SDK drops
// environmentAlive although its base computes it.
type EnvironmentHeartbeat struct {
	Type             string `json:"type"`
	EnvironmentID    string `json:"environmentId"`
	ProviderID       string `json:"providerId"`
	Timestamp        Time   `json:"timestamp"`
	EnvironmentAlive bool   `json:"environmentAlive"` // its status is not error
	RequestID        ID     `json:"requestId"`
}

// HeartbeatRequest asks for a heartbeat at once: of the provider
// (providerHeartbeatRequest) or of the environment (environmentHeartbeat).
type HeartbeatRequest struct {
	Header
	ProviderID    string `json:"providerId,omitzero"`
	EnvironmentID string `json:"environmentId,omitzero"`
	Timestamp     Raw    `json:"timestamp,omitzero"`
	Extra         Extra  `json:",embed"`
}

// The values of EnvironmentStatus.Status and RemoteExecutorStatus.
const (
	EnvironmentActive      = "active"
	EnvironmentDegraded    = "degraded"
	EnvironmentUnreachable = "unreachable"

	ExecutorRunning    = "running"
	ExecutorStopped    = "stopped"
	ExecutorStarting   = "starting"
	ExecutorError      = "error"
	ExecutorRestarting = "restarting"
)

// EnvironmentStatus answers an inbound environmentHeartbeat.
type EnvironmentStatus struct {
	Type                 string             `json:"type"` // environmentHeartbeatResponse
	EnvironmentID        string             `json:"environmentId"`
	Status               string             `json:"status"`
	RemoteExecutorStatus string             `json:"remoteExecutorStatus"`
	Timestamp            Time               `json:"timestamp"`
	Metadata             *HeartbeatMetadata `json:"metadata,omitzero"`
	RequestID            ID                 `json:"requestId"`
}

// HeartbeatAck is the server's acknowledgement of a heartbeat.
type HeartbeatAck struct {
	Header
	ProviderID string `json:"providerId,omitzero"`
	Received   bool   `json:"received,omitzero"`
	Timestamp  Raw    `json:"timestamp,omitzero"`
	Extra      Extra  `json:",embed"`
}

// SetResourceID tells the server the id under which this environment's resource
// can be found again; the server gives it back as ProviderStart.ResourceID. The
// Node base means to send it but calls an SDK method that does not exist.
type SetResourceID struct {
	Type          string `json:"type"`
	ResourceID    string `json:"resourceId"`
	ProviderID    string `json:"providerId"`
	EnvironmentID string `json:"environmentId"`
}

// Notification tells of something that happened; nobody answers it.
type Notification struct {
	Type      string `json:"type"`
	Action    string `json:"action"`
	Data      any    `json:"data,omitzero"`
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970
}

// ActionProgress is the action of the Notification with which a provider tells
// how far a start, a stop or a restart has come. An extension: a server that
// does not know it ignores it.
const ActionProgress = "environmentProgress"

// Progress is the data of an ActionProgress notification.
type Progress struct {
	EnvironmentID string `json:"environmentId"`
	Phase         string `json:"phase"`               // stable name, such as "worktree"
	State         string `json:"state"`               // started, done or failed
	Message       string `json:"message,omitzero"`    // for a person
	Elapsed       int64  `json:"durationMs,omitzero"` // of a phase that ended
}
