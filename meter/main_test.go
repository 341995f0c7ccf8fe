package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"evenkeel.dev/meter/internal/wait"
)

// The test's binary is the program, where it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_METER") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is the meter as a process of its own.
type program struct {
	*exec.Cmd
	traffic, admin string
	words          *bytes.Buffer
}

func start(t *testing.T, environment ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(os.Args[0]), traffic: free(t), admin: free(t), words: &bytes.Buffer{}}
	p.Env = append([]string{"BE_THE_METER=1", "METER_LISTEN=" + p.traffic, "METER_ADMIN_LISTEN=" + p.admin}, environment...)
	p.Stderr = p.words
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (p *program) get(path string) (int, string) {
	answer, err := http.Get("http://" + p.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func (p *program) is(status int) func() bool {
	return func() bool {
		got, _ := p.get("/ready")
		return got == status
	}
}

func TestItIsReadyWithTheModelServer(t *testing.T) {
	address := free(t)
	p := start(t, "METER_UPSTREAM="+address, "METER_READY_PATH=/ready")
	wait.Until(t, p.is(http.StatusServiceUnavailable))
	if status, _ := p.get("/live"); status != http.StatusOK {
		t.Errorf("it is alive: %d", status)
	}
	var status atomic.Int64
	status.Store(503)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	wait.Until(t, func() bool {
		_, words := p.get("/ready")
		return strings.Contains(words, "GET /ready was answered 503")
	})
	status.Store(200)
	wait.Until(t, p.is(http.StatusOK))
}

func TestWarmUpRequestsAreNotCounted(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	p := start(t, "METER_UPSTREAM="+server.Listener.Addr().String(), "WARM_UP_PATH=/infer", "WARM_UP_BODY={}", "WARM_UP_REQUESTS=3")
	wait.Until(t, p.is(http.StatusOK))
	if asked.Load() != 3 {
		t.Errorf("%d requests", asked.Load())
	}
	const want = `evenkeel_model_requests_total{code="200",deployment="",protocol="http",revision="",version=""} 0`
	if _, text := p.get("/metrics"); !strings.Contains(text, want) {
		t.Errorf("%s is not in\n%s", want, text)
	}
}

func TestLargeBodiesAreCountedIfTheyAreWanted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"predictions": [1]}`)
	}))
	defer server.Close()
	profile := filepath.Join(t.TempDir(), "evenkeel-profile.json")
	content := `{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer",
		"features": [{"name": "a", "type": "numeric", "edges": [], "counts": [1]}]}`
	if err := os.WriteFile(profile, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "METER_UPSTREAM="+server.Listener.Addr().String(), "METER_PROFILE="+profile,
		"METER_MAX_BODY_BYTES=33554432", "GOMEMLIMIT=1GiB")
	wait.Until(t, p.is(http.StatusOK))
	body := `{"instances": [{"a": 1, "b": "` + strings.Repeat("x", 20<<20) + `"}]}`
	answer, err := http.Post("http://"+p.traffic+"/score", "application/json", strings.NewReader(body))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("it was answered %v, %v", answer, err)
	}
	wait.Until(t, func() bool {
		_, text := p.get("/metrics")
		return !strings.Contains(text, `result="counted",revision="",version=""} 0`)
	})
}

func TestItTellsWhetherAnswersAreSigned(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	folder := t.TempDir()
	p := start(t, "METER_UPSTREAM="+server.Listener.Addr().String(), "METER_REVISION=r1", "METER_KEYS="+folder)
	wait.Until(t, p.is(http.StatusOK))
	want := `evenkeel_model_feedback_info{deployment="",revision="r1",state="NoKeys",version="",why="there is no key in ` + folder
	if _, text := p.get("/metrics"); !strings.Contains(text, want) {
		t.Errorf("%s is not in\n%s", want, text)
	}
}

