package metrics

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	runtimePatience = time.Second
	runtimeBytes    = 2 << 20
)

// Page shows the meter's metrics, and beside them those that the model server has at a URL; "" for none.
//
// The model server's come if they arrive within a second and are at most 2 MiB of the text format; of those
// that have a name of the meter's, the meter's own are shown.
func (m *Metrics) Page(runtimeURL string) http.Handler {
	gatherer := prometheus.Gatherer(m.Registry)
	if runtimeURL != "" {
		up := prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evenkeel_meter_runtime_metrics_up",
			Help: "Whether the model server's own metrics are on this page.",
		})
		m.Registry.MustRegister(up)
		gatherer = merged{m.Registry, up, runtimeURL, &http.Client{
			Timeout:   runtimePatience,
			Transport: &http.Transport{IdleConnTimeout: runtimePatience},
		}}
	}
	return promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

type merged struct {
	own    prometheus.Gatherer
	up     prometheus.Gauge
	url    string
	client *http.Client
}

// Gather gives the families in the order of their names.
func (m merged) Gather() ([]*dto.MetricFamily, error) {
	theirs, err := m.runtime()
	m.up.Set(0)
	if err == nil {
		m.up.Set(1)
	}
	families, err := m.own.Gather()
	for _, own := range families {
		delete(theirs, own.GetName())
	}
	for _, family := range theirs {
		families = append(families, family)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return families, err
}

// runtime gives nothing beside an error: half a page would look like a whole one.
func (m merged) runtime() (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequest(http.MethodGet, m.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	answer, err := m.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s was answered %s", m.url, answer.Status)
	}
	body := &io.LimitedReader{R: answer.Body, N: runtimeBytes}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	if err == nil && body.N == 0 {
		err = fmt.Errorf("%s is larger than %d bytes", m.url, runtimeBytes)
	}
	if err != nil {
		return nil, err
	}
	return families, nil
}
