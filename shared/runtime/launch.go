package runtime

// Launch is what codebolt-runtime launch finds in its file: how to start where the
// command line is fixed, or seen by others, as that of a container is.
type Launch struct {
	// Args are the flags of codebolt-runtime. One of Args, Command and Hold is set.
	Args []string `json:"args,omitzero"`
	// Command is the argv of another agent server.
	Command []string `json:"command,omitzero"`
	// Hold waits until a signal ends it, and does nothing.
	Hold bool `json:"hold,omitzero"`
	// Environ is added to the environment; it may hold secrets.
	Environ map[string]string `json:"environ,omitzero"`
	// Home is made and becomes HOME when there is none that can be written to.
	Home string `json:"home,omitzero"`
}