func TestItEndsWhenAllIsAnswered(t *testing.T) {
	began, release := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "done")
	}))
	defer server.Close()
	p := start(t, "METER_UPSTREAM="+server.Listener.Addr().String())
	wait.Until(t, p.is(http.StatusOK))
	answers := make(chan string, 1)
	go func() {
		answer, err := http.Post("http://"+p.traffic+"/slow", "", nil)
		if err != nil {
			answers <- err.Error()
			return
		}
		body, _ := io.ReadAll(answer.Body)
		answers <- string(body)
	}()
	<-began
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, p.is(http.StatusServiceUnavailable))
	answer, err := http.Post("http://"+p.traffic+"/", "", nil)
	if err != nil || answer.StatusCode != http.StatusOK || !answer.Close {
		t.Errorf("another request was answered %v, %v", answer, err)
	}
	close(release)
	if body := <-answers; body != "done" {
		t.Errorf("the request was answered %q", body)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, p.words)
	}
}

func TestAWrongConfigurationEndsAtOnce(t *testing.T) {
	p := start(t, "METER_MAX_BODY_BYTES=1Mi")
	if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 2 {
		t.Errorf("it ended with %v", err)
	}
	if want := "meter: METER_MAX_BODY_BYTES is \"1Mi\": it must be a whole number from 0 to 67108864\n"; p.words.String() != want {
		t.Errorf("it said %q", p.words)
	}
}

func TestAPortThatIsTakenIsTold(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := start(t, "METER_LISTEN="+listener.Addr().String())
	if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 1 || !strings.Contains(p.words.String(), "address already in use") {
		t.Errorf("it ended with %v: %s", err, p.words)
	}
}

func TestADivisionHoldsWithoutARestart(t *testing.T) {
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"predictions": ["yes"]}`)
	}))
	defer own.Close()
	var hangs atomic.Bool
	asked := make(chan string, 10)
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Evenkeel-Revision", "fraud-2")
		if r.Method == http.MethodGet {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- r.Header.Get("Evenkeel-Shadow")
		if hangs.Load() {
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, `{"predictions": ["no"]}`)
	}))
	defer canary.Close()
	division := filepath.Join(t.TempDir(), "division")
	p := start(t, "METER_UPSTREAM="+own.Listener.Addr().String(), "METER_DEPLOYMENT=fraud", "METER_REVISION=fraud-1",
		"METER_DIVISION="+division)
	wait.Until(t, p.is(http.StatusOK))
	shows := func(line string) func() bool {
		return func() bool {
			_, text := p.get("/metrics")
			return strings.Contains(text, line)
		}
	}
	mirror := `{"mirror": {"percent": 100, "url": "` + canary.URL + `", "revision": "fraud-2"}}`
	if err := os.WriteFile(division+".new", []byte(mirror), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(division+".new", division); err != nil {
		t.Fatal(err)
	}
	of := `{deployment="fraud",revision="fraud-1",shadow="fraud-2",version=""} `
	wait.Until(t, shows("evenkeel_model_shadow_pairs_total"+of+"0"))
	wait.Until(t, shows(`evenkeel_model_division_reached{deployment="fraud",revision="fraud-1",to="fraud-2",version=""} 1`))
	post := func() {
		t.Helper()
		answer, err := http.Post("http://"+p.traffic+"/score", "application/json", strings.NewReader(`{"instances": [1]}`))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		if string(body) != `{"predictions": ["yes"]}` {
			t.Errorf("a client was told %q", body)
		}
	}
	post()
	if from := <-asked; from != "fraud-1" {
		t.Errorf("the canary was asked by %q", from)
	}
	wait.Until(t, shows("evenkeel_model_shadow_disagreed_total"+of+"1"))
	wait.Until(t, shows(`evenkeel_model_shadow_discordant_slow_total{deployment="fraud",le="1",revision="fraud-1",shadow="fraud-2",version="",worse="own"} 0`))
	hangs.Store(true)
	post()
	<-asked
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// A shadow may take a minute, which is more than the test waits.
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	wait.Until(t, func() bool { return len(ended) == 1 })
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v: %s", err, p.words)
	}
}
