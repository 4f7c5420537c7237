package main

// networkDefects are those of group NT.
func networkDefects() []defect { return nil }
