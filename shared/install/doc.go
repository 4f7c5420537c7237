// Package install makes the folder of a provider that a Codebolt server starts, puts
// it where servers look for providers, and takes it away again.
//
// Such a folder holds everything: the two manifest files, package.json and
// dist/index.js for servers that start providers with Node, the programs for each
// platform below bin, and SHA256SUMS, which lists all other files in the format of
// sha256sum. An installation is one rename: whoever looks sees the old folder or the
// new one and never anything between, also when the process is killed.
//
//	change, err := install.In(dir).Install(ctx, install.Parts{…}.Assemble, install.Options{})
//
// It knows no provider by name and starts nothing.
package install
