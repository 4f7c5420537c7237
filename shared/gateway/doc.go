// Package gateway translates between a Codebolt server and a runtime that speaks the
// protocol of the direct execution gateway, as `codebolt --server` does. There, what an
// agent asks is wrapped in a request with an id of the gateway's own, and its answer in a
// reply that names that id.
//
//	x := gateway.Exchange{Late: tellTheRuntime}
//	out := x.FromRuntime(head, frame)           // to the server, or back at once
//	frame, matched := x.FromServer(head, frame) // to the runtime; nil for an answer too many
//
// An answer belongs to a request by its id and by nothing else: two requests of the same
// type get each its own, in whatever order they are answered. The package does no input or
// output; its clock ends the wait for answers that do not come.
package gateway
