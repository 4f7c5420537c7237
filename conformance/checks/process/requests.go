package process

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// request is a request with the name of its answer.
type request struct {
	message suite.Message
	answer  string
	valued  bool // success carries a value
}

// fileRequests succeed in this order in a new environment.
var fileRequests = []request{
	{suite.Message{"type": "providerReadFile", "path": "README.md"}, "providerReadFileResponse", true},
	{suite.Message{"type": "providerGetTreeChildren", "path": "src"}, "providerGetTreeChildrenResponse", true},
	{suite.Message{"type": "providerGetFullProject"}, "providerGetFullProjectResponse", true},
	{suite.Message{"type": "providerCreateFolder", "path": "new"}, "providerCreateFolderResponse", false},
	{suite.Message{"type": "providerWriteFile", "path": "written.txt", "content": "text\n"}, "providerWriteFileResponse", false},
	{suite.Message{"type": "providerCopyFile", "sourcePath": "README.md", "destinationPath": "copied.md"}, "providerCopyFileResponse", false},
	{suite.Message{"type": "providerCopyFolder", "sourcePath": "src", "destinationPath": "copied"}, "providerCopyFolderResponse", false},
	{suite.Message{"type": "providerRenameItem", "oldPath": "docs/guide.md", "newPath": "docs/renamed.md"}, "providerRenameItemResponse", false},
	{suite.Message{"type": "providerDeleteFile", "path": "empty.txt"}, "providerDeleteFileResponse", false},
	{suite.Message{"type": "providerDeleteFolder", "path": "docs"}, "providerDeleteFolderResponse", false},
}

// faultyRequests fail in any environment.
var faultyRequests = []request{
	{suite.Message{"type": "providerReadFile", "path": "absent/file.txt"}, "providerReadFileResponse", false},
	{suite.Message{"type": "providerWriteFile", "path": "README.md/file.txt", "content": "x"}, "providerWriteFileResponse", false},
	{suite.Message{"type": "providerCreateFolder", "path": "README.md/folder"}, "providerCreateFolderResponse", false},
	{suite.Message{"type": "providerCopyFile", "sourcePath": "absent.txt", "destinationPath": "copied.txt"}, "providerCopyFileResponse", false},
	{suite.Message{"type": "providerCopyFolder", "sourcePath": "absent", "destinationPath": "copied"}, "providerCopyFolderResponse", false},
	{suite.Message{"type": "providerRenameItem", "oldPath": "absent.txt", "newPath": "renamed.txt"}, "providerRenameItemResponse", false},
	{suite.Message{"type": "providerDeleteFile", "path": "../outside.txt"}, "providerDeleteFileResponse", false},
	{suite.Message{"type": "providerDeleteFolder", "path": "../outside"}, "providerDeleteFolderResponse", false},
	{suite.Message{"type": "providerGetTreeChildren", "path": "../outside"}, "providerGetTreeChildrenResponse", false},
}

var reviewRequests = []request{
	{suite.Message{"type": "providerGetDiffFiles"}, "providerDiffFilesResponse", true},
	{suite.Message{"type": "providerMergeAsPatch"}, "providerMergeAsPatchResponse", true},
	{suite.Message{"type": "createPatchRequest"}, "createPatchRequestResponse", true},
	{suite.Message{"type": "providerSendPR", "title": "A title"}, "providerSendPRResponse", true},
	{suite.Message{"type": "createPullRequestRequest", "title": "A title"}, "createPullRequestRequestResponse", true},
}
