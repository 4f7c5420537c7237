// Package server is a Codebolt server reduced to what concerns environment
// providers: it starts a provider's program as the real one does, speaks the
// protocol with it, keeps track of its state, starts it again when it dies, and
// records every frame. Conformance checks and people who try a provider by hand
// use it.
//
// It is not a judge: an answer of an undocumented shape is handed to the caller
// as it came. It has no agents, no user interface and no accounts, and listens
// on the loopback interface only. Being the other end of the protocol, it shares
// no code with the provider base but the message types.
//
// The smallest use:
//
//	s, err := server.New(server.Options{})
//	defer s.Close()
//	env, err := s.Create(server.EnvironmentSpec{Name: "demo", ProjectPath: dir, Program: program})
//	started, err := env.Start(ctx)
//	answer, err := env.Call(ctx, map[string]any{"type": "providerReadFile", "path": "README.md"})
//	_, err = env.Stop(ctx, "")
package server
