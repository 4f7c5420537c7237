package wire_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The literals below are written down from the protocol, not derived from the
// table they check.
func TestEveryVerbIsAnsweredInItsDocumentedEnvelope(t *testing.T) {
	t.Parallel()
	cause := wire.Errorf(wire.NotFound, "read: a.txt does not exist")
	const tail = `"error":"read: a.txt does not exist","code":"not_found"`
	event := func(action string) [3]string {
		return [3]string{
			`{"type":"remoteProviderEvent","action":"` + action + `","message":"R","requestId":"q1"}`,
			`{"type":"remoteProviderEvent","action":"` + action + `","requestId":"q1"}`,
			`{"type":"remoteProviderEvent","action":"` + action + `",` + tail + `,"requestId":"q1"}`,
		}
	}
	flat := func(typ string) [3]string {
		return [3]string{
			`{"type":"` + typ + `","message":"R","requestId":"q1"}`,
			`{"type":"` + typ + `","requestId":"q1"}`,
			`{"type":"` + typ + `",` + tail + `,"requestId":"q1"}`,
		}
	}
	want := map[string][3]string{
		"providerAgentStart":       event("providerAgentStartResponse"),
		"providerStop":             event("providerStopResponse"),
		"providerReadFile":         event("providerReadFileResponse"),
		"providerWriteFile":        event("providerWriteFileResponse"),
		"providerDeleteFile":       event("providerDeleteFileResponse"),
		"providerDeleteFolder":     event("providerDeleteFolderResponse"),
		"providerRenameItem":       event("providerRenameItemResponse"),
		"providerCreateFolder":     event("providerCreateFolderResponse"),
		"providerCopyFile":         event("providerCopyFileResponse"),
		"providerCopyFolder":       event("providerCopyFolderResponse"),
		"providerGetTreeChildren":  event("providerGetTreeChildrenResponse"),
		"providerGetFullProject":   event("providerGetFullProjectResponse"),
		"providerGetDiffFiles":     event("providerDiffFilesResponse"),
		"providerMergeAsPatch":     event("providerMergeAsPatchResponse"),
		"providerSendPR":           event("providerSendPRResponse"),
		"closeSignal":              flat("closeSignalResponse"),
		"createPatchRequest":       flat("createPatchRequestResponse"),
		"createPullRequestRequest": flat("createPullRequestRequestResponse"),
		"providerStart": {
			event("providerStartResponse")[0], event("providerStartResponse")[1],
			`{"type":"providerStartResponse","action":"providerStartResponse","success":false,` + tail + `,"requestId":"q1"}`,
		},
		"providerProspectivePath": {
			`{"type":"remoteProviderEvent","action":"providerProspectivePathResponse","requestId":"q1","status":true,"data":"R","message":"R"}`,
			`{"type":"remoteProviderEvent","action":"providerProspectivePathResponse","requestId":"q1","status":true}`,
			`{"type":"remoteProviderEvent","action":"providerProspectivePathResponse","requestId":"q1","status":false,` + tail + `}`,
		},
	}
	for _, verb := range wire.Verbs {
		expect, ok := want[verb.Type]
		if !ok {
			if verb.OK == wire.Whole || verb.OK == wire.None {
				continue // their results are messages of their own
			}
			t.Errorf("%s: no literal to compare with", verb.Type)
			continue
		}
		full, err1 := verb.Success("q1", "R")
		empty, err2 := verb.Success("q1", nil)
		failed, err3 := verb.Failure("q1", cause)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Errorf("%s: %v", verb.Type, err)
		}
		if diff := cmp.Diff(expect, [3]string{string(full), string(empty), string(failed)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", verb.Type, diff)
		}
		delete(want, verb.Type)
	}
	for typ := range want {
		t.Errorf("%s is not in the table", typ)
	}
}

