package agentcall

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestTheProjectIsTheWorkspaceUnderBothTypes(t *testing.T) {
	for _, typ := range []string{"projectEvent", "settingEvent"} {
		t.Run(typ, func(t *testing.T) {
			d := newDesk(t)
			for action, want := range map[string]map[string]any{
				"getProjectPath":     {"type": "getProjectPathResponse", "projectPath": d.dir, "projectName": "shop"},
				"getProjectSettings": {"type": "getProjectSettingsResponse", "projectSettings": map[string]any{"user_active_project_path": d.dir, "projectName": "shop", "projectType": "unknown"}},
				"getRepoMap":         {"type": "getRepoMapResponse", "repoMap": ""},
				"getEditorFileStatus": {
					"type":         "getEditorFileStatusResponse",
					"editorStatus": "No editor is open in this environment.",
				},
			} {
				// What the request says of a path does not count.
				d.send(fmt.Sprintf(`{"type":%q,"action":%q,"projectPath":"/elsewhere","message":{"projectPath":"/elsewhere"},"requestId":"r1"}`, typ, action))
				m := d.answer()
				want["success"], want["requestId"], want["clientId"] = true, "r1", "coder"
				same(t, m, want)
				if m["message"] == "" || m["timestamp"] == "" {
					t.Errorf("%s: message %v, timestamp %v", action, m["message"], m["timestamp"])
				}
			}
		})
	}
}

func TestAnAgentWithoutRequestIDsGetsNone(t *testing.T) {
	d := newDesk(t)
	d.send(`{"type":"settingEvent","action":"getProjectPath"}`)
	m := d.answer()
	if id, has := m["requestId"]; has || m["projectPath"] != d.dir {
		t.Errorf("requestId %v, projectPath %v", id, m["projectPath"])
	}
}

func TestAProjectWithoutANameIsCalledAsItsFolder(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.Name = "" })
	d.send(`{"type":"projectEvent","action":"getProjectPath","requestId":"r1"}`)
	same(t, d.answer(), map[string]any{"projectName": filepath.Base(d.dir)})
}

func TestToRunTheProjectIsThePlatformsAffair(t *testing.T) {
	d := newDesk(t)
	if d.caller.Serve(wire.Header{Type: "projectEvent", Action: "runProject"}, []byte(`{}`)) {
		t.Error("runProject is served")
	}
}
