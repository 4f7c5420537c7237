package workspace_test

import (
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

func TestARootMayHaveAnotherPathForThoseWhoAreThere(t *testing.T) {
	t.Parallel()
	local, err := workspace.OpenLocal(t.TempDir(), workspace.LocalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if err := local.WriteFile(t.Context(), "a.txt", []byte("a")); err != nil {
		t.Fatal(err)
	}
	also := workspace.Also(local, "/there/files")
	for _, files := range []workspace.FS{also, workspace.Either(local, also, func() bool { return true })} {
		f := &workspace.Files{FS: files}
		for path, want := range map[string]wire.Code{
			"a.txt": "", local.Root() + "/a.txt": "", "/there/files/a.txt": "", "/there/files/x/../a.txt": "",
			"/there/files/../a.txt": wire.OutsideWorkspace, "/there/filesx/a.txt": wire.OutsideWorkspace, "/there": wire.OutsideWorkspace,
		} {
			if _, err := f.Do(t.Context(), wire.TypeReadFile, &wire.FileRequest{Path: path}); wire.CodeOf(err) != want {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}
