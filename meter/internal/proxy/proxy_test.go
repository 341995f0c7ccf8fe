package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/metrics"
	"evenkeel.dev/meter/internal/proxy"
	"evenkeel.dev/meter/internal/stream"
	"evenkeel.dev/meter/internal/watch"
)

const infer = "/v2/models/fraud/infer"

// seen keeps what the observer is told.
type seen struct {
	mu        sync.Mutex
	exchanges []exchange.Exchange
	uncounted []string
}

func (s *seen) Observe(e exchange.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges = append(s.exchanges, e)
}

func (s *seen) told(result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncounted = append(s.uncounted, result)
}

// meter is a proxy before an upstream, as the sidecar makes it.
type meter struct {
	*seen
	url     string
	metrics *metrics.Metrics
	budget  *watch.Budget
	queue   *watch.Queue
	proxy   *proxy.Proxy
	server  *httptest.Server
	busy    *sync.WaitGroup
	t       *testing.T
}

const budget = 4 << 20

func newMeter(t *testing.T, upstream string, change ...func(*proxy.Options)) *meter {
	t.Helper()
	m := &meter{seen: &seen{}, metrics: metrics.New("fraud", "fraud-1", "7"), budget: watch.NewBudget(budget), busy: &sync.WaitGroup{}, t: t}
	m.queue = watch.NewQueue(stream.Observer{Counts: m.metrics, Next: m.seen}, m.told, 1<<20)
	options := proxy.Options{
		Revision: "fraud-1", Version: "7", MaxBody: 1 << 20, Metrics: m.metrics,
		Budget: m.budget, Queue: m.queue, Looked: true,
	}
	for _, one := range change {
		one(&options)
	}
	m.proxy = proxy.New(upstream, false, options)
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.busy.Add(1)
		defer m.busy.Done()
		m.proxy.ServeHTTP(w, r)
	}))
	m.server.Config.Protocols = &http.Protocols{}
	m.server.Config.Protocols.SetHTTP1(true)
	m.server.Config.Protocols.SetUnencryptedHTTP2(true)
	m.server.Config.ConnContext = proxy.ConnContext
	m.server.Listener = proxy.Arrivals{Listener: m.server.Listener}
	m.server.Start()
	m.url = m.server.URL
	t.Cleanup(m.server.Close)
	return m
}

// settle waits until all that has come is counted and looked at. No copy of a body may be left.
func (m *meter) settle() {
	m.t.Helper()
	m.server.Close()
	m.busy.Wait()
	m.queue.Close()
	if left := m.budget.Left(); left != budget {
		m.t.Errorf("%d bytes are still held", budget-left)
	}
}

// value is of the metric that has the labels, -1 if there is none.
func (m *meter) value(name string, labels ...string) float64 {
	m.t.Helper()
	families, err := m.metrics.Registry.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			has := map[string]string{}
			for _, label := range metric.GetLabel() {
				has[label.GetName()] = label.GetValue()
			}
			all := true
			for i := 0; i < len(labels); i += 2 {
				all = all && has[labels[i]] == labels[i+1]
			}
			if !all {
				continue
			}
			if metric.Counter != nil {
				return metric.Counter.GetValue()
			}
			if metric.Histogram != nil {
				return float64(metric.Histogram.GetSampleCount())
			}
			return metric.Gauge.GetValue()
		}
	}
	return -1
}

func (m *meter) counted(protocol, code string) float64 {
	return m.value("evenkeel_model_requests_total", "protocol", protocol, "code", code)
}

func upstream(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func post(t *testing.T, url, body string) (*http.Response, string) {
	t.Helper()
	answer, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return answer, text(t, answer)
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	_, _ = w.Write(body)
}

func TestRequestsPassAsTheyAre(t *testing.T) {
	var got *http.Request
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		w.Header().Set("Content-Encoding", "br")
		w.Header().Set("Custom", "x")
		w.Header()["Content-Type"] = nil
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("\x00raw"))
	}))
	request, _ := http.NewRequest("PATCH", m.url+"/a%2Fb//c?x=1;y=%zz&z", strings.NewReader("body"))
	request.Host = "fraud.example"
	request.Header.Set("X-Forwarded-For", "10.0.0.9")
	request.Header.Set("Accept-Encoding", "br")
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, answer); answer.StatusCode != http.StatusTeapot || body != "\x00raw" ||
		answer.Header.Get("Content-Encoding") != "br" || answer.Header.Get("Custom") != "x" || len(answer.Header["Content-Type"]) != 0 {
		t.Errorf("answered %v %q", answer, body)
	}
	if got.RequestURI != "/a%2Fb//c?x=1;y=%zz&z" || got.Host != "fraud.example" || got.Method != "PATCH" ||
		got.Header.Get("X-Forwarded-For") != "10.0.0.9" || got.Header.Get("Accept-Encoding") != "br" {
		t.Errorf("the model server got %v", got)
	}
}

