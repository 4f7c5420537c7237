// Package agenthost is the reference runtime as a library: what runs beside the
// agents, inside the environment. It serves the file calls of its provider, runs
// agents that are plain commands, keeps what they print for a provider that
// comes back, and ends when its owner stays away.
//
//	host, err := agenthost.New(agenthost.Options{Workspace: dir, Token: token, InstanceID: id})
//	err = host.Serve(ctx, listener)
//
// It speaks the agent server's protocol, with sessions that resume towards
// providers that know how. Other kinds of agent plug in as a [Starter].
//
// The package does not make environments and knows nothing of the server.
package agenthost
