package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"evenkeel.dev/meter/internal/division"
	"evenkeel.dev/meter/internal/proxy"
	"evenkeel.dev/meter/internal/shadow"
	"evenkeel.dev/meter/internal/wait"
	"evenkeel.dev/meter/internal/watch"
)

// divided is an option: the meter's file of a division says the text.
func divided(t *testing.T, text string) func(*proxy.Options) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "division")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(o *proxy.Options) {
		o.Shadows = shadow.New(shadow.Options{
			Revision: o.Revision, MaxBody: o.MaxBody, Budget: watch.NewBudget(budget), Tolerance: 1e-6,
		}, o.Metrics.Registerer)
		o.Division = division.Open(path, "fraud", o.Shadows.Use, o.Metrics.Registerer)
		t.Cleanup(o.Shadows.Close)
	}
}

func mirror(percent float64, address string) string {
	return fmt.Sprintf(`{"mirror": {"percent": %g, "url": "http://%s", "revision": "fraud-2"}}`, percent, address)
}

func share(percent float64, address string) string {
	return fmt.Sprintf(`{"share": {"percent": %g, "url": "http://%s", "revision": "fraud-2", "header": "x-user-id"}}`, percent, address)
}

func (m *meter) pairs() float64 {
	return m.value("evenkeel_model_shadow_pairs_total", "shadow", "fraud-2")
}

func (m *meter) skipped(reason string) float64 {
	return m.value("evenkeel_model_shadow_skipped_total", "reason", reason)
}

func (m *meter) divided(result string) float64 {
	return m.value("evenkeel_model_divided_total", "to", "fraud-2", "result", result)
}

// shadows waits for as many pairs and skipped requests.
func (m *meter) shadows(pairs float64, skipped ...string) {
	m.t.Helper()
	wait.Until(m.t, func() bool {
		all := m.pairs() == pairs
		for _, reason := range skipped {
			all = all && m.skipped(reason) == 1
		}
		return all
	})
}

func answering(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, text)
	}
}

// asked keeps requests with their bodies.
type asked struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (a *asked) then(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		a.requests, a.bodies = append(a.requests, r), append(a.bodies, string(body))
		a.mu.Unlock()
		answer(w, r)
	}
}

func (a *asked) number() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

func TestPredictionsAreMirrored(t *testing.T) {
	var copies asked
	canary := upstream(t, copies.then(answering(`{"predictions": [2]}`)))
	m := newMeter(t, upstream(t, answering(`{"predictions": [1]}`)), divided(t, mirror(100, canary)))
	for _, body := range []string{"{}", strings.Repeat("x", 300_000)} {
		answer, text := post(t, m.url+infer+"?a=b", body)
		if text != `{"predictions": [1]}` || answer.Header.Get(proxy.RevisionHeader) != "fraud-1" {
			t.Errorf("a client is told %q by %v", text, answer.Header)
		}
	}
	if answer, err := http.Get(m.url + infer); err != nil || text(t, answer) == "" {
		t.Error(err)
	}
	post(t, m.url+"/v2/repository/models/a/load", "{}")
	m.shadows(2)
	m.settle()
	if copies.number() != 2 || copies.bodies[0]+copies.bodies[1] != "{}"+strings.Repeat("x", 300_000) &&
		copies.bodies[1]+copies.bodies[0] != "{}"+strings.Repeat("x", 300_000) {
		t.Errorf("%d copies", copies.number())
	}
	if r := copies.requests[0]; r.RequestURI != infer+"?a=b" || r.Header.Get(division.ShadowHeader) != "fraud-1" {
		t.Errorf("the canary got %v", r)
	}
	if n := m.value("evenkeel_model_shadow_disagreed_total"); n != 2 {
		t.Errorf("%v of 2 disagree", n)
	}
	if m.counted("http", "200") != 2 || len(m.exchanges) != 2 {
		t.Errorf("counted %v, observed %d", m.counted("http", "200"), len(m.exchanges))
	}
}

func TestNothingIsMirroredWithoutALook(t *testing.T) {
	var copies asked
	canary := upstream(t, copies.then(answering(`{"predictions": [1]}`)))
	m := newMeter(t, upstream(t, answering(`{"predictions": [1]}`)), divided(t, mirror(100, canary)),
		func(o *proxy.Options) { o.Looked = false })
	post(t, m.url+infer, "{}")
	m.shadows(1)
	m.settle()
	if n := m.value("evenkeel_model_shadow_compared_total"); n != 1 || len(m.exchanges) != 0 {
		t.Errorf("compared %v, observed %d", n, len(m.exchanges))
	}
}

