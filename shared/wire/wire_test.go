package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// messages holds one frame of every message type, as protocol documents it,
// with one member that no type knows.
var messages = []struct {
	into  any
	frame string
}{
	{&wire.ProviderStart{}, `{"type":"providerStart","requestId":"1","environmentName":"e","environmentId":"i","providerId":"p","projectPath":"/p","projectName":"n","resourceId":"r","sandboxId":"s","archivePath":"/a","snapshotId":"sn","narrativeBundlePath":"/b","mergeConfig":{"mergeStrategy":"auto","conflictResolution":"agent","conflictResolutionAgentId":"a","new":1},"environmentPath":"/e","requestedPath":"/r","resolvedPath":"/v","path":"/x","parentProjectPath":"/pp","parentPath":"/q","parentBasePath":"/bb","syncMode":"git","sync_mode":"git","mergeStrategy":"git","merge_strategy":"git","rmrSourceType":"git","gitUrl":"u","gitBranch":"b","gitBaseRef":"m","gitHeadRef":"h","parentRuntimeId":"pr","parentEnvironmentId":"pe","timeouts":{"cleanup":1},"new":[1,{"a":null}]}`},
	{&wire.ProspectivePath{}, `{"type":"providerProspectivePath","requestId":"1","environmentPath":"/e","syncMode":"git","environmentName":"e","environmentId":"i","projectPath":"/p","projectName":"n","gitUrl":"u","new":1}`},
	{&wire.ProviderStop{}, `{"type":"providerStop","requestId":"1","environmentName":"e","environmentId":"i","new":1}`},
	{&wire.CloseSignal{}, `{"type":"closeSignal","new":1}`},
	{&wire.EnvironmentRestart{}, `{"type":"environmentRestartRequest","requestId":"1","environmentId":"e","providerId":"p","new":1}`},
	{&wire.EnvironmentRestarted{}, `{"type":"environmentRestartResponse","environmentId":"e","success":true,"timestamp":"2026-11-23T07:17:22.112Z","requestId":"1"}`},
	{&wire.ProviderAgentStart{}, `{"type":"providerAgentStart","requestId":"1","userMessage":{"type":"messageResponse","x":[1, 2]},"agentId":"a","projectPath":"/p","threadId":"t","archivePath":"/a","snapshotId":"s","narrativeBundlePath":"/b","narrativeContext":{"objective_id":"o","narrative_thread_id":"n","agent_run_id":"r","new":1},"new":1}`},
	{&wire.FileRequest{}, `{"type":"providerWriteFile","requestId":"1","path":"a","content":"","encoding":"base64","new":1}`},
	{&wire.FileRequest{}, `{"type":"providerRenameItem","oldPath":"a","newPath":"b","new":1}`},
	{&wire.FileRequest{}, `{"type":"providerCopyFile","sourcePath":"a","destinationPath":"b","new":1}`},
	{&wire.FileRequest{}, `{"type":"providerGetFullProject","recursive":true,"maxEntries":5,"maxDepth":2,"new":1}`},
	{&wire.SendPR{}, `{"type":"providerSendPR","requestId":"1","title":"t","description":"d","branch":"b","new":1}`},
	{&wire.HeartbeatRequest{}, `{"type":"providerHeartbeatRequest","requestId":"1","providerId":"p","environmentId":"e","timestamp":"x","new":1}`},
	{&wire.ProviderHeartbeat{}, `{"type":"providerHeartbeat","providerId":"p","timestamp":"2026-11-23T07:17:22.112Z","status":"healthy","connectedEnvironments":["e"],"uptime":10,"metadata":{"transport":"websocket","initialized":true},"requestId":"1"}`},
	{&wire.EnvironmentHeartbeat{}, `{"type":"environmentHeartbeat","environmentId":"e","providerId":"p","timestamp":"2026-11-23T07:20:18.043Z","environmentAlive":false,"requestId":"1"}`},
	{&wire.EnvironmentStatus{}, `{"type":"environmentHeartbeatResponse","environmentId":"e","status":"active","remoteExecutorStatus":"running","timestamp":"2026-11-23T07:20:18.043Z","requestId":"1"}`},
	{&wire.HeartbeatAck{}, `{"type":"providerHeartbeatResponse","providerId":"p","received":true,"timestamp":1,"new":1}`},
	{&wire.SetResourceID{}, `{"type":"setResourceId","resourceId":"r","providerId":"p","environmentId":"e"}`},
	{&wire.Registered{}, `{"type":"registered","connectionId":"c","connectionType":"app","threadId":"t","message":"m","registrationType":"auto","appInstanceId":"i","new":1}`},
	{&wire.MessageResponse{}, `{"type":"messageResponse","message":{"userMessage":"hello","selectedAgent":{"id":"a1","name":"A","agentType":"local-path","agentDetails":"/x","new":1},"threadId":"t1","messageId":"m1","mentionedFiles":[]},"sender":{"senderType":"user"},"messageId":"m1","timestamp":1795418242118,"new":1}`},
	{&wire.AgentStarted{}, `{"type":"agentStarted","agentId":"echo","parentId":"p","instanceId":"9a8d","projectInfo":{"path":"/p","name":"env1","metadata":{}}}`},
	{&wire.ProcessStopped{}, `{"type":"processStoped","agentId":"a","agentInstanceId":"i","threadId":"t","messageId":"m","message":{"got":1},"error":"exit status 3","code":"internal","exitCode":0,"synthetic":true,"requestId":"1","new":1}`},
	{&wire.StopProcess{}, `{"type":"stopProcessClicked","agentId":"a","new":1}`},
	{&wire.SetNarrative{}, `{"type":"setNarrativeContext","narrativeContext":{"objective_id":"o"},"new":1}`},
	{&wire.SnapshotImport{}, `{"type":"snapshotArchiveImport","requestId":"1","archiveData":"","environmentId":"e","environmentName":"n","snapshotId":"s","workspacePath":"/w","new":1}`},
	{&wire.SnapshotImported{}, `{"type":"snapshotArchiveImportResult","success":false,"environmentId":"env1","error":"x","new":1}`},
	{&wire.SnapshotExport{}, `{"type":"snapshotExportRequest","environmentId":"e","new":1}`},
	{&wire.SnapshotExported{}, `{"type":"snapshotBundleExport","bundleData":"","snapshotId":"","baseSnapshotId":null,"environmentId":"env1","success":false,"error":"x","new":1}`},
	{&wire.RuntimeHealth{}, `{"status":"ok","timestamp":"2026-11-23T07:20:23.385Z","version":"1.0.0","connections":{"apps":3}}`},
	{&wire.GatewayRequest{}, `{"type":"executionGateway.request","requestId":"1","originalType":"fsEvent","originalAction":"readFile","originalMessage":{"a":1},"new":1}`},
	{&wire.GatewayNotification{}, `{"type":"executionGateway.notification","originalType":"sendMessage","originalMessage":{"a":1},"new":1}`},
	{&wire.GatewayReply{}, `{"type":"executionGateway.reply","requestId":"reply-1","replyRequestId":"1","success":true,"result":{"a":1},"new":1}`},
	{&wire.AppFS{}, `{"type":"providerAppFs","requestId":"provider-app-fs-1-x","action":"writeFile","message":{"filePath":"a","content":"","new":1}}`},
	{&wire.AppFSReply{}, `{"type":"providerAppFsResponse","requestId":"1","success":true,"result":{"payload":{"data":""}}}`},
	{&wire.NarrativeRequest{}, `{"type":"narrative.exportUnifiedBundle","requestId":"narr-1","environmentId":"e","workspace":"/w","snapshotId":"s","incremental":false,"new":1}`},
	{&wire.NarrativeResponse{}, `{"type":"narrative.importUnifiedBundleResponse","requestId":"narr-1","success":true,"snapshot_ids":["a"],"narrative_imported":true,"new":1}`},
}

