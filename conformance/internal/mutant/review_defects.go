package main

// reviewDefects are those of group DF.
func reviewDefects() []defect { return nil }