func TestTheShareOfCopiesIsThePercent(t *testing.T) {
	var copies asked
	canary := upstream(t, copies.then(answering("{}")))
	m := newMeter(t, upstream(t, answering("{}")), divided(t, mirror(30, canary)))
	for range 1000 {
		post(t, m.url+infer, "{}")
	}
	m.settle()
	wait.Until(t, func() bool { return m.pairs() == float64(copies.number()) })
	if n := copies.number(); n < 200 || n > 400 {
		t.Errorf("%d of 1000 are mirrored", n)
	}
}

func TestWhatWasPassedOnIsNotPassedOnAgain(t *testing.T) {
	for _, header := range []string{division.ShadowHeader, division.DividedHeader} {
		for _, told := range []func(float64, string) string{mirror, share} {
			var copies asked
			canary := upstream(t, copies.then(answering("{}")))
			m := newMeter(t, upstream(t, answering("{}")), divided(t, told(100, canary)))
			request, _ := http.NewRequest(http.MethodPost, m.url+infer, strings.NewReader("{}"))
			request.Header.Set(header, "fraud-0")
			request.Header.Set("X-User-Id", "alice")
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			text(t, answer)
			m.settle()
			if copies.number() != 0 || m.counted("http", "200") != 1 {
				t.Errorf("%s: %d were passed on, %v counted", header, copies.number(), m.counted("http", "200"))
			}
		}
	}
}

// Two meters that are each other's canary would else pass a request on without end.
func TestMetersThatMirrorEachOtherMakeNoLoop(t *testing.T) {
	var one, other asked
	path := filepath.Join(t.TempDir(), "division")
	first := newMeter(t, upstream(t, one.then(answering("{}"))), divided(t, ""))
	second := newMeter(t, upstream(t, other.then(answering("{}"))), divided(t, mirror(100, strings.TrimPrefix(first.url, "http://"))))
	if err := os.WriteFile(path, []byte(mirror(100, strings.TrimPrefix(second.url, "http://"))), 0o600); err != nil {
		t.Fatal(err)
	}
	first.proxy.Division = division.Open(path, "fraud", first.proxy.Shadows.Use, prometheus.NewRegistry())
	post(t, first.url+infer, "{}")
	first.shadows(1)
	second.settle()
	first.settle()
	if one.number() != 1 || other.number() != 1 || second.pairs() != 0 {
		t.Errorf("%d and %d requests, %v pairs of the second", one.number(), other.number(), second.pairs())
	}
}

func TestAClientDoesNotWaitForAShadow(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// Nobody ever accepts, and so nobody answers.
	m := newMeter(t, upstream(t, echo), divided(t, mirror(100, listener.Addr().String())))
	for i := range 500 {
		if _, body := post(t, m.url+infer, fmt.Sprint(i)); body != fmt.Sprint(i) {
			t.Fatalf("answered %q", body)
		}
	}
	m.proxy.Shadows.Close()
	m.settle()
	if m.skipped(shadow.Busy)+m.skipped(shadow.Shutdown) != 500 || m.counted("http", "200") != 500 || len(m.exchanges) == 0 {
		t.Errorf("%v and %v are skipped", m.skipped(shadow.Busy), m.skipped(shadow.Shutdown))
	}
}

func TestWhatMakesNoPairIsTold(t *testing.T) {
	var copies asked
	canary := upstream(t, copies.then(answering("{}")))
	gone := make(chan struct{})
	m := newMeter(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {}\n\n")
		case "/large":
			_, _ = w.Write(make([]byte, 2<<20))
		case "/slow":
			close(gone)
			<-r.Context().Done()
		}
	}), divided(t, mirror(100, canary)))
	post(t, m.url+"/stream", "{}")
	m.shadows(0, shadow.Stream)
	post(t, m.url+"/large", "{}")
	m.shadows(0, shadow.Stream, shadow.TooLarge)
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		<-gone
		leave()
	}()
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/slow", strings.NewReader("{}"))
	if _, err := http.DefaultClient.Do(request); err == nil {
		t.Error("it was answered")
	}
	m.shadows(0, shadow.Stream, shadow.TooLarge, shadow.Unfinished)
	m.settle()
	if copies.number() != 0 {
		t.Errorf("%d copies", copies.number())
	}
}

func TestAnOwnFailureMakesAPair(t *testing.T) {
	canary := upstream(t, answering("{}"))
	m := newMeter(t, "127.0.0.1:1", divided(t, mirror(100, canary)))
	if answer, _ := post(t, m.url+infer, "{}"); answer.StatusCode != http.StatusBadGateway {
		t.Errorf("answered %d", answer.StatusCode)
	}
	m.shadows(1)
	m.settle()
	if n := m.value("evenkeel_model_shadow_discordant_errors_total", "worse", "own"); n != 1 {
		t.Errorf("%v", n)
	}
}

