package nodesdk

import (
	_ "embed"
	"encoding/json"
)

// Script is an agent that makes the calls which agents make most, one after the
// other: getProjectPath, readFile, createFile, listFile, searchFiles,
// executeCommand, sendMessage, inference. Its message is a [Task] as JSON, and it
// ends with a [Result]; it goes on after a call that fails.
//
//go:embed agent.js
var Script string

// Task is what the agent of [Script] does. What is left out has a default.
type Task struct {
	// Read is a file in the project; the default is README.md.
	Read string `json:"read,omitzero"`
	// Create is a file at the top of the project; the default is by-agent.txt.
	Create  string `json:"create,omitzero"`
	Content string `json:"content,omitzero"` // of that file
	// Search is a regular expression; the default is "agent".
	Search  string `json:"search,omitzero"`
	Command string `json:"command,omitzero"` // for the terminal; the default is pwd
	Say     string `json:"say,omitzero"`     // to the user
	Prompt  string `json:"prompt,omitzero"`  // for the model
	// LimitMS is how long each call may take, in milliseconds; the default is ten
	// seconds.
	LimitMS int `json:"limitMs,omitzero"`
}

// Message is the userMessage of the prompt for the agent.
func (t Task) Message() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // it has only strings and a number
	}
	return string(text)
}

// Result is the message of the agent's processStoped.
type Result struct {
	ProjectPath string   `json:"projectPath"`
	Calls       []Call   `json:"calls"`  // in their order
	Failed      []string `json:"failed"` // the names of those that failed
	CWD         string   `json:"cwd"`    // of the agent's process
}

// Call is what came of one call of the SDK.
type Call struct {
	Name   string          `json:"name"` // as "fs.readFile"
	Answer json.RawMessage `json:"answer"`
	// Error is why it failed: it threw, was not answered in time, or was answered
	// with success: false.
	Error string `json:"error"`
}
