package metrics

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"google.golang.org/protobuf/proto"
)

// exposition is a page of metrics in Prometheus' text format, in its order.
//
// It is read by Prometheus' own parser, so that what passes is what Prometheus would take without the meter, and
// series are written as they came: queries name labels by their text, as that of le.
type exposition []entry

// entry is a line: what is said of a metric, if it has a type or a help, else a sample.
type entry struct {
	name       string
	kind, help string
	series     string
	labels     labels.Labels
	value      float64
	// milliseconds since the epoch; nil: now.
	time *int64
}

var (
	errTwice = errors.New("a series has a label twice, or a name that is none")
	kinds    = map[model.MetricType]string{model.MetricTypeUnknown: "untyped"}
)

// fetch gets a page of at most runtimeBytes.
func fetch(client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s was answered %s", url, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, runtimeBytes+1))
	if err == nil && len(text) > runtimeBytes {
		err = fmt.Errorf("%s is larger than %d bytes", url, runtimeBytes)
	}
	return text, err
}

// parse reads a page, whole or not at all.
func parse(text []byte) (exposition, error) {
	var read exposition
	parser := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		kind, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return nil, err
		}
		switch kind {
		case textparse.EntryType:
			name, of := parser.Type()
			text := string(of)
			if other, named := kinds[of]; named {
				text = other
			}
			read = append(read, entry{name: string(name), kind: text})
		case textparse.EntryHelp:
			name, help := parser.Help()
			read = append(read, entry{name: string(name), help: string(help)})
		case textparse.EntrySeries:
			one, err := sample(parser)
			if err != nil {
				return nil, err
			}
			read = append(read, one)
		}
	}
}

func sample(parser textparse.Parser) (entry, error) {
	series, at, value := parser.Series()
	one := entry{series: string(series), value: value}
	parser.Labels(&one.labels)
	if _, twice := one.labels.HasDuplicateLabelNames(); twice || !one.labels.IsValid(model.UTF8Validation) {
		return entry{}, errTwice
	}
	one.name = one.labels.Get(model.MetricNameLabel)
	if at != nil {
		then := *at
		one.time = &then
	}
	return one, nil
}

// without leaves out the metrics of which others are shown.
func (e exposition) without(others []*dto.MetricFamily) exposition {
	hidden := map[string]bool{}
	for _, family := range others {
		hidden[family.GetName()] = true
		if kind := family.GetType(); kind == dto.MetricType_HISTOGRAM || kind == dto.MetricType_SUMMARY {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				hidden[family.GetName()+end] = true
			}
		}
	}
	var left exposition
	for _, one := range e {
		if !hidden[one.name] {
			left = append(left, one)
		}
	}
	return left
}

var helpEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// text writes the page.
func (e exposition) text() []byte {
	var text []byte
	for _, one := range e {
		switch {
		case one.series == "" && one.kind != "":
			text = append(text, "# TYPE "+quoted(one.name)+" "+one.kind...)
		case one.series == "":
			text = append(text, "# HELP "+quoted(one.name)+" "+helpEscapes.Replace(one.help)...)
		default:
			text = append(text, one.series+" "...)
			text = strconv.AppendFloat(text, one.value, 'g', -1, 64)
			if one.time != nil {
				text = strconv.AppendInt(append(text, ' '), *one.time, 10)
			}
		}
		text = append(text, '\n')
	}
	return text
}

func quoted(name string) string {
	if model.LegacyValidation.IsValidMetricName(name) {
		return name
	}
	return `"` + name + `"`
}

// families are the same samples as protocol buffers. Histograms and summaries become one family for each kind of
// series that they have: buckets as such would have numbers for the labels' texts.
func (e exposition) families() []*dto.MetricFamily {
	var families []*dto.MetricFamily
	known := map[string]*dto.MetricFamily{}
	told := map[string]*dto.MetricFamily{}
	for _, one := range e {
		if one.series == "" {
			about := told[one.name]
			if about == nil {
				about = &dto.MetricFamily{Type: dto.MetricType_UNTYPED.Enum()}
				told[one.name] = about
			}
			if one.kind == "" {
				about.Help = proto.String(one.help)
			} else if kind, simple := simple[one.kind]; simple {
				about.Type = kind.Enum()
			}
			continue
		}
		family := known[one.name]
		if family == nil {
			family = &dto.MetricFamily{Name: proto.String(one.name), Type: dto.MetricType_UNTYPED.Enum()}
			if about := told[one.name]; about != nil {
				family.Help, family.Type = about.Help, about.Type
			}
			known[one.name] = family
			families = append(families, family)
		}
		family.Metric = append(family.Metric, one.metric(family.GetType()))
	}
	return families
}

var simple = map[string]dto.MetricType{"counter": dto.MetricType_COUNTER, "gauge": dto.MetricType_GAUGE}

func (e entry) metric(kind dto.MetricType) *dto.Metric {
	metric := &dto.Metric{TimestampMs: e.time}
	e.labels.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			metric.Label = append(metric.Label, &dto.LabelPair{Name: proto.String(l.Name), Value: proto.String(l.Value)})
		}
	})
	switch kind {
	case dto.MetricType_COUNTER:
		metric.Counter = &dto.Counter{Value: &e.value}
	case dto.MetricType_GAUGE:
		metric.Gauge = &dto.Gauge{Value: &e.value}
	default:
		metric.Untyped = &dto.Untyped{Value: &e.value}
	}
	return metric
}
