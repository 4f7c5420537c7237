package agentcall

import (
	"context"
	"path"
	"strings"
)

// projectVerbs are the requests about the project, under the type that the SDK has
// for them now and the one it had.
var projectVerbs = map[string]map[string]verb{"projectEvent": projectActions, "settingEvent": projectActions}

var projectActions = map[string]verb{
	"getProjectPath":      {response: "getProjectPathResponse", need: needNothing, do: projectPath},
	"getProjectSettings":  {response: "getProjectSettingsResponse", need: needNothing, do: projectSettings},
	"getRepoMap":          {response: "getRepoMapResponse", need: needNothing, do: repoMap},
	"getEditorFileStatus": {response: "getEditorFileStatusResponse", need: needNothing, do: editorStatus},
}

// projectName is what the project is called.
func (c *Caller) projectName() string {
	if c.s.opt.Name != "" {
		return c.s.opt.Name
	}
	return path.Base(strings.ReplaceAll(c.s.opt.Files.Root(), `\`, "/"))
}

// projectPath answers with the workspace, which is where the agent's files are; the
// platform may know the project by a path that is not here.
func projectPath(_ context.Context, c *Caller, _ *request) (any, error) {
	return &struct {
		Message     string `json:"message"`
		ProjectPath string `json:"projectPath"`
		ProjectName string `json:"projectName"`
	}{"the path of the project", c.s.opt.Files.Root(), c.projectName()}, nil
}

func projectSettings(_ context.Context, c *Caller, _ *request) (any, error) {
	type settings struct {
		Path string `json:"user_active_project_path"`
		Name string `json:"projectName"`
		Type string `json:"projectType"`
	}
	return &struct {
		Message         string   `json:"message"`
		ProjectSettings settings `json:"projectSettings"`
	}{"the settings of the project", settings{c.s.opt.Files.Root(), c.projectName(), "unknown"}}, nil
}

// repoMap answers with an empty map: agents take that for a project without one, and
// go on.
func repoMap(context.Context, *Caller, *request) (any, error) {
	return &struct {
		Message string `json:"message"`
		RepoMap string `json:"repoMap"`
	}{"there is no map of the repository", ""}, nil
}

func editorStatus(context.Context, *Caller, *request) (any, error) {
	const none = "No editor is open in this environment."
	return &struct {
		Message      string `json:"message"`
		EditorStatus string `json:"editorStatus"`
	}{none, none}, nil
}
