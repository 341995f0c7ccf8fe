package load

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server answers by so many workers, each of which takes the service time for a request.
func server(t *testing.T, workers int, service time.Duration) *httptest.Server {
	t.Helper()
	free := make(chan struct{}, workers)
	made := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		free <- struct{}{}
		time.Sleep(service)
		<-free
	}))
	t.Cleanup(made.Close)
	return made
}

func config(t *testing.T, url string) Config {
	t.Helper()
	c, err := FromEnvironment(func(name string) string {
		return map[string]string{
			"LOAD_URL": url + "/v2/models/m/infer", "LOAD_BODY": "{}", "LOAD_QUANTILE": "0.5",
			"LOAD_LATENCY_SECONDS": "0.1", "LOAD_MAX_RATE": "2000", "LOAD_DURATION_SECONDS": "60",
			"LOAD_START_SECONDS": "5", "LOAD_REPORT": filepath.Join(t.TempDir(), "report"),
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, c Config) Report {
	t.Helper()
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.Report)
	if err != nil {
		t.Fatal(err)
	}
	var found Report
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// More than its workers do no server answers for long; how much less it is, the machine's other load decides. By
// the median of latencies a busy machine seldom finds nothing at all.
func TestTheRateOfARealServerIsNoMoreThanItsWorkersDo(t *testing.T) {
	before := shortest
	shortest = 500 * time.Millisecond
	t.Cleanup(func() { shortest = before })
	const capacity = 4 / 0.02
	found := run(t, config(t, server(t, 4, 20*time.Millisecond).URL))
	if found.Rate > 1.3*capacity || found.Rate <= 0 {
		t.Errorf("%+v", found)
	}
	if len(found.Latencies) != 2 || found.Latencies["0.5"] < 0.02 || found.Latencies["0.5"] > 0.1 {
		t.Errorf("latencies %v", found.Latencies)
	}
}

func TestWhoWouldHaveAskedWhileTheServerStoodStillIsCounted(t *testing.T) {
	const stall, rate, requests = 500 * time.Millisecond, 100, 100
	var number atomic.Int64
	stand := make(chan struct{}, 1)
	stalling := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		stand <- struct{}{}
		if number.Add(1) == 20 {
			time.Sleep(stall)
		}
		<-stand
	}))
	t.Cleanup(stalling.Close)
	bound := Bound{Quantile: 0.9, Latency: 100 * time.Millisecond}
	target := NewHTTP(stalling.URL, nil, "text/plain", bound, NewUsage())
	step := target.Attack(t.Context(), rate, requests, func(Step) bool { return false })
	if least := int((stall - bound.Latency).Seconds() * rate * 0.9); step.Missed < least || step.Sent != requests {
		t.Errorf("%d of %d missed the bound, at least %d did", step.Missed, step.Sent, least)
	}
}

func TestAStepThatHasFailedIsCutShort(t *testing.T) {
	var asked atomic.Int64
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "no such input: x", http.StatusBadRequest)
	}))
	t.Cleanup(failing.Close)
	bound := Bound{Quantile: 0.9, Latency: 100 * time.Millisecond}
	target := NewHTTP(failing.URL, nil, "text/plain", bound, NewUsage())
	step := target.Attack(t.Context(), 200, 100_000, func(so Step) bool { return so.Missed > 10 })
	if step.Failed <= 10 || step.Sent > 1000 || asked.Load() > 1000 {
		t.Errorf("%d requests, %d failed", step.Sent, step.Failed)
	}
	for _, latency := range step.Latencies {
		if !math.IsInf(latency, 1) {
			t.Fatalf("a failed request has the latency %v", latency)
		}
	}
}

func TestWordsOfAServerThatRefusesAreTold(t *testing.T) {
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Error(w, "no such input: x", http.StatusBadRequest)
		}
	}))
	t.Cleanup(failing.Close)
	c := config(t, failing.URL)
	c.ReadyPath = "/ready"
	found := run(t, c)
	if !strings.Contains(found.Problem, "status 400: no such input: x") || found.Rate != 0 {
		t.Errorf("%+v", found)
	}
}

func TestATargetThatIsNeverReadyIsNotMeasured(t *testing.T) {
	c := config(t, "http://127.0.0.1:1")
	c.Start = 300 * time.Millisecond
	if found := run(t, c); !strings.Contains(found.Problem, "not ready within 300ms") || found.Rate != 0 {
		t.Errorf("%+v", found)
	}
}

// Without load it is too slow already: nothing is searched for.
func TestATargetThatIsSlowAloneIsNotLoaded(t *testing.T) {
	c := config(t, server(t, 1, 30*time.Millisecond).URL)
	c.Bound.Latency = 10 * time.Millisecond
	found := run(t, c)
	if found.Rate != 0 || found.LimitedBy != ByLatency || found.AloneSeconds < 0.03 || len(found.Steps) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestAReportFitsIntoATerminationMessage(t *testing.T) {
	var steps []Step
	for i := range 100 {
		steps = append(steps, Step{
			Rate: 123456.789 + float64(i), Sent: 1_000_000, Missed: 999_999, Failed: 999_999,
			Latencies: []float64{0.123456789},
		})
	}
	found := Found{Best: &steps[99], Steps: steps, LimitedBy: ByGenerator}
	report := Report{MemoryBytes: math.MaxInt64}.with(found, p99, strings.Repeat("ß", 5000))
	if text := report.text(); len(text) > 4096 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestConfigurationsThatCannotBeAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"LOAD_URL": "ftp://x", "LOAD_MAX_RATE": "0", "LOAD_QUANTILE": "1", "LOAD_LATENCY_SECONDS": "NaN",
		"LOAD_DURATION_SECONDS": "soon", "LOAD_START_SECONDS": "-1", "LOAD_BODY_FILE": "/nowhere/warm-up.json",
	} {
		_, err := FromEnvironment(func(asked string) string {
			if asked == name {
				return value
			}
			return map[string]string{"LOAD_URL": "http://127.0.0.1:8080/x"}[asked]
		})
		if err == nil || !strings.HasPrefix(err.Error(), name+" is "+`"`+value) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestUsageIsThatOfTheOtherProcesses(t *testing.T) {
	folder := t.TempDir()
	for pid, name := range map[string]string{"1": "pause", "7": "server", "8": "worker", "9": "own"} {
		for file, text := range map[string]string{
			"comm":   name + "\n",
			"status": "Name:\t" + name + "\nVmRSS:\t  900 kB\nRssAnon:\t  100 kB\nRssFile:\t 700 kB\nRssShmem:\t  28 kB\n",
			"stat":   pid + " (a b) (c) S 1 1 1 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 9 1 1\n",
		} {
			if err := os.MkdirAll(filepath.Join(folder, pid), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, pid, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	used := &Usage{folder: folder, own: "9"}
	used.look()
	if used.Peak() != 2*128<<10 || used.Seconds() != 4 {
		t.Errorf("%d bytes, %v s", used.Peak(), used.Seconds())
	}
	if err := os.RemoveAll(filepath.Join(folder, "8")); err != nil {
		t.Fatal(err)
	}
	used.look()
	if used.Peak() != 2*128<<10 {
		t.Errorf("the peak fell to %d bytes", used.Peak())
	}
}

// The kernel's own files are as they are read.
func TestThisProcessUsesMemoryAndTime(t *testing.T) {
	used := &Usage{folder: "/proc", own: "none"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	used.Watch(ctx)
	used.look()
	if used.Peak() < 1<<20 || used.Seconds() <= 0 {
		t.Errorf("%d bytes, %v s", used.Peak(), used.Seconds())
	}
}
