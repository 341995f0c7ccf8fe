package metrics

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
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
		"broken": runtime(t, "a_total 5\n<html>"), "a label twice": runtime(t, "a_total{x=\"1\",x=\"2\"} 1\n"),
		"no such type": runtime(t, "a_total 5\n# TYPE b speed\n"), "no text": runtime(t, "a_total{x=\"\xff\"} 1\n"),
		"large": runtime(t, "a_total 5\n"+strings.Repeat("# a comment\n", 200_000)),
	} {
		text, families := page(t, url)
		if up(families) != 0 || families["evenkeel_model_requests_total"] == nil || families["a_total"] != nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// theirs is a page that Prometheus takes, though it is not as it should be.
const theirs = `# HELP took_seconds One thing.
# TYPE took_seconds histogram
took_seconds_bucket{le="1.0",model="a"} 3
took_seconds_bucket{model="a",le="+Inf"} 5 1395066363000
took_seconds_sum{model="a"} 7.25
took_seconds_count{model="a"} 5
# HELP took_seconds The same \\ again.
# TYPE took_seconds histogram
took_seconds_bucket{le="1.0",model="b"} 1e3
# TYPE age gauge
age{quantile="0.50",path="C:\\DIR\d\"x\"\n",} NaN
age{quantile="0.50",path="C:\\DIR\d\"x\"\n",} -Inf
# TYPE age counter
# EOF
{"a.b","c d"="ü"} 1
# TYPE bare untyped
bare 0.25`

// samples are the series that Prometheus reads from a page, but for the meter's.
func samples(t *testing.T, body []byte, contentType string) []string {
	t.Helper()
	parser, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for {
		kind, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind != textparse.EntrySeries {
			continue
		}
		_, at, value := parser.Series()
		var series labels.Labels
		parser.Labels(&series)
		if name := series.Get("__name__"); strings.HasPrefix(name, "evenkeel_") || strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		text := fmt.Sprint(series, " ", value)
		if at != nil {
			text += fmt.Sprint(" ", *at)
		}
		found = append(found, text)
	}
}

func TestWhatPrometheusTakesPassesUnchanged(t *testing.T) {
	url := runtime(t, theirs)
	want := samples(t, []byte(theirs), "text/plain")
	for _, accept := range []string{"text/plain;version=0.0.4", string(expfmt.NewFormat(expfmt.TypeProtoDelim)) + "; escaping=allow-utf-8"} {
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Header.Set("Accept", accept)
		request.Header.Set("Accept-Encoding", "gzip")
		answer := httptest.NewRecorder()
		New("fraud", "fraud-1", "7").Page(url).ServeHTTP(answer, request)
		unpacked, err := gzip.NewReader(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		got := samples(t, body, answer.Header().Get("Content-Type"))
		slices.Sort(got)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got, sorted) {
			t.Errorf("%s:\ngot  %q\nwant %q", accept, got, sorted)
		}
	}
}

func TestLabelsKeepTheirText(t *testing.T) {
	text, _ := page(t, runtime(t, "# TYPE a histogram\na_bucket{le=\"1.0\"} 3\na_bucket{le=\"2\"} 3\na_sum 1\na_count 3\n"))
	if !strings.HasSuffix(text, "# TYPE a histogram\na_bucket{le=\"1.0\"} 3\na_bucket{le=\"2\"} 3\na_sum 1\na_count 3\n") {
		t.Error(text)
	}
}
