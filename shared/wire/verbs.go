package wire

// Inbound message types (server to provider).
const (
	TypeProviderStart        = "providerStart"
	TypeProviderAgentStart   = "providerAgentStart"
	TypeProviderStop         = "providerStop"
	TypeCloseSignal          = "closeSignal"
	TypeReadFile             = "providerReadFile"
	TypeWriteFile            = "providerWriteFile"
	TypeDeleteFile           = "providerDeleteFile"
	TypeDeleteFolder         = "providerDeleteFolder"
	TypeRenameItem           = "providerRenameItem"
	TypeCreateFolder         = "providerCreateFolder"
	TypeCopyFile             = "providerCopyFile"
	TypeCopyFolder           = "providerCopyFolder"
	TypeGetTreeChildren      = "providerGetTreeChildren"
	TypeGetFullProject       = "providerGetFullProject"
	TypeGetDiffFiles         = "providerGetDiffFiles"
	TypeMergeAsPatch         = "providerMergeAsPatch"
	TypeSendPR               = "providerSendPR"
	TypeCreatePatchRequest   = "createPatchRequest"
	TypeCreatePullRequest    = "createPullRequestRequest"
	TypeHeartbeatRequest     = "providerHeartbeatRequest"
	TypeEnvironmentHeartbeat = "environmentHeartbeat" // also what a provider emits
	TypeEnvironmentRestart   = "environmentRestartRequest"
	TypeProspectivePath      = "providerProspectivePath" // matched on type or action
	TypeHeartbeatResponse    = "providerHeartbeatResponse"
	TypeHeartbeatAck         = "providerHeartbeatAck"
	TypeMessageResponse      = "messageResponse"
)

// Outbound message types (provider to server) that are not answers.
const (
	TypeRemoteProviderEvent = "remoteProviderEvent"
	TypeProviderHeartbeat   = "providerHeartbeat"
	TypeSetResourceID       = "setResourceId"
	TypeNotification        = "notification"
)

// Shape is how an answer is wrapped.
type Shape int

// The shapes an answer comes in (protocol: response envelopes).
const (
	// None: the type is never answered.
	None Shape = iota
	// Event: {"type":"remoteProviderEvent","action":NAME,"message":R}, or
	// "error" in place of "message".
	Event
	// Flat: {"type":NAME,"message":R}, or "error" in place of "message".
	Flat
	// StartFailure: the flat error of providerStart, with the members that an
	// Event would carry added, so that a reader of either form finds them.
	StartFailure
	// Status: an Event whose result stands in "data" and again in "message"
	// beside "status":true, or "error" beside "status":false.
	Status
	// Whole: the result is itself the message, with a type of its own.
	Whole
)

// Kind is what part of a provider a request concerns.
type Kind int

// The kinds of requests.
const (
	// Ack is consumed silently.
	Ack Kind = iota
	// Lifecycle requests are handled one after another.
	Lifecycle
	// Agent requests go on to the remote runtime.
	Agent
	// File requests read or change the workspace.
	File
	// Review requests tell what changed, as a diff, a patch or a pull request.
	Review
	// Control requests concern the provider itself and are answered at any time.
	Control
)

// Verb is one known inbound message type: how it is answered when it succeeds
// and when it fails. The zero Shape of a field means that there is no answer.
type Verb struct {
	Type     string // the inbound "type"
	Kind     Kind
	Response string // the answer's "action" (Event, Status) or "type" (Flat)
	OK       Shape
	Fail     Shape
}

// Verbs holds every known inbound type. Any other type is a raw message for
// the remote runtime.
var Verbs = []Verb{
	{TypeProviderStart, Lifecycle, "providerStartResponse", Event, StartFailure},
	{TypeProviderStop, Lifecycle, "providerStopResponse", Event, Event},
	{TypeCloseSignal, Lifecycle, "closeSignalResponse", Flat, Flat},
	{TypeEnvironmentRestart, Lifecycle, "environmentRestartResponse", Whole, Whole},

	{TypeProviderAgentStart, Agent, "providerAgentStartResponse", Event, Event},

	{TypeReadFile, File, "providerReadFileResponse", Event, Event},
	{TypeWriteFile, File, "providerWriteFileResponse", Event, Event},
	{TypeDeleteFile, File, "providerDeleteFileResponse", Event, Event},
	{TypeDeleteFolder, File, "providerDeleteFolderResponse", Event, Event},
	{TypeRenameItem, File, "providerRenameItemResponse", Event, Event},
	{TypeCreateFolder, File, "providerCreateFolderResponse", Event, Event},
	{TypeCopyFile, File, "providerCopyFileResponse", Event, Event},
	{TypeCopyFolder, File, "providerCopyFolderResponse", Event, Event},
	{TypeGetTreeChildren, File, "providerGetTreeChildrenResponse", Event, Event},
	{TypeGetFullProject, File, "providerGetFullProjectResponse", Event, Event},

	// "providerDiffFilesResponse", not "GetDiff"; the Node SDK's error for it is
	// {"type":"getDiffFiles","error":…}, which no reader of Events would find.
	{TypeGetDiffFiles, Review, "providerDiffFilesResponse", Event, Event},
	{TypeMergeAsPatch, Review, "providerMergeAsPatchResponse", Event, Event},
	{TypeSendPR, Review, "providerSendPRResponse", Event, Event},
	{TypeCreatePatchRequest, Review, "createPatchRequestResponse", Flat, Flat},
	{TypeCreatePullRequest, Review, "createPullRequestRequestResponse", Flat, Flat},

	{TypeHeartbeatRequest, Control, TypeProviderHeartbeat, Whole, Whole},
	{TypeEnvironmentHeartbeat, Control, "environmentHeartbeatResponse", Whole, Whole},
	{TypeProspectivePath, Control, "providerProspectivePathResponse", Status, Status},

	{Type: TypeHeartbeatResponse},
	{Type: TypeHeartbeatAck},
}

