package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// page is what Prometheus gets, and the families in it.
func page(t *testing.T, runtimeURL string) (string, map[string]*dto.MetricFamily) {
	t.Helper()
	answer := httptest.NewRecorder()
	New("fraud", "fraud-1", "7").Page(runtimeURL).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("answered %d: %s", answer.Code, answer.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(answer.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Body.String(), families
}

func runtime(t *testing.T, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(server.Close)
	return server.URL
}

func up(families map[string]*dto.MetricFamily) float64 {
	return families["evenkeel_meter_runtime_metrics_up"].GetMetric()[0].GetGauge().GetValue()
}

func TestThePageHasTheMetersOwn(t *testing.T) {
	text, families := page(t, "")
	for _, line := range []string{
		`evenkeel_model_requests_total{code="200",deployment="fraud",protocol="http",revision="fraud-1",version="7"} 0`,
		`evenkeel_model_requests_total{code="0",deployment="fraud",protocol="grpc",revision="fraud-1",version="7"} 0`,
		`evenkeel_model_request_duration_seconds_bucket{deployment="fraud",protocol="http",revision="fraud-1",version="7",le="0.0025"} 0`,
		`evenkeel_model_tokens_total{deployment="fraud",kind="prompt",revision="fraud-1",version="7"} 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is not in\n%s", line, text)
		}
	}
	if families["process_start_time_seconds"] == nil || families["go_goroutines"] == nil ||
		families["process_resident_memory_bytes"] != nil {
		t.Error("the process' metrics are others")
	}
}

func TestHistogramsAreNativeToo(t *testing.T) {
	m := New("fraud", "fraud-1", "7")
	m.Answered("http", 200, 1)
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "evenkeel_model_request_duration_seconds" && family.GetMetric()[0].GetHistogram().Schema == nil {
			t.Error("it is a classic one only")
		}
	}
}

func TestTheRuntimesMetricsAreBesideThem(t *testing.T) {
	text, families := page(t, runtime(t, `# HELP a_total A.
# TYPE a_total counter
a_total{x="1"} 5
# TYPE go_goroutines counter
go_goroutines 1
process_start_time_seconds 5
process_resident_memory_bytes 7
evenkeel_model_requests_total{code="200"} 99
`))
	if up(families) != 1 || families["a_total"].GetMetric()[0].GetCounter().GetValue() != 5 ||
		families["process_resident_memory_bytes"].GetMetric()[0].GetUntyped().GetValue() != 7 {
		t.Error(text)
	}
	if families["go_goroutines"].GetType() != dto.MetricType_GAUGE || strings.Contains(text, " 99\n") ||
		len(families["process_start_time_seconds"].GetMetric()) != 1 {
		t.Errorf("a name is there twice:\n%s", text)
	}
}

func TestARuntimeThatFailsTakesNothingWithIt(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	stop := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(stop)
	for name, url := range map[string]string{
		"closed": closed.URL, "refuses": refuses.URL, "slow": slow.URL,
		"broken": runtime(t, "a_total 5\n<html>"), "twice": runtime(t, "# TYPE a counter\na 1\n# TYPE a gauge\na 1\n"),
		"large": runtime(t, strings.Repeat("# a comment\n", 200_000)),
	} {
		text, families := page(t, url)
		if up(families) != 0 || families["evenkeel_model_requests_total"] == nil || families["a_total"] != nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}
