package resource

// SyncDir makes renames in a directory durable. Here it does nothing: NTFS journals renames, and directories cannot be synced.
func SyncDir(string) error { return nil }