func TestCallsAreMirrored(t *testing.T) {
	var told atomic.Value
	canary, _ := calls(t, func(method string, stream grpc.ServerStream) error {
		given, _ := metadata.FromIncomingContext(stream.Context())
		told.Store(fmt.Sprint(method, given.Get(division.ShadowHeader), given.Get("mine")))
		var text string
		if err := stream.RecvMsg(&text); err != nil {
			return err
		}
		if text == "bad" {
			return status.Error(codes.Internal, "bad")
		}
		return stream.SendMsg(&text)
	})
	own, _ := calls(t, repeat)
	m, client := grpcMeter(t, own, divided(t, mirror(100, canary)))
	text, answer := "abc", ""
	ctx := metadata.AppendToOutgoingContext(context.Background(), "mine", "x")
	if err := client.Invoke(ctx, modelInfer, &text, &answer); err != nil || answer != "re: abc" {
		t.Errorf("%q, %v", answer, err)
	}
	m.shadows(1)
	if want := fmt.Sprint(modelInfer, []string{"fraud-1"}, []string{"x"}); told.Load() != want {
		t.Errorf("the canary got %v", told.Load())
	}
	if answer, err := ask(client, modelInfer, "bad"); err != nil || answer != "re: bad" {
		t.Errorf("%q, %v", answer, err)
	}
	m.shadows(2)
	stream, err := client.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/inference.GRPCInferenceService/ModelStreamInfer")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "b"} {
		if err := stream.SendMsg(&text); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	for range 3 {
		_ = stream.RecvMsg(&answer)
	}
	m.shadows(2, shadow.Stream)
	client.Close()
	m.settle()
	if n := m.value("evenkeel_model_shadow_discordant_errors_total", "worse", "shadow"); n != 1 {
		t.Errorf("%v worse", n)
	}
}

