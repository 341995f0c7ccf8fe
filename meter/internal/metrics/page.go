package metrics

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Page shows the meter's metrics, and beside them those that the model server has at a URL; "" for none.
//
// The model server's come if they arrive within a second and are at most 2 MiB of the text format; of those
// that have a name of the meter's, the meter's own are shown.
func (m *Metrics) Page(runtimeURL string) http.Handler {
	p := merged{own: m.Registry}
	if runtimeURL != "" {
		p.up = prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evenkeel_meter_runtime_metrics_up",
			Help: "Whether the model server's own metrics are on this page.",
		})
		m.Registerer.MustRegister(p.up)
		p.url = runtimeURL
		p.client = &http.Client{
			Timeout:   runtimePatience,
			Transport: &http.Transport{IdleConnTimeout: runtimePatience},
		}
	}
	return p
}

const (
	runtimePatience = time.Second
	runtimeBytes    = 2 << 20
)

type merged struct {
	own    prometheus.Gatherer
	up     prometheus.Gauge
	url    string
	client *http.Client
}

// ServeHTTP gives what Prometheus asks for: text, or the protocol buffers that native histograms need.
func (p merged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	theirs := p.runtime()
	own, err := p.own.Gather()
	if err != nil && len(own) == 0 {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	theirs = theirs.without(own)
	format := expfmt.Negotiate(r.Header)
	w.Header().Set("Content-Type", string(format))
	var out io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		defer func() { _ = packed.Close() }()
		out = packed
	}
	families := own
	if format.FormatType() != expfmt.TypeTextPlain {
		families = append(families, theirs.families()...)
		theirs = nil
	}
	if write(out, format, families) == nil {
		_, _ = out.Write(theirs.text())
	}
}

func write(out io.Writer, format expfmt.Format, families []*dto.MetricFamily) error {
	encoder := expfmt.NewEncoder(out, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	return nil
}

// runtime gives all of the model server's page or nothing: half a page would look like a whole one.
func (p merged) runtime() exposition {
	if p.url == "" {
		return nil
	}
	p.up.Set(0)
	text, err := fetch(p.client, p.url)
	if err != nil {
		return nil
	}
	read, err := parse(text)
	if err != nil {
		return nil
	}
	p.up.Set(1)
	return read
}
