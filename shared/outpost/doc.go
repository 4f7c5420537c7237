// Package outpost is how a provider has its way on another machine: what it asks of
// codebolt-runtime there, which it has put there and runs for each request. The
// request is one line of JSON on standard input, so that neither names nor secrets
// are in a command line, and the answer is JSON on standard output.
//
//	answer, err := outpost.Ask(ctx, run, &outpost.Request{Do: outpost.Start, Folder: folder, Launch: launch})
//	status := outpost.Serve(ctx, os.Stdin, os.Stdout, os.Stderr) // on the other machine
//
// An environment there is a [Folder] with a marker that tells whose it is. What has
// no such marker is never changed.
package outpost