func TestAnswersTellWhereTheyComeFrom(t *testing.T) {
	var id string
	m := newMeter(t, upstream(t, func(_ http.ResponseWriter, r *http.Request) { id = r.Header.Get(proxy.RequestID) }))
	answer, _ := post(t, m.url+infer, "{}")
	header := answer.Header
	if header.Get(proxy.RevisionHeader) != "fraud-1" || header.Get(proxy.VersionHeader) != "7" {
		t.Errorf("header is %v", header)
	}
	if header.Get(proxy.RequestID) != id || len(id) < 16 {
		t.Errorf("request id is %q, the model server got %q", header.Get(proxy.RequestID), id)
	}
	request, _ := http.NewRequest(http.MethodGet, m.url, nil)
	request.Header.Set(proxy.RequestID, "mine")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, answer); answer.Header.Get(proxy.RequestID) != "mine" || id != "mine" {
		t.Errorf("request id is %q, the model server got %q", answer.Header.Get(proxy.RequestID), id)
	}
}

func TestInferenceIsCountedAndNothingElse(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/generate" {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	if m.counted("http", "200") != 0 || m.counted("grpc", "0") != 0 {
		t.Error("good answers do not begin at 0")
	}
	for _, path := range []string{infer, "/v1/models/a:predict", "/v1/chat/completions", "/generate", "/score"} {
		post(t, m.url+path, "{}")
	}
	post(t, m.url+"/v2/repository/models/a/load", "{}")
	for _, path := range []string{"/v2/health/ready", "/metrics", "/v2/models/a", infer} {
		answer, err := http.Get(m.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text(t, answer)
	}
	m.settle()
	if m.counted("http", "200") != 4 || m.counted("http", "429") != 1 {
		t.Errorf("counted %v and %v", m.counted("http", "200"), m.counted("http", "429"))
	}
	if n := m.value("evenkeel_model_request_duration_seconds", "protocol", "http"); n != 5 {
		t.Errorf("%v durations", n)
	}
	if n := m.value("evenkeel_model_requests_in_flight"); n != 0 {
		t.Errorf("%v in flight", n)
	}
	if len(m.exchanges) != 5 || m.exchanges[0].Path != infer || string(m.exchanges[0].Request) != "{}" {
		t.Errorf("observed %v", m.exchanges)
	}
}

func TestMetricsBearTheRevision(t *testing.T) {
	m := newMeter(t, "127.0.0.1:1")
	for _, name := range []string{
		"evenkeel_model_requests_total", "evenkeel_model_request_duration_seconds", "evenkeel_model_requests_in_flight",
		"evenkeel_model_time_to_first_token_seconds", "evenkeel_model_inter_token_seconds", "evenkeel_model_tokens_total",
	} {
		if m.value(name, "deployment", "fraud", "revision", "fraud-1", "version", "7") < 0 {
			t.Errorf("%s is not there", name)
		}
	}
}

func TestBodiesAreObservedWithoutTheirEncoding(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", r.Header.Get("Content-Encoding"))
		echo(w, r)
	}))
	request, _ := http.NewRequest(http.MethodPost, m.url+infer, bytes.NewReader(gzipped(`{"a":1}`)))
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, answer); body != string(gzipped(`{"a":1}`)) {
		t.Errorf("answered %q", body)
	}
	request, _ = http.NewRequest(http.MethodPost, m.url+infer, strings.NewReader("not gzip"))
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("Accept-Encoding", "gzip")
	if answer, err = http.DefaultTransport.RoundTrip(request); err != nil {
		t.Fatal(err)
	}
	if body := text(t, answer); body != "not gzip" || answer.StatusCode != http.StatusOK {
		t.Errorf("answered %q", body)
	}
	m.settle()
	if len(m.exchanges) != 1 || string(m.exchanges[0].Request) != `{"a":1}` || string(m.exchanges[0].Response) != `{"a":1}` {
		t.Errorf("observed %v", m.exchanges)
	}
	if fmt.Sprint(m.uncounted) != "[unreadable]" {
		t.Errorf("told %v", m.uncounted)
	}
}

