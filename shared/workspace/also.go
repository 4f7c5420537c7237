package workspace

// Also is an FS whose root those who are with the files know by another path than
// [FS].Root: requests with an absolute path below either mean the same.
func Also(files FS, path string) FS { return &alsoAt{files, path} }

type alsoAt struct {
	FS
	path string
}

func (a *alsoAt) also() string { return a.path }

// otherRoot is the other path of an FS's root, or "".
func otherRoot(files FS) string {
	if a, ok := files.(interface{ also() string }); ok {
		return a.also()
	}
	return ""
}
