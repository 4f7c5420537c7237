// Package manifests holds the manifest files of every provider of this
// repository, one folder each, embedded into the program that imports it.
//
// It knows nothing of how a manifest is read, which is shared/manifest, and
// nothing of the providers' programs.
//
// The smallest use:
//
//	m, folder, err := manifests.Load("git-worktree")
package manifests