var verbOf = func() map[string]Verb {
	m := make(map[string]Verb, len(Verbs))
	for _, v := range Verbs {
		m[v.Type] = v
	}
	return m
}()

// VerbOf returns the row of [Verbs] for a message, and whether there is one.
// providerProspectivePath counts by its type and by its action.
func VerbOf(h Header) (Verb, bool) {
	v, ok := verbOf[h.Type]
	if !ok && h.Action == TypeProspectivePath {
		v, ok = verbOf[TypeProspectivePath]
	}
	return v, ok
}

// Success encodes the answer to a request that carried the given id: the id is
// echoed, and a fresh one is used when there was none. A nil result leaves the
// member "message" out. For the shape Whole the result is the message and must
// carry the requestId itself.
func (v Verb) Success(id ID, result any) ([]byte, error) {
	switch v.OK {
	case Event:
		if text, ok := result.(string); ok { // a file's content: the same bytes, in less time
			return Marshal(reply[*string]{Type: TypeRemoteProviderEvent, Action: v.Response, Message: &text, RequestID: id.OrNew()})
		}
		return Marshal(reply[any]{Type: TypeRemoteProviderEvent, Action: v.Response, Message: result, RequestID: id.OrNew()})
	case Flat:
		return Marshal(reply[any]{Type: v.Response, Message: result, RequestID: id.OrNew()})
	case Status:
		return Marshal(statusReply{Type: TypeRemoteProviderEvent, Action: v.Response, RequestID: id.OrNew(), Status: true, Data: result, Message: result})
	case Whole:
		return Marshal(result)
	default:
		return nil, Errorf(Internal, "%s has no answer", v.Type)
	}
}

// Failure encodes the error answer to a request that carried the given id. For
// the shapes Whole, whose errors are messages of their own types, it falls back
// to an Event, which every reader understands.
func (v Verb) Failure(id ID, err error) ([]byte, error) {
	problem := ProblemOf(err)
	switch v.Fail {
	case Event, Whole:
		return Marshal(reply[any]{Type: TypeRemoteProviderEvent, Action: v.Response, Problem: problem, RequestID: id.OrNew()})
	case Flat:
		return Marshal(reply[any]{Type: v.Response, Problem: problem, RequestID: id.OrNew()})
	case Status:
		return Marshal(statusReply{Type: TypeRemoteProviderEvent, Action: v.Response, RequestID: id.OrNew(), Problem: problem})
	case StartFailure:
		return Marshal(StartFailed{Type: v.Response, Action: v.Response, Problem: problem, RequestID: id.OrNew()})
	default:
		return nil, Errorf(Internal, "%s has no answer", v.Type)
	}
}

// StartFailed is the answer to a providerStart that failed: the flat form of
// the Node SDK with additive members.
type StartFailed struct {
	Type            string `json:"type"`
	Action          string `json:"action"`
	Success         bool   `json:"success"` // always false
	Problem         `json:",embed"`
	EnvironmentID   string `json:"environmentId,omitzero"`
	EnvironmentName string `json:"environmentName,omitzero"`
	RequestID       ID     `json:"requestId"`
}

// Failed encodes the answer to a providerStart that failed.
func (s *ProviderStart) Failed(err error) ([]byte, error) {
	name := verbOf[TypeProviderStart].Response
	return Marshal(StartFailed{
		Type: name, Action: name, Problem: ProblemOf(err),
		EnvironmentID: s.EnvironmentID, EnvironmentName: s.EnvironmentName, RequestID: s.RequestID.OrNew(),
	})
}

type reply[T any] struct {
	Type      string `json:"type"`
	Action    string `json:"action,omitzero"`
	Message   T      `json:"message,omitzero"`
	Problem   `json:",embed"`
	RequestID ID `json:"requestId"`
}

type statusReply struct {
	Type      string `json:"type"`
	Action    string `json:"action"`
	RequestID ID     `json:"requestId"`
	Status    bool   `json:"status"`
	Data      any    `json:"data,omitzero"`
	Message   any    `json:"message,omitzero"`
	Problem   `json:",embed"`
}

// Reply is an answer as a server receives it, whatever its shape.
type Reply struct {
	Header
	Message Raw   `json:"message,omitzero"`
	Data    Raw   `json:"data,omitzero"`
	Status  *bool `json:"status,omitzero"`
	Success *bool `json:"success,omitzero"`
	Problem `json:",embed"`
	Extra   Extra `json:",embed"`
}

// Name is the name of the answer in [Verb.Response], whichever member holds it.
func (r *Reply) Name() string {
	if r.Action != "" {
		return r.Action
	}
	return r.Type
}

// Result decodes the answer's result into v, or returns the error it carries.
// A nil v only looks for the error.
func (r *Reply) Result(v any) error {
	if err := r.Err(); err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	if len(r.Message) == 0 {
		return Errorf(Invalid, "%s carries no message", r.Name())
	}
	return Unmarshal(r.Message, v)
}