func TestEveryMessagePassesThroughWithAllItsMembers(t *testing.T) {
	t.Parallel()
	for _, m := range messages {
		if err := wire.Unmarshal([]byte(m.frame), m.into); err != nil {
			t.Errorf("%T: %v", m.into, err)
			continue
		}
		got, err := wire.Marshal(m.into)
		if err != nil {
			t.Errorf("%T: %v", m.into, err)
			continue
		}
		var want, have any
		if err := errors.Join(json.Unmarshal([]byte(m.frame), &want), json.Unmarshal(got, &have)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%T changed on its way (-sent +passed on):\n%s", m.into, diff)
		}
		if v := reflect.ValueOf(m.into).Elem().FieldByName("Extra"); v.IsValid() && v.Len() == 0 {
			t.Errorf("%T: the literal has no unknown member, so the test shows nothing", m.into)
		}
	}
}

func TestARequestIDThatIsNoStringCountsAsNone(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]wire.ID{
		`{"type":"t","requestId":"a"}`:      "a",
		`{"type":"t","requestId":""}`:       "",
		`{"type":"t","requestId":7}`:        "",
		`{"type":"t","requestId":null}`:     "",
		`{"type":"t","requestId":{"a":1}}`:  "",
		`{"type":"t"}`:                      "",
		`{"type":"t","requestId":"\u00fc"}`: "ü",
	} {
		head, err := wire.Peek([]byte(frame))
		if err != nil || head.RequestID != want || head.Type != "t" {
			t.Errorf("%s: got %+v, %v", frame, head, err)
		}
	}
}

func TestPeekRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{``, ` `, `null`, `[]`, `[{"type":"a"}]`, `"x"`, `1`, `{`, `{"type":"a"`, `{"type":1}`, `not json`, `{"type":"a"} {}`, `{"type":"a","type":"b"}`, "{\"type\":\"\xff\"}"} {
		if _, err := wire.Peek([]byte(frame)); !errors.Is(err, wire.Invalid) {
			t.Errorf("Peek(%q) = %v, want an error of kind invalid", frame, err)
		}
	}
}

func TestStampAddsATimestampAndTouchesNothingElse(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1795418242118)
	for frame, want := range map[string]string{
		`{}`:                                    `{"timestamp":1795418242118}`,
		`{"a": 1 , "b":"<&é"}`:                  `{"a": 1 , "b":"<&é","timestamp":1795418242118}`,
		` {"a":{"timestamp":1} } `:              ` {"a":{"timestamp":1},"timestamp":1795418242118 } `,
		`{"timestamp":5,"a":1}`:                 `{"timestamp":5,"a":1}`,
		`{"time\u0073tamp":5}`:                  `{"time\u0073tamp":5}`,
		`{"type":"x","n":12345678901234567890}`: `{"type":"x","n":12345678901234567890,"timestamp":1795418242118}`,
	} {
		got, err := wire.Stamp([]byte(frame), now)
		if err != nil || string(got) != want {
			t.Errorf("Stamp(%s) = %s, %v; want %s", frame, got, err, want)
		}
	}
	for _, frame := range []string{``, `[`, `{"a"`} {
		if _, err := wire.Stamp([]byte(frame), now); err == nil {
			t.Errorf("Stamp(%q) succeeded", frame)
		}
	}
}

func TestTimesAreISOInUTCWithMilliseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("far", 5*3600+1800)
	got, err := wire.Marshal(wire.Time{Time: time.Date(2026, 11, 23, 12, 47, 22, 112_999_999, zone)})
	if want := `"2026-11-23T07:17:22.112Z"`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	for text, want := range map[string]int64{`"2026-11-23T07:17:22.112Z"`: 1795418242112, `1795418242112`: 1795418242112, `"2026-11-23T12:47:22+05:30"`: 1795418242000} {
		var at wire.Time
		if err := wire.Unmarshal([]byte(text), &at); err != nil || at.UnixMilli() != want {
			t.Errorf("%s: got %d, %v; want %d", text, at.UnixMilli(), err, want)
		}
	}
}

func TestTextThatIsNotUTF8IsNeverEncoded(t *testing.T) {
	t.Parallel()
	verb, _ := wire.VerbOf(wire.Header{Type: wire.TypeReadFile})
	if frame, err := verb.Success("q", "a\xffb"); err == nil {
		t.Errorf("encoded as %s", frame)
	}
}

