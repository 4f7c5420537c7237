// Package gateway translates between a Codebolt server and a runtime that speaks the
// protocol of the direct execution gateway, as `codebolt --server` does. There, what an
// agent asks is wrapped in a request with an id of the gateway's own, and its answer in a
// reply that names that id.
//
//	var x gateway.Exchange
//	out := x.FromRuntime(head, frame)       // to the server
//	reply, mine := x.FromServer(head, frame) // to the runtime, when it is an answer
//
// An answer belongs to a request by its id and by nothing else: two requests of the same
// type get each its own, in whatever order they are answered. The package does no input or
// output and has no clock; whoever uses it says when requests have waited long enough.
package gateway