func TestBodiesOverTheLimitPass(t *testing.T) {
	m := newMeter(t, upstream(t, echo))
	large := strings.Repeat("x", 3<<20)
	if _, body := post(t, m.url+infer, large); body != large {
		t.Errorf("%d bytes came back", len(body))
	}
	m.settle()
	if fmt.Sprint(m.uncounted) != "[too_large]" || m.counted("http", "200") != 1 {
		t.Errorf("told %v", m.uncounted)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMeter(t, upstream(t, echo), func(o *proxy.Options) { o.Budget.Take(budget - 1000) })
	large := strings.Repeat("x", 10000)
	if _, body := post(t, m.url+infer, large); body != large {
		t.Errorf("%d bytes came back", len(body))
	}
	m.budget.Give(budget - 1000)
	m.settle()
	if fmt.Sprint(m.uncounted) != "[skipped]" {
		t.Errorf("told %v", m.uncounted)
	}
}

func TestNobodyWaitsForTheObserver(t *testing.T) {
	stuck, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	observer := observing(func(exchange.Exchange) {
		once.Do(func() { close(stuck) })
		<-free
	})
	skipped := atomic.Int64{}
	queue := watch.NewQueue(observer, func(string) { skipped.Add(1) }, 1000)
	m := newMeter(t, upstream(t, echo), func(o *proxy.Options) { o.Queue = queue })
	post(t, m.url+infer, "{}")
	<-stuck
	for range 300 {
		post(t, m.url+infer, "{}")
	}
	close(free)
	m.server.Close()
	queue.Close()
	if skipped.Load() != 300-256 {
		t.Errorf("%d skipped", skipped.Load())
	}
}

type observing func(exchange.Exchange)

func (o observing) Observe(e exchange.Exchange) { o(e) }

func TestAnObserverThatPanicsHarmsNobody(t *testing.T) {
	results := make(chan string, 2)
	queue := watch.NewQueue(observing(func(exchange.Exchange) { panic("oh") }), func(r string) { results <- r }, 1000)
	m := newMeter(t, upstream(t, echo), func(o *proxy.Options) { o.Queue = queue })
	for range 2 {
		post(t, m.url+infer, "{}")
		if result := <-results; result != "unreadable" {
			t.Errorf("told %q", result)
		}
	}
}

func TestAModelServerThatIsNotThere(t *testing.T) {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	listener.Close()
	m := newMeter(t, listener.Addr().String())
	answer, body := post(t, m.url+infer, "{}")
	if answer.StatusCode != http.StatusBadGateway || !strings.Contains(body, "connection refused") ||
		answer.Header.Get(proxy.RevisionHeader) != "fraud-1" {
		t.Errorf("answered %d %q", answer.StatusCode, body)
	}
	m.settle()
	if m.counted("http", "502") != 1 {
		t.Error("it is not counted")
	}
}

func TestAModelServerThatDies(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("When") == "later" {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	}))
	if answer, _ := post(t, m.url+infer, "{}"); answer.StatusCode != http.StatusBadGateway {
		t.Errorf("answered %d", answer.StatusCode)
	}
	request, _ := http.NewRequest(http.MethodPost, m.url+infer, strings.NewReader("{}"))
	request.Header.Set("When", "later")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("the client takes %q for a whole answer", body)
	}
	m.settle()
	if m.counted("http", "502") != 2 {
		t.Errorf("counted %v", m.counted("http", "502"))
	}
}

func TestAClientThatGoesAwayEndsItsRequest(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	m := newMeter(t, upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(began)
		<-r.Context().Done()
		close(ended)
	}))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-began
		cancel()
	}()
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, m.url+infer, strings.NewReader("{}"))
	if _, err := http.DefaultClient.Do(request); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	<-ended
	m.settle()
	if m.counted("http", "499") != 1 {
		t.Error("it is not counted as the client's")
	}
}

func TestServerSentEventsPassAtOnce(t *testing.T) {
	next := make(chan struct{})
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range []string{
			`{"choices":[{"delta":{"role":"assistant","content":""}}]}`,
			`{"choices":[{"delta":{"content":"a"}}]}`, `{"choices":[{"delta":{"content":"b"}}]}`,
			`{"choices":[{"delta":{},"finish_reason":"stop"}]}`,
			`{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}`, `[DONE]`,
		} {
			fmt.Fprintf(w, "data: %s\n\n", event)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	answer, err := http.Post(m.url+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	lines, events := bufio.NewScanner(answer.Body), 0
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			events++
			next <- struct{}{}
		}
	}
	m.settle()
	if events != 6 || m.value("evenkeel_model_time_to_first_token_seconds") != 1 ||
		m.value("evenkeel_model_inter_token_seconds") != 1 ||
		m.value("evenkeel_model_time_per_output_token_seconds") != 1 ||
		m.value("evenkeel_model_stream_chunks_total", "usage", "told") != 2 ||
		m.value("evenkeel_model_streams_total", "end", "done") != 1 ||
		m.value("evenkeel_model_finish_reasons_total", "reason", "stop") != 1 ||
		m.value("evenkeel_model_tokens_total", "kind", "prompt") != 5 ||
		m.value("evenkeel_model_tokens_total", "kind", "completion") != 3 {
		text, _ := m.metrics.Registry.Gather()
		t.Errorf("%d events; %v", events, text)
	}
}

