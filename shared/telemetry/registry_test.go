package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// full is a registry with something of each kind.
func full() *telemetry.Registry {
	r := &telemetry.Registry{}
	c := r.Counter("x_requests_total", "Requests \\ by\nlines.", "type", "outcome")
	c.Add(2, "a", "ok")
	c.Add(1, "a", "ok")
	c.Add(1, "quo\"te\\ and\nline", "ok")
	r.Counter("x_plain_total", "Nothing yet.")
	h := r.Histogram("x_duration_seconds", "Time.", []float64{0.1, 1}, "type")
	for _, v := range []float64{0.05, 0.1, 0.5, 7} {
		h.Observe(v, "a")
	}
	r.Func(func(w *telemetry.Writer) { w.Gauge("x_depth", "Depth.", 1.5) })
	r.Process("x_")
	return r
}

func TestNumbersAreReadByPrometheusOwnParserAndWellNamed(t *testing.T) {
	t.Parallel()
	text := full().Text()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	counts := map[string]float64{}
	for _, m := range families["x_requests_total"].GetMetric() {
		counts[m.GetLabel()[0].GetValue()+"/"+m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
	}
	if counts["a/ok"] != 3 || counts["quo\"te\\ and\nline/ok"] != 1 || len(counts) != 2 {
		t.Errorf("counted %v", counts)
	}
	h := families["x_duration_seconds"].GetMetric()[0].GetHistogram()
	if b := h.GetBucket(); h.GetSampleCount() != 4 || h.GetSampleSum() != 7.65 || b[0].GetCumulativeCount() != 2 || b[1].GetCumulativeCount() != 3 || b[2].GetCumulativeCount() != 4 {
		t.Errorf("the distribution is %v", h)
	}
	if families["x_depth"].GetMetric()[0].GetGauge().GetValue() != 1.5 || families["x_plain_total"].GetMetric()[0].GetCounter().GetValue() != 0 {
		t.Errorf("got\n%s", text)
	}
	for _, name := range []string{"x_process_cpu_seconds_total", "x_go_goroutines"} {
		if families[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v: %+v", err, problems)
	}
}

func TestCountsFromManyGoroutinesAreAllThere(t *testing.T) {
	t.Parallel()
	r := &telemetry.Registry{}
	c := r.Counter("n_total", "N.", "of")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 1000 {
				c.Add(1, fmt.Sprint(i%2))
				if i == 0 {
					r.Text()
				}
			}
		})
	}
	wg.Wait()
	if text := string(r.Text()); !strings.Contains(text, `n_total{of="0"} 4000`) || !strings.Contains(text, `n_total{of="1"} 4000`) {
		t.Errorf("got %s", text)
	}
}

func TestMetricsAreShownOnLoopbackAndToNoPageInABrowser(t *testing.T) {
	t.Parallel()
	for address, code := range map[string]wire.Code{"0.0.0.0:0": wire.Invalid, "192.0.2.1:80": wire.Invalid, ":0": wire.Invalid, "example.com:80": wire.Invalid, "127.0.0.1": wire.Invalid, "127.0.0.1:99999": wire.Unavailable} {
		if _, err := telemetry.Expose(t.Context(), address, full(), slog.New(slog.DiscardHandler)); wire.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", address, err, code)
		}
	}
	e, err := telemetry.Expose(t.Context(), "127.0.0.1:0", full(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for host, status := range map[string]int{"": 200, "localhost": 200, "evil.example": 403} {
		if got, text := get(t, e.Address(), host); got != status || status == 200 && !strings.Contains(text, "x_depth 1.5\n") {
			t.Errorf("host %q: status %d: %s", host, got, text)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, address, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
