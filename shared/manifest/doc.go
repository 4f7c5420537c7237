// Package manifest reads what a provider says about itself in its two files,
// codeboltprovider.yaml and providers.yaml, and works with the configuration
// whose lowest layer stands there: merging the layers, decoding the result into
// a struct, naming the key that a mistyped one probably means.
//
// It is not the place of a provider's own rules about its configuration: a
// decoded struct still has to be checked by whoever declared it.
//
// The smallest use:
//
//	m, err := manifest.Load(os.DirFS("manifests"), "gitworktree")
//	merged := manifest.Merge(m.Config, installed, environment)
//	unknown, err := manifest.Decode(merged, &settings)
package manifest