func TestErrorsKeepTheirKindWhateverWrapsThem(t *testing.T) {
	t.Parallel()
	_, missing := os.Stat("/nonexistent/surely")
	for _, c := range []struct {
		err   error
		code  wire.Code
		retry bool
	}{
		{nil, "", false},
		{errors.New("x"), wire.Internal, false},
		{wire.Errorf(wire.Conflict, "x"), wire.Conflict, false},
		{fmt.Errorf("outer: %w", wire.Errorf(wire.Unavailable, "x")), wire.Unavailable, true},
		{wire.Permanent(wire.Errorf(wire.Unavailable, "x")), wire.Unavailable, false},
		{wire.Errorf(wire.Invalid, "outer: %w", wire.Errorf(wire.Timeout, "x")), wire.Invalid, false},
		{fmt.Errorf("x: %w", wire.TooLarge), wire.TooLarge, false},
		{missing, wire.NotFound, false},
		{fs.ErrExist, wire.Exists, false},
		{syscall.ENOTEMPTY, wire.Conflict, false},
		{fs.ErrPermission, wire.Permission, false},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), wire.Timeout, true},
		{context.Canceled, wire.Unavailable, true},
		{errors.ErrUnsupported, wire.Unsupported, false},
		{syscall.ENOSPC, wire.Unavailable, true},
		{syscall.EISDIR, wire.Invalid, false},
		{syscall.ELOOP, wire.Invalid, false},
	} {
		if got := wire.CodeOf(c.err); got != c.code {
			t.Errorf("CodeOf(%v) = %q, want %q", c.err, got, c.code)
		}
		if got := wire.Retryable(c.err); got != c.retry {
			t.Errorf("Retryable(%v) = %v, want %v", c.err, got, c.retry)
		}
		if back := wire.ProblemOf(c.err).Err(); wire.CodeOf(back) != c.code || wire.Retryable(back) != c.retry {
			t.Errorf("%v came back from the wire as %v (%s)", c.err, back, wire.CodeOf(back))
		}
	}
	if err := wire.Errorf(wire.Conflict, "x: %w", fs.ErrExist); !errors.Is(err, fs.ErrExist) || !errors.Is(err, wire.Conflict) || errors.Is(err, wire.Exists) {
		t.Error("errors.Is does not see both the cause and the kind")
	}
	if p := wire.ProblemOf(errors.New("")); p.Error == "" {
		t.Error("an error without a text crosses the wire as no error")
	}
}

func TestTheEndpointCarriesIdentityAndNoSecrets(t *testing.T) {
	t.Parallel()
	end, err := wire.ServerEndpoint([]string{
		"SOCKET_PORT=2719", "CODEBOLT_SERVER_URL=example.test", "agentId=a&b=c", "threadToken=jwt.x", "IS_PROVIDER=true",
		"providerId=p", "PROVIDER_ID=p", "ENVIRONMENT_NAME=env 1", "PROJECT_PATH=/p", "Is_Dev=false", "empty=",
		"E2B_API_KEY=canary-key", "AWS_REGION=canary-region", "ENVIRONMENT_CONFIG={\"k\":\"canary\"}", "PATH=canary-path", "npm_x=canary-npm", "_=canary",
		"CODEBOLT_PROVIDER_QUERY_ENV=REGION,MY_SECRET, DEPLOY_AUTH ,ENVIRONMENT_CONFIG,missing", "REGION=eu", "MY_SECRET=canary-secret", "DEPLOY_AUTH=canary-auth",
	})
	if err != nil {
		t.Fatal(err)
	}
	query := end.URL.Query()
	if id := query.Get("id"); !strings.HasPrefix(id, "ws_") || strings.Count(id, "_") != 2 {
		t.Errorf("id %q has not the form ws_time_random", id)
	}
	query.Del("id")
	want := map[string][]string{
		"agentId": {"a&b=c"}, "threadToken": {"jwt.x"}, "IS_PROVIDER": {"true"}, "providerId": {"p"}, "PROVIDER_ID": {"p"},
		"ENVIRONMENT_NAME": {"env 1"}, "PROJECT_PATH": {"/p"}, "dev": {"true"}, "REGION": {"eu"},
	}
	if diff := cmp.Diff(want, map[string][]string(query)); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if strings.Contains(end.URL.String(), "canary") {
		t.Errorf("a secret is in %s", end.URL)
	}
	if got := end.URL.Scheme + "://" + end.URL.Host + end.URL.Path; got != "ws://example.test:2719/codebolt" {
		t.Errorf("dials %s", got)
	}
	if diff := cmp.Diff([]string{"MY_SECRET", "DEPLOY_AUTH", "ENVIRONMENT_CONFIG"}, end.Refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"AWS_REGION", "DEPLOY_AUTH", "E2B_API_KEY", "ENVIRONMENT_CONFIG", "MY_SECRET"}, end.Withheld); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
}

func TestTheServersAddressIsReadInEveryForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ host, port, want string }{
		{"", "2719", "ws://localhost:2719"},
		{"h", "2719", "ws://h:2719"},
		{"h:1", "", "ws://h:1"},
		{"h:1", "2", "ws://h:1"},
		{"[::1]", "2", "ws://[::1]:2"},
		{"::1", "2", "ws://[::1]:2"},
		{"http://h", "2", "ws://h:2"},
		{"https://h", "", "wss://h"},
		{"wss://h:1/x?y=z", "2", "wss://h:1"},
		{"", "", ""},
		{"h", "", ""},
		{"h", "x", ""},
		{"h", "0", ""},
		{"h", "70000", ""},
		{"ftp://h", "1", ""},
		{"http://", "1", ""},
	} {
		end, err := wire.ServerEndpoint([]string{"CODEBOLT_SERVER_URL=" + c.host, "SOCKET_PORT=" + c.port})
		switch {
		case c.want == "" && !errors.Is(err, wire.Invalid):
			t.Errorf("%q %q: got %v, %v; want an error of kind invalid", c.host, c.port, end.URL, err)
		case c.want != "" && err != nil:
			t.Errorf("%q %q: %v", c.host, c.port, err)
		case c.want != "" && !strings.HasPrefix(end.URL.String(), c.want+"/codebolt?id=ws_"):
			t.Errorf("%q %q: got %s, want %s/codebolt", c.host, c.port, end.URL, c.want)
		}
	}
}

func TestTheRequestedPathIsTheFirstThatIsNotBlank(t *testing.T) {
	t.Parallel()
	p := wire.PathRequest{EnvironmentPath: " ", RequestedPath: "", ResolvedPath: "/r", Path: "/p", SyncModeSnake: "none"}
	if got := p.Requested(); got != "/r" {
		t.Errorf("Requested() = %q", got)
	}
	if got := p.Mode(); got != "none" {
		t.Errorf("Mode() = %q", got)
	}
	ask := wire.ProspectivePath{PathRequest: wire.PathRequest{ParentPath: "/b", ParentProjectPath: "/a"}}
	if got := ask.Parent(); got != "/a" {
		t.Errorf("Parent() = %q", got)
	}
}

func FuzzPeekAndStampNeverPanicAndStayJSON(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m.frame))
	}
	f.Add([]byte(`{"type":"a",`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if _, err := wire.Peek(frame); err != nil {
			return
		}
		stamped, err := wire.Stamp(frame, time.Now())
		if err != nil {
			t.Fatalf("Peek takes %q and Stamp does not: %v", frame, err)
		}
		if _, err := wire.Peek(stamped); err != nil {
			t.Fatalf("%q became %q: %v", frame, stamped, err)
		}
	})
}

func TestMembersOfAnObjectAreReplacedAndAllElseStays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ object, want string }{
		{`{}`, `{"a":1,"b":"x"}`},
		{`{"a":"forged"}`, `{"a":1,"b":"x"}`},
		{`{"n":1.00, "gone":[1,{"a":2}],"a":{"b":3} ,"z":"\ud800"}`, `{"n":1.00,"z":"\ud800","a":1,"b":"x"}`},
		{` { "c" : { "a" : 1 } } `, `{"c" : { "a" : 1 },"a":1,"b":"x"}`},
		{`{"\u0061":2,"k":3,"a":4}`, `{"k":3,"a":1,"b":"x"}`},
	} {
		got, err := wire.With([]byte(test.object), map[string]any{"a": 1, "b": "x", "gone": nil})
		if err != nil || string(got) != test.want {
			t.Errorf("%s became %s, not %s: %v", test.object, got, test.want, err)
		}
	}
	for _, object := range []string{``, `[]`, `"a"`, `{"a":`, `{"a":1`, `null`} {
		if got, err := wire.With([]byte(object), map[string]any{"a": 1}); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%s became %s: %v", object, got, err)
		}
	}
}
