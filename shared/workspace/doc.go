// Package workspace says, once, what Codebolt's ten file requests mean, and
// confines them to one directory.
//
// [Files] answers the requests over an [FS]. There are two of those: [Local],
// the files of this machine below one directory, and [Remote], the files of a
// runtime elsewhere, which serves them with [Serve]. [CopyTree] makes the
// directory of a new environment out of an existing one.
//
// The smallest use:
//
//	local, err := workspace.OpenLocal(dir, workspace.LocalOptions{})
//	if err != nil {
//		return err
//	}
//	defer local.Close()
//	files := &workspace.Files{FS: local}
//	result, err := files.Do(ctx, wire.TypeReadFile, &wire.FileRequest{Path: "main.go"})
//
// No request reaches a file outside the directory, whatever links lie in it and
// whatever other processes do to it meanwhile. The package does not guard
// against a process that may write to the directory: such a process can change
// all that is in it, the protected names too. Nor is it an archive or a version
// store, and it makes no promise about a crash of the machine: a write replaces
// a file at once and whole, but is not forced to the disk.
package workspace
