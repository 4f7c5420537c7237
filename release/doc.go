// Package release holds what makes releases, and is in none of them: modules sets the
// versions by which this repository's modules require each other, and sbom tells what an
// archive is made of. Its tests hold that .goreleaser.yaml releases what there is.
// docs/releasing.md shows how all goes together.
package release
