package main

// filesDefects are those of group FS.
func filesDefects() []defect { return nil }