func user(t *testing.T, url, value, body string) (*http.Response, string) {
	t.Helper()
	request, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if value != "" {
		request.Header.Set("X-User-Id", value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer, text(t, answer)
}

func TestAShareIsAnsweredByTheCanary(t *testing.T) {
	var got asked
	behind := newMeter(t, upstream(t, got.then(answering("canary"))), func(o *proxy.Options) { o.Revision, o.Version = "fraud-2", "8" })
	m := newMeter(t, upstream(t, answering("stable")), divided(t, share(50, strings.TrimPrefix(behind.url, "http://"))))
	by := map[string]string{}
	for range 3 {
		for i := range 40 {
			name := fmt.Sprint("user-", i)
			answer, text := user(t, m.url+infer+"?a=b", name, strings.Repeat("x", i*10_000))
			want := map[string]string{"stable": "fraud-17", "canary": "fraud-28"}[text]
			if told := answer.Header.Get(proxy.RevisionHeader) + answer.Header.Get(proxy.VersionHeader); told != want {
				t.Errorf("%s answers as %s", text, told)
			}
			if before, known := by[name]; known && before != text {
				t.Errorf("%s was asked by %s and by %s", name, before, text)
			}
			by[name] = text
		}
	}
	user(t, m.url+infer, "", "{}")
	m.settle()
	behind.settle()
	passed := float64(got.number())
	if passed < 30 || passed > 90 || m.divided("passed") != passed || m.divided("kept") != 120-passed || m.divided("unkeyed") != 1 {
		t.Errorf("%v passed, counted %v, %v and %v", passed, m.divided("passed"), m.divided("kept"), m.divided("unkeyed"))
	}
	if m.counted("http", "200") != 121-passed || float64(len(m.exchanges)) != 121-passed || behind.counted("http", "200") != passed {
		t.Errorf("counted %v and %v", m.counted("http", "200"), behind.counted("http", "200"))
	}
	if r := got.requests[0]; r.RequestURI != infer+"?a=b" || r.Header.Get(division.DividedHeader) != "fraud-1" {
		t.Errorf("the canary got %v", r)
	}
}

func TestWithoutAConnectionTheOwnModelServerAnswers(t *testing.T) {
	var got asked
	m := newMeter(t, upstream(t, got.then(answering("stable"))), divided(t, share(100, "127.0.0.1:1")))
	for i, body := range []string{"{}", strings.Repeat("x", 500_000)} {
		answer, text := user(t, m.url+infer, "alice", body)
		if answer.StatusCode != http.StatusOK || text != "stable" || got.bodies[i] != body || answer.Header.Get(proxy.RevisionHeader) != "fraud-1" {
			t.Errorf("%v %.20q", answer, text)
		}
	}
	m.settle()
	if m.divided("fallback") != 2 || m.counted("http", "200") != 2 || m.value("evenkeel_model_requests_in_flight") != 0 {
		t.Errorf("%v fell back, %v counted", m.divided("fallback"), m.counted("http", "200"))
	}
	if r := got.requests[0]; r.Header.Get(division.DividedHeader) != "" || r.Host != strings.TrimPrefix(m.url, "http://") {
		t.Errorf("the own model server got %v", r)
	}
}

func TestWhatTheCanaryHasGotIsNotAskedAgain(t *testing.T) {
	var own atomic.Int64
	address, read := pieces(t)
	m := newMeter(t, upstream(t, func(http.ResponseWriter, *http.Request) { own.Add(1) }), divided(t, share(100, address)))
	go func() { <-read }()
	// It answers what ends by "end", and closes nothing else; so the client leaves.
	if answer, text := user(t, m.url+infer, "alice", "end"); answer.StatusCode != http.StatusOK || text != "ok" ||
		answer.Header.Get(proxy.RevisionHeader) != "fraud-2" {
		t.Errorf("%v %q", answer, text)
	}
	broken := newMeter(t, upstream(t, func(http.ResponseWriter, *http.Request) { own.Add(1) }), divided(t, share(100, upstream(t,
		func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}))))
	if answer, _ := user(t, broken.url+infer, "alice", "{}"); answer.StatusCode != http.StatusBadGateway ||
		answer.Header.Get(proxy.RevisionHeader) != "fraud-2" {
		t.Errorf("%v", answer)
	}
	m.settle()
	broken.settle()
	if own.Load() != 0 || m.divided("passed") != 1 || broken.divided("failed") != 1 || broken.counted("http", "502") != -1 {
		t.Errorf("%d were asked again, %v passed, %v failed", own.Load(), m.divided("passed"), broken.divided("failed"))
	}
}

func TestCallsAreDivided(t *testing.T) {
	own, _ := calls(t, repeat)
	behind, _ := calls(t, func(_ string, stream grpc.ServerStream) error {
		var text string
		if err := stream.RecvMsg(&text); err != nil {
			return err
		}
		text = "canary: " + text
		return stream.SendMsg(&text)
	})
	canary, _ := grpcMeter(t, behind, func(o *proxy.Options) { o.Revision = "fraud-2" })
	m, client := grpcMeter(t, own, divided(t, share(100, strings.TrimPrefix(canary.url, "http://"))))
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-user-id", "alice")
	text, answer := "abc", ""
	err := client.Invoke(ctx, modelInfer, &text, &answer, grpc.Header(&header))
	if err != nil || answer != "canary: abc" || header.Get("evenkeel-revision")[0] != "fraud-2" {
		t.Errorf("%q by %v, %v", answer, header, err)
	}
	if answer, err := ask(client, modelInfer, "abc"); err != nil || answer != "re: abc" {
		t.Errorf("%q, %v", answer, err)
	}
	client.Close()
	m.settle()
	canary.settle()
	if m.divided("passed") != 1 || m.divided("unkeyed") != 1 || m.counted("grpc", "0") != 1 || canary.counted("grpc", "0") != 1 {
		t.Errorf("%v, %v", m.divided("passed"), m.divided("unkeyed"))
	}
	lost, client := grpcMeter(t, own, divided(t, share(100, "127.0.0.1:1")))
	if err := client.Invoke(ctx, modelInfer, &text, &answer); err != nil || answer != "re: abc" {
		t.Errorf("%q, %v", answer, err)
	}
	client.Close()
	lost.settle()
	if lost.divided("fallback") != 1 || lost.counted("grpc", "0") != 1 {
		t.Errorf("%v", lost.divided("fallback"))
	}
}

func TestStreamsOfTheCanaryPassAsTheyCome(t *testing.T) {
	more := make(chan struct{})
	canary := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-more
		fmt.Fprint(w, "data: 2\n\n")
	})
	m := newMeter(t, "127.0.0.1:1", divided(t, share(100, canary)))
	request, _ := http.NewRequest(http.MethodPost, m.url+"/v1/chat/completions", bytes.NewReader([]byte("{}")))
	request.Header.Set("X-User-Id", "alice")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 9)
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "data: 1\n\n" {
		t.Errorf("%q, %v", first, err)
	}
	close(more)
	if rest := text(t, answer); rest != "data: 2\n\n" {
		t.Errorf("%q", rest)
	}
	m.settle()
	if m.divided("passed") != 1 {
		t.Error("it is not counted")
	}
}
