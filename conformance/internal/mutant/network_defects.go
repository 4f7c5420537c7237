package main

import "slices"

// networkDefects are those of group NT.
func networkDefects() []defect {
	return slices.Concat(
		lineDefects(), silentLineDefects(), awayDefects(),
		runtimeStartDefects(), forwardingDefects(), runtimeAwayDefects(), volumeDefects(),
	)
}