func TestAnEmptyResultIsSentAndANilOneIsNot(t *testing.T) {
	t.Parallel()
	verb, _ := wire.VerbOf(wire.Header{Type: wire.TypeReadFile})
	for result, want := range map[any]string{
		"":    `{"type":"remoteProviderEvent","action":"providerReadFileResponse","message":"","requestId":"q"}`,
		0:     `{"type":"remoteProviderEvent","action":"providerReadFileResponse","message":0,"requestId":"q"}`,
		false: `{"type":"remoteProviderEvent","action":"providerReadFileResponse","message":false,"requestId":"q"}`,
		nil:   `{"type":"remoteProviderEvent","action":"providerReadFileResponse","requestId":"q"}`,
	} {
		got, err := verb.Success("q", result)
		if err != nil || string(got) != want {
			t.Errorf("Success(%#v) = %s, %v; want %s", result, got, err, want)
		}
	}
	got, err := verb.Success("q", []wire.TreeEntry(nil))
	if want := `{"type":"remoteProviderEvent","action":"providerReadFileResponse","message":[],"requestId":"q"}`; err != nil || string(got) != want {
		t.Errorf("Success(empty list) = %s, %v; want %s", got, err, want)
	}
}

func TestAnAnswerToARequestWithoutAnIDGetsAFreshOne(t *testing.T) {
	t.Parallel()
	verb, _ := wire.VerbOf(wire.Header{Type: wire.TypeWriteFile})
	seen := map[wire.ID]bool{}
	for range 100 {
		frame, err := verb.Success("", nil)
		if err != nil {
			t.Fatal(err)
		}
		head, err := wire.Peek(frame)
		if err != nil || len(head.RequestID) != 36 || seen[head.RequestID] {
			t.Fatalf("requestId %q of %s is no fresh UUID (%v)", head.RequestID, frame, err)
		}
		seen[head.RequestID] = true
	}
}

func TestAFailedStartNamesTheEnvironment(t *testing.T) {
	t.Parallel()
	start := wire.ProviderStart{Header: wire.Header{RequestID: "q"}, EnvironmentName: "e", EnvironmentID: "id"}
	got, err := start.Failed(wire.Errorf(wire.Unavailable, "no disk"))
	want := `{"type":"providerStartResponse","action":"providerStartResponse","success":false,"error":"no disk","code":"unavailable","retryable":true,"environmentId":"id","environmentName":"e","requestId":"q"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestAReplyIsUnderstoodInEveryShape(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]string{
		`{"type":"remoteProviderEvent","action":"providerReadFileResponse","message":"text","requestId":"x"}`: "providerReadFileResponse text <nil>",
		`{"type":"closeSignalResponse","error":"boom","requestId":"x"}`:                                       "closeSignalResponse  boom",
		`{"type":"providerStartResponse","success":false,"error":"boom","code":"conflict"}`:                   "providerStartResponse  boom",
		`{"type":"closeSignalResponse","message":"bye"}`:                                                      "closeSignalResponse bye <nil>",
	} {
		var (
			r    wire.Reply
			text string
		)
		if err := wire.Unmarshal([]byte(frame), &r); err != nil {
			t.Errorf("%s: %v", frame, err)
			continue
		}
		err := r.Result(&text)
		if got := fmt.Sprintf("%s %s %v", r.Name(), text, err); got != want {
			t.Errorf("%s: got %q, want %q", frame, got, want)
		}
	}
	var r wire.Reply
	if err := wire.Unmarshal([]byte(`{"type":"x","error":"gone","code":"not_found","retryable":true}`), &r); err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); !errors.Is(err, wire.NotFound) || !wire.Retryable(err) {
		t.Errorf("the kind of a received error was lost: %v", err)
	}
	if err := r.Result(nil); err == nil {
		t.Error("Result(nil) hides an error")
	}
}

func TestProspectivePathIsKnownByItsActionToo(t *testing.T) {
	t.Parallel()
	for _, h := range []wire.Header{{Type: "providerProspectivePath"}, {Type: "anything", Action: "providerProspectivePath"}} {
		if v, ok := wire.VerbOf(h); !ok || v.Type != wire.TypeProspectivePath {
			t.Errorf("%+v is not known: %+v", h, v)
		}
	}
	if _, ok := wire.VerbOf(wire.Header{Type: "somethingElse"}); ok {
		t.Error("an unknown type is known")
	}
}
