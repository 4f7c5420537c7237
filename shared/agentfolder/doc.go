// Package agentfolder finds the folder of the agent that a prompt selects: one
// that is on this machine already, or one that comes out of an archive, which may
// be fetched first.
//
//	folder, err := agentfolder.Find(ctx, prompt.SelectedAgent, agentfolder.Options{
//		Roots: []string{"/home/me/project/.codebolt/agents"},
//		Store: "/home/me/.codebolt/runtime/agents",
//	})
//	cmd := exec.CommandContext(ctx, "node", folder.Entry)
//
// An agent is code that somebody else names and this machine runs. So a folder
// must lie below a root that was configured, nothing is fetched unless hosts were
// configured, and an archive cannot write outside of its own folder, which is
// named after the archive's content: what a running agent is made of stays as it
// is when another version comes.
//
// The package starts nothing and knows no address on the network.
package agentfolder