func TestUsageIsCountedWhereNobodyLooks(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"usage":{"prompt_tokens":5,"completion_tokens":2}}`)
	}), func(o *proxy.Options) { o.Looked = false })
	post(t, m.url+"/v1/completions", "{}")
	post(t, m.url+infer, "{}")
	m.settle()
	if n := m.value("evenkeel_model_tokens_total", "kind", "completion"); n != 2 {
		t.Errorf("%v tokens", n)
	}
}

type signer func(exchange.Exchange) string

func (s signer) Token(e exchange.Exchange) string { return s(e) }

func TestAnswersAreSigned(t *testing.T) {
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		echo(w, r)
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
		}
	}), func(o *proxy.Options) {
		o.Signer = signer(func(e exchange.Exchange) string { return string(e.Request) + "->" + string(e.Response) })
	})
	answer, body := post(t, m.url+infer, "abc")
	if answer.Header.Get(proxy.TokenHeader) != "abc->abc" || body != "abc" {
		t.Errorf("answered %v %q", answer.Header, body)
	}
	if answer, body = post(t, m.url+"/stream", "abc"); answer.Header.Get(proxy.TokenHeader) != "" || body != "abc" {
		t.Errorf("answered %v %q", answer.Header, body)
	}
	large := strings.Repeat("x", 2<<20)
	if answer, body = post(t, m.url+infer, large); answer.Header.Get(proxy.TokenHeader) != "" || body != large {
		t.Errorf("answered %v and %d bytes", answer.Header, len(body))
	}
	m.settle()
}

func TestAnAnswerPassesUnsignedWhereThereIsNoMemory(t *testing.T) {
	m := newMeter(t, upstream(t, echo), func(o *proxy.Options) {
		o.Budget.Take(budget - 1000)
		o.Signer = signer(func(exchange.Exchange) string { return "signed" })
	})
	for size, want := range map[int]string{100: "signed", 400: "", 2000: ""} {
		body := strings.Repeat("x", size)
		if answer, got := post(t, m.url+infer, body); got != body || answer.Header.Get(proxy.TokenHeader) != want {
			t.Errorf("%d bytes: answered %d bytes, %q", size, len(got), answer.Header.Get(proxy.TokenHeader))
		}
	}
	m.budget.Give(budget - 1000)
	m.settle()
}

func TestAnAnswerThatBreaksTheSignerPassesUnsigned(t *testing.T) {
	m := newMeter(t, upstream(t, echo), func(o *proxy.Options) {
		o.Signer = signer(func(exchange.Exchange) string { panic("a value that nobody has thought of") })
	})
	if answer, body := post(t, m.url+infer, "abc"); body != "abc" || answer.Header.Get(proxy.TokenHeader) != "" {
		t.Errorf("answered %v %q", answer.Header, body)
	}
	m.settle()
}

func TestHundredsOfConnections(t *testing.T) {
	m := newMeter(t, upstream(t, echo))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 300}}
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			for j := range 5 {
				want := fmt.Sprintf("%d %d", i, j)
				answer, err := client.Post(m.url+infer, "text/plain", strings.NewReader(want))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				if string(body) != want {
					t.Errorf("%q was answered %q", want, body)
				}
			}
		})
	}
	all.Wait()
	client.CloseIdleConnections()
	m.settle()
	if n := m.counted("http", "200"); n != 1500 {
		t.Errorf("%v counted", n)
	}
}

func TestHTTP2ClientsAreServedByHTTP1(t *testing.T) {
	var major int
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		major = r.ProtoMajor
		echo(w, r)
	}))
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	answer, err := client.Post(m.url+infer, "text/plain", strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, answer); body != "abc" || answer.ProtoMajor != 2 || major != 1 {
		t.Errorf("answered %q by %s", body, answer.Proto)
	}
	client.CloseIdleConnections()
	m.settle()
}
