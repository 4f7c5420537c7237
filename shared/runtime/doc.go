// Package runtime reaches, starts and supervises the remote runtime of an
// environment on this machine, and speaks with a runtime wherever it is.
//
// [Start] starts codebolt-runtime, or an upstream agent server when told to;
// [Adopt] finds one that an earlier provider process left at work. A runtime is
// recognised by its instance id and token, never by a port that answers.
// [Connect] is the client: messages both ways, and the file calls.
//
//	proc, err := runtime.Start(ctx, runtime.Spec{Workspace: dir, Dir: private, Instance: id})
//	client, err := runtime.Connect(ctx, runtime.ClientOptions{Dial: proc.Dial, Token: proc.Token(), Resume: true})
//
// The runtime itself is package agenthost.
package runtime
