// Package release holds what makes releases, and is in none of them: modules sets the
// versions by which this repository's modules require each other.
package release
