//go:build linux

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// numbers reads what is shown at an address.
func numbers(t *testing.T, address string) map[string]*dto.MetricFamily {
	t.Helper()
	req, err := http.NewRequestWithContext(stage.Limit(t), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return families
}

// value is the number under these values of labels.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		var found []string
		for _, l := range m.GetLabel() {
			found = append(found, l.GetValue())
		}
		if strings.Join(found, " ") == strings.Join(labels, " ") {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

func TestAProviderShowsWhatItAndItsRuntimeDo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, _ := s.Opened("counted", stage.Settings{"metrics": map[string]any{"listen": "127.0.0.1:0"}})
	found, err := filepath.Glob(filepath.Join(s.State, "run", "*", provider.MetricsFile))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	if info, err := os.Stat(found[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	var place provider.MetricsPlace
	if err := wire.Unmarshal([]byte(stage.Read(t, found[0])), &place); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Log.String(), place.Address) {
		t.Errorf("%s is not in the log", place.Address)
	}
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "README.md"}, nil)
	if _, err := e.Call(stage.Limit(t), map[string]any{"type": wire.TypeReadFile, "path": "nowhere"}); wire.CodeOf(err) != wire.NotFound {
		t.Fatalf("no such file: %v", err)
	}
	p := stage.NewPlatform(t, e)
	p.Tell(talker(t), "m1", "10")
	p.End("m1")
	got := numbers(t, place.Address)
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "codebolt_provider_requests_total", []string{wire.TypeProviderStart, "ok"}},
		{1, "codebolt_provider_requests_total", []string{wire.TypeReadFile, "ok"}},
		{1, "codebolt_provider_requests_total", []string{wire.TypeReadFile, "not_found"}},
		{1, "codebolt_provider_requests_total", []string{wire.TypeProviderAgentStart, "ok"}},
		{2, "codebolt_provider_request_duration_seconds", []string{wire.TypeReadFile}},
		{1, "codebolt_provider_environment_state", []string{"running"}},
		{0, "codebolt_provider_environment_state", []string{"stopped"}},
		{0, "codebolt_provider_reconnects_total", []string{"runtime"}},
		{2, "codebolt_provider_messages_relayed_total", []string{"to_runtime"}}, // the prompt and an answer
		{13, "codebolt_provider_messages_relayed_total", []string{"to_server"}}, // started, ten words, a question, the end
		{1, "codebolt_runtime_prompts_total", nil},
		{12, "codebolt_runtime_agent_messages_total", []string{"platform"}},
		{0, "codebolt_runtime_agent_messages_total", []string{"refused"}},
		{1, "codebolt_runtime_agents_running", nil},
		{0, "codebolt_runtime_agents_working", nil},
		{0, "codebolt_runtime_questions_outstanding", nil},
	} {
		if v := value(got, c.name, c.labels...); v != c.want {
			t.Errorf("%s%v is %v, not %v", c.name, c.labels, v, c.want)
		}
	}
	for _, name := range []string{"process_resident_memory_bytes", "process_open_fds", "go_goroutines", "codebolt_runtime_process_resident_memory_bytes", "codebolt_runtime_history_bytes"} {
		if value(got, name) <= 0 {
			t.Errorf("%s is %v", name, value(got, name))
		}
	}
	if value(got, "codebolt_provider_heartbeats_sent_total", "provider") < 1 {
		t.Error("no heartbeat is counted")
	}
	s.Stop(e, "keep")
	if _, err := os.Stat(found[0]); !os.IsNotExist(err) {
		t.Errorf("where they were is still on record: %v", err)
	}
	s.Start(e)
	s.Call(e, map[string]any{"type": wire.TypeEnvironmentRestart}, nil)
	if err := wire.Unmarshal([]byte(stage.Read(t, found[0])), &place); err != nil {
		t.Fatal(err)
	}
	if v := value(numbers(t, place.Address), "codebolt_provider_reconnects_total", "runtime"); v != 1 {
		t.Errorf("%v connections to the runtime were made anew", v)
	}
	s.Stop(e, "removeIfClean")
	s.Clean(0)
}

func TestMetricsAreForThisMachineOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	why := s.Refused(s.Env("open", stage.Settings{"metrics": map[string]any{"listen": "0.0.0.0:9464"}}, nil), wire.Invalid)
	if !strings.Contains(why, "metrics.listen") || !strings.Contains(why, "other machines could reach") {
		t.Errorf("it says %s", why)
	}
	s.Clean(0)
}
