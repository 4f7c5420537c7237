// Package agentcall answers, beside an agent, those of its requests that concern the
// environment it works in: files, search, commands, git and the project. All others
// are the platform's, and not for this package.
//
//	server, err := agentcall.New(agentcall.Options{Files: files, Name: "shop"})
//	caller := server.Caller(agentcall.Agent{ID: "coder", InstanceID: id, Say: say, Tell: tell})
//	if !caller.Serve(head, frame) {
//		// relay it
//	}
//	caller.Close()
//
// It speaks to agents that use the Codebolt SDK, of the versions that send a
// requestId and of those that know answers by their type alone.
//
// Files are reached through a [workspace.FS] only, which confines them. Commands
// cannot be confined by a path: what they may do is what the environment lets them do,
// and the [Policy] may forbid them, or have a person asked by the platform, whose word
// [Caller.Decide] takes.
//
// A command runs in the workspace. What it leaves running goes on after its answer,
// as with any shell, and ends with the Caller: on Linux also what has made itself
// independent, elsewhere only what still holds the command's output.
package agentcall
