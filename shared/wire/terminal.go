package wire

import "strings"

// Messages by which a server opens terminals in an environment, an extension of
// codebolt-runtime. Each request is answered once, by its type with "Response".
const (
	TypeTerminalOpen   = "terminal.open"
	TypeTerminalInput  = "terminal.input"
	TypeTerminalResize = "terminal.resize"
	TypeTerminalAttach = "terminal.attach"
	TypeTerminalDetach = "terminal.detach"
	TypeTerminalSignal = "terminal.signal"
	TypeTerminalClose  = "terminal.close"
	TypeTerminalList   = "terminal.list"
	TypeTerminalOutput = "terminal.output"
	TypeTerminalExit   = "terminal.exit"
)

// RuntimeRequest reports whether a type is of those that go on to codebolt-runtime and
// that another runtime does not know. The server alone may ask them.
func RuntimeRequest(typ string) bool {
	return strings.HasPrefix(typ, "terminal.") || strings.HasPrefix(typ, "watch.")
}

// RuntimeRefusal answers a RuntimeRequest that cannot be passed on.
type RuntimeRefusal struct {
	Header
	Success bool `json:"success"`
	Problem `json:",embed"`
}

// TerminalRequest is any request about terminals; each reads the members that it needs.
type TerminalRequest struct {
	Header
	TerminalID string `json:"terminalId,omitzero"` // TypeTerminalOpen makes one up when it is ""

	// Of TypeTerminalOpen.
	Argv []string          `json:"argv,omitzero"` // default: the user's shell
	Cwd  string            `json:"cwd,omitzero"`  // a folder of the workspace; default: its root
	Env  map[string]string `json:"env,omitzero"`  // further variables
	// Attach has the output sent at once; default true.
	Attach *bool `json:"attach,omitzero"`

	Cols uint16 `json:"cols,omitzero"` // of TypeTerminalOpen and TypeTerminalResize
	Rows uint16 `json:"rows,omitzero"`
	// Data is what is typed, of TypeTerminalInput, in base64.
	Data []byte `json:"data,omitzero"`
	// After is the offset of the first byte that TypeTerminalAttach is to send.
	After int64 `json:"after,omitzero"`
	// Signal is that of TypeTerminalSignal, such as INT.
	Signal string `json:"signal,omitzero"`
	Extra  Extra  `json:",embed"`
}

// TerminalReply answers requests about terminals.
type TerminalReply struct {
	Header
	Success    bool   `json:"success"`
	TerminalID string `json:"terminalId,omitzero"`
	PID        int    `json:"pid,omitzero"` // of TypeTerminalOpen
	// Offset is where the output begins that TypeTerminalAttach has sent, and Lost how
	// many bytes before it were asked for and are not kept any more.
	Offset    int64         `json:"offset,omitzero"`
	Lost      int64         `json:"lost,omitzero"`
	Terminals []TerminalRow `json:"terminals,omitzero"` // of TypeTerminalList
	Problem   `json:",embed"`
	Extra     Extra `json:",embed"`
}

// TerminalRow is a terminal that there is, or was a short while ago.
type TerminalRow struct {
	TerminalID string   `json:"terminalId"`
	Argv       []string `json:"argv"`
	PID        int      `json:"pid"`
	Started    Time     `json:"started"`
	Cols       uint16   `json:"cols"`
	Rows       uint16   `json:"rows"`
	Written    int64    `json:"written"`  // bytes so far
	Attached   int      `json:"attached"` // those who look at it
	Running    bool     `json:"running"`
	ExitCode   *int     `json:"exitCode,omitzero"` // when it does not run
	Signal     string   `json:"signal,omitzero"`   // that ended it
}

// TerminalOutput is a piece of what a terminal shows.
type TerminalOutput struct {
	Type       string `json:"type"`
	TerminalID string `json:"terminalId"`
	Offset     int64  `json:"offset"` // of its first byte
	Data       []byte `json:"data"`   // base64
}

// TerminalExit tells those who look at a terminal how its program ended, after all that
// it wrote.
type TerminalExit struct {
	Type       string `json:"type"`
	TerminalID string `json:"terminalId"`
	ExitCode   int    `json:"exitCode"`
	Signal     string `json:"signal,omitzero"`
	Timestamp  Time   `json:"timestamp"`
}
