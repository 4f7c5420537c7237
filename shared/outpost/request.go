package outpost

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What can be asked.
const (
	Look   = "look"   // how the folder is; changes nothing
	Make   = "make"   // the folder, unless it is there and ours
	Filled = "filled" // note that the folder has its files
	Start  = "start"  // a runtime in a folder that has its files; what an earlier one left running is ended
	Adopt  = "adopt"  // find the runtime that Record tells of
	Alive  = "alive"  // whether its process still runs
	Stop   = "stop"   // it, in good order within Grace, else by force
	Exec   = "exec"   // a program beside the files; its output is the answer
	Remove = "remove" // the folder, if it is ours, after Stop
)

// Request is one thing that is asked.
type Request struct {
	Do     string `json:"do"`
	Folder Folder `json:"folder"`
	// Want is the SHA-256, in hexadecimal digits, of the program that is to serve it:
	// another does nothing. "" is any.
	Want    string                 `json:"want,omitzero"`
	Filled  bool                   `json:"filled,omitzero"`  // for Start: note first that the folder has its files
	Launch  *Launch                `json:"launch,omitzero"`  // for Start
	Record  resource.RuntimeRecord `json:"record,omitzero"`  // for Adopt, Alive, Stop and Remove; its Dir is the folder's
	GraceMS int64                  `json:"graceMs,omitzero"` // for Stop and Remove
	Argv    []string               `json:"argv,omitzero"`    // for Exec, which has both streams as one
	Env     []string               `json:"env,omitzero"`     // for Exec, besides the machine's own
}

// Launch says which runtime to start.
type Launch struct {
	Instance       string         `json:"instance"`
	Name           string         `json:"name"`
	Token          string         `json:"token"`
	OwnerTimeoutMS int64          `json:"ownerTimeoutMs"`
	StartTimeoutMS int64          `json:"startTimeoutMs"`
	Protected      []string       `json:"protected,omitzero"`
	Env            []string       `json:"env,omitzero"`
	Agents         runtime.Agents `json:"agents,omitzero"`
	// Command is the argv of another agent server, with {port} and {workspace} to be
	// replaced, and Port the one it prefers.
	Command []string `json:"command,omitzero"`
	Port    int      `json:"port,omitzero"`
}

// Answer is what comes of it.
type Answer struct {
	wire.Problem
	By     string                  `json:"by,omitzero"`     // of a request with Want: the SHA-256 of the program
	There  bool                    `json:"there,omitzero"`  // of Look and Start: the folder is there, and ours
	Filled bool                    `json:"filled,omitzero"` // of Look, Make and Start: the folder has its files
	Made   bool                    `json:"made,omitzero"`   // of Make: just now
	Record *resource.RuntimeRecord `json:"record,omitzero"` // of Start and Adopt; Start starts nothing in a folder without its files
	Alive  bool                    `json:"alive,omitzero"`  // of Alive
	Said   string                  `json:"said,omitzero"`   // of Alive, when it does not run: the end of its log
}

// Run runs codebolt-runtime on the other machine with arguments.
type Run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (status int, err error)

// Subcommand is the argument with which codebolt-runtime serves a request: the one in
// the argument behind it, encoded in base64url, or else the one on stdin.
const Subcommand = "outpost"

// secret tells that a request may hold what no command line may show.
func (r *Request) secret() bool { return r.Launch != nil || len(r.Env) > 0 || len(r.Argv) > 0 }

// Ask asks. Errors of the other side keep their kind. What holds no secret is asked by
// an argument, as what is read from stdin takes a connection one round trip more.
func Ask(ctx context.Context, run Run, r *Request) (*Answer, error) {
	asked, err := wire.Marshal(r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	var said tail
	args, stdin := []string{Subcommand}, io.Reader(nil)
	if r.secret() {
		stdin = bytes.NewReader(append(asked, '\n'))
	} else {
		args = append(args, base64.RawURLEncoding.EncodeToString(asked))
	}
	status, err := run(ctx, args, stdin, &out, &said)
	if err != nil {
		return nil, err
	}
	answer := &Answer{}
	if err := wire.Unmarshal(out.Bytes(), answer); err != nil {
		return nil, wire.Errorf(wire.Unavailable, "%s: codebolt-runtime on the host ended with status %d: %s", r.Do, status, said.text())
	}
	return answer, answer.Err()
}

// AskExec runs a program by Exec, writes what it prints to out, and returns its exit
// status. The program is ended when ctx ends, and when the connection does.
func AskExec(ctx context.Context, run Run, r *Request, out io.Writer) (status int, err error) {
	asked, err := wire.Marshal(r)
	if err != nil {
		return 0, err
	}
	in, feed := io.Pipe()
	defer func() { _ = feed.CloseWithError(errors.New("it is over")) }()
	go func() { _, _ = feed.Write(append(asked, '\n')) }() // what is left open says that we are there
	return run(ctx, []string{Subcommand}, in, out, io.Discard)
}

// tail keeps the end of what is written.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	const kept = 800
	t.buf = append(t.buf, p...)
	t.buf = append(t.buf[:0], t.buf[max(0, len(t.buf)-kept):]...)
	return len(p), nil
}

func (t *tail) text() string {
	if text := bytes.TrimSpace(t.buf); len(text) > 0 {
		return string(bytes.ToValidUTF8(text, []byte("?")))
	}
	return "it said nothing"
}
