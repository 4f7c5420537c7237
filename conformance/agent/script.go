package agent

import (
	"encoding/json"
	"time"
)

// Step is one thing that the agent does; each member that is set is one, and a step has
// one.
type Step struct {
	// Say sends a frame as it is.
	Say json.RawMessage `json:"say,omitempty"`
	// Await waits until a frame of that type or with that requestId has come since the
	// message was given.
	Await string `json:"await,omitempty"`
	// Count sends so many frames {"type":"sendMessage","message":"numbered","n":N}, with
	// a pause after each.
	Count int           `json:"count,omitempty"`
	Pause time.Duration `json:"pause,omitempty"`
	// Print writes to the standard output.
	Print string `json:"print,omitempty"`
	// Environ reports the variables that the agent has, in the member "environ" of a
	// report whose message is "environ".
	Environ bool `json:"environ,omitempty"`
	// Exit ends the process.
	Exit *int `json:"exit,omitempty"`
}

// Forever is awaited by an agent that never ends its message: it does not come.
const Forever = "what never comes"

// Script is the userMessage of steps.
func Script(steps ...Step) string {
	text, err := json.Marshal(steps)
	if err != nil {
		panic(err) // a Say that is no JSON
	}
	return string(text)
}

// Say is the step that sends a frame, written as JSON.
func Say(frame string) Step { return Step{Say: json.RawMessage(frame)} }

// Await is the step that waits for a frame by its type or requestId.
func Await(key string) Step { return Step{Await: key} }

// Exit is the step that ends the process.
func Exit(status int) Step { return Step{Exit: &status} }
