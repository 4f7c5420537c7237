// Package provider is the base that every environment provider stands on, and
// what the author of one reads first.
//
// An author writes two small types. A [Provider] opens environments of one
// kind; an [Environment] is one that is open. The base does everything that is
// the same for all of them: it speaks with the server, keeps the connection,
// serialises the lifecycle, answers each known request exactly once, runs the
// file requests, bridges the remote runtime, beats the heart, notices that its
// parent or its server is gone, and leaves in good order.
//
//	func main() {
//		provider.Main(provider.Definition{
//			Manifests:   manifests.Files("local"),
//			Provider:    localProvider{},
//			Environment: (*environment)(nil),
//		})
//	}
//
// What an environment can do beyond the basics it says by implementing one of
// the small optional interfaces: [Differ], [Patcher], [PullRequester],
// [Restarter]; a provider likewise: [PathPlanner], [Reaper]. A request whose
// ability is missing is answered with an error of kind unsupported, never with
// silence and never with an empty success.
//
// Most environments on this machine are a directory with a runtime process
// beside it. [Host] is that, whole: ownership record, lease, crash recovery,
// workspace, runtime, health. Only how the directory comes and goes is left to
// the author.
//
// The package is not a library for servers, and nothing in it knows any one
// provider.
package provider
