// Package engine is the Docker Engine as the provider needs it: images,
// containers, volumes, networks, files in and out, and commands in a container
// whose standard streams are a [net.Conn].
//
// It finds the daemon as the docker program does (DOCKER_HOST, contexts, TLS,
// ssh://), and every error has one of the kinds of package wire and a sentence
// that says what to do. It knows nothing of environments, records or labels'
// meaning, and nothing it makes is removed unless it is told.
//
//	eng, err := engine.Connect(ctx, engine.Options{})
//	img, err := eng.EnsureImage(ctx, "alpine:3.20", engine.PullMissing, "", nil)
//	id, warnings, err := eng.CreateContainer(ctx, engine.ContainerSpec{Name: "box", Image: img.ID})
//	err = eng.StartContainer(ctx, id)
//	conn, err := eng.ExecConn(ctx, id, engine.ExecSpec{Argv: []string{"/bin/cat"}})
//
// Only client.go uses the client library.
package engine
