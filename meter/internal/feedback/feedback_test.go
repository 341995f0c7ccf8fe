package feedback

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
	"evenkeel.dev/meter/internal/token"
)

const (
	day  = 24 * time.Hour
	key  = "0123456789abcdef"
	shop = "shop/elec"
)

// stand is a feedback server with one key, and what it counts. Its clock is ahead of the signers' by after.
type stand struct {
	*labels
	registry *prometheus.Registry
	keys     string
	after    time.Duration
}

func started(t testing.TB, config Config) *stand {
	t.Helper()
	s := &stand{registry: prometheus.NewRegistry(), keys: config.Keys}
	if s.keys == "" {
		s.keys = keysWith(t, "a", key)
	}
	config.Keys, config.Deployment, config.MaxAge = s.keys, shop, 180*day
	if config.Window == 0 {
		config.Window = 7 * day
	}
	var err error
	if s.labels, err = open(config, s.registry); err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return time.Now().Add(s.after) }
	return s
}

func keysWith(t testing.TB, id, key string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, id), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// signed is the token of an answer with these predictions.
func signed(keys, deployment, predictions string) string {
	return signedWith(keys, deployment, `{}`, predictions, nil)
}

func signedWith(keys, deployment, request, predictions string, current *profile.Profile) string {
	signer := token.NewSigner(token.OpenKeys(keys), deployment, "r1", []string{"region"}, func() *profile.Profile { return current })
	return signer.Token(exchange.Exchange{
		Protocol: exchange.HTTP, Code: 200, Request: []byte(request), Response: []byte(`{"predictions": ` + predictions + `}`),
	})
}

func lined(token, rest string) string { return fmt.Sprintf(`{"token": %q, %s}`, token, rest) + "\n" }

// posted is the status, and the counts that are not 0 or what else was said.
func (s *stand) posted(t testing.TB, body string) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	s.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/feedback", strings.NewReader(body)))
	var counts map[string]any
	if json.Unmarshal(recorder.Body.Bytes(), &counts) != nil {
		return fmt.Sprint(recorder.Code, " ", strings.TrimSpace(recorder.Body.String()))
	}
	text := fmt.Sprint(recorder.Code)
	for _, outcome := range []Outcome{Accepted, Repeated, Forged, Expired, Unreadable, Full} {
		if count := counts[string(outcome)]; count != 0.0 {
			text += fmt.Sprint(" ", outcome, " ", count)
		}
	}
	return text
}

func (s *stand) total(slice, result string) float64 {
	return testutil.ToFloat64(s.metrics.total.WithLabelValues(shop, s.metrics.process, "r1", slice, result))
}

func (s *stand) refusals(reason string) float64 {
	return testutil.ToFloat64(s.metrics.refusals.WithLabelValues(reason))
}

func TestLabelsAreJudged(t *testing.T) {
	half := 0.5
	for name, c := range map[string]struct {
		threshold   *float64
		predictions string
		rest        string
		bad         float64
		want        string
	}{
		"same class":           {nil, `["up"]`, `"label": "up"`, 0, "200 accepted 1"},
		"another class":        {nil, `["up"]`, `"label": "down"`, 1, "200 accepted 1"},
		"same number":          {nil, `[1]`, `"label": 1.0`, 0, "200 accepted 1"},
		"number as text":       {nil, `[1]`, `"label": "1"`, 0, "200 accepted 1"},
		"boolean":              {nil, `[true]`, `"label": true`, 0, "200 accepted 1"},
		"true for 1":           {nil, `[1]`, `"label": true`, 0, "200 accepted 1"},
		"false for 0":          {nil, `[0]`, `"label": false`, 0, "200 accepted 1"},
		"true for 0":           {nil, `[0]`, `"label": true`, 1, "200 accepted 1"},
		"true for 1 as text":   {nil, `["1"]`, `"label": true`, 0, "200 accepted 1"},
		"1 for true":           {nil, `[true]`, `"label": 1`, 0, "200 accepted 1"},
		"0.0 for false":        {nil, `[false]`, `"label": 0.0`, 0, "200 accepted 1"},
		"1 for false":          {nil, `[false]`, `"label": 1`, 1, "200 accepted 1"},
		"another text":         {nil, `["yes"]`, `"label": true`, 1, "200 accepted 1"},
		"no text":              {nil, `[""]`, `"label": "up"`, 1, "200 accepted 1"},
		"text of 1 for true":   {nil, `[true]`, `"label": "1"`, 0, "200 accepted 1"},
		"truth is a number":    {&half, `[0.6]`, `"label": true`, 0, "200 accepted 1"},
		"truth is far":         {&half, `[0.4]`, `"label": true`, 1, "200 accepted 1"},
		"truth is predicted":   {&half, `[true]`, `"label": 1`, 0, "200 accepted 1"},
		"within the threshold": {&half, `[1.5]`, `"label": 2`, 0, "200 accepted 1"},
		"beyond":               {&half, `[1.5]`, `"label": 2.01`, 1, "200 accepted 1"},
		"texts of numbers":     {&half, `["1.5"]`, `"label": "2.5"`, 1, "200 accepted 1"},
		"class for a number":   {&half, `[1.5]`, `"label": "up"`, 0, "400 unreadable 1"},
		"number for a class":   {&half, `["up"]`, `"label": 1`, 0, "400 unreadable 1"},
		"endless":              {&half, `[1.5]`, `"label": "Infinity"`, 0, "400 unreadable 1"},
		"loss":                 {nil, `[[1, 2]]`, `"loss": 0.25`, 0.25, "200 accepted 1"},
		"label of no one":      {nil, `[[1, 2]]`, `"label": 1`, 0, "400 unreadable 1"},
		"row":                  {nil, `["a", "b"]`, `"row": 1, "label": "b"`, 0, "200 accepted 1"},
		"no row":               {nil, `["a", "b"]`, `"label": "b"`, 0, "400 unreadable 1"},
		"row beyond":           {nil, `["a", "b"]`, `"row": 2, "label": "b"`, 0, "400 unreadable 1"},
		"row before":           {nil, `["a", "b"]`, `"row": -1, "label": "b"`, 0, "400 unreadable 1"},
		"loss beyond":          {nil, `[1]`, `"loss": 1.01`, 0, "400 unreadable 1"},
		"loss below":           {nil, `[1]`, `"loss": -0.01`, 0, "400 unreadable 1"},
		"both":                 {nil, `[1]`, `"loss": 1, "label": 1`, 0, "400 unreadable 1"},
		"neither":              {nil, `[1]`, `"lable": 1`, 0, "400 unreadable 1"},
		"null":                 {nil, `[1]`, `"label": null`, 0, "400 unreadable 1"},
		"object":               {nil, `[1]`, `"label": {}`, 0, "400 unreadable 1"},
		"NaN":                  {nil, `[1]`, `"label": NaN`, 0, "400 unreadable 1"},
		"twice":                {nil, `[1]`, `"label": 1, "label": 2`, 0, "400 unreadable 1"},
		"fields of the client": {nil, `[1]`, `"label": 1, "order": 7`, 0, "200 accepted 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t, Config{Threshold: c.threshold})
			if got := s.posted(t, lined(signed(s.keys, shop, c.predictions), c.rest)); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if strings.HasPrefix(c.want, "200") && (s.total("", "bad") != c.bad || s.total("", "good") != 1-c.bad) {
				t.Errorf("%v bad, %v good", s.total("", "bad"), s.total("", "good"))
			}
		})
	}
}

func TestLabelsOfSlices(t *testing.T) {
	current, err := profile.Parse([]byte(`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "features": [
		{"name": "region", "type": "categorical", "categories": ["north"], "counts": [1]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := started(t, Config{})
	token := signedWith(s.keys, shop, `{"instances": [{"region": "north"}, {"region": "süd"}]}`, `["a", "a"]`, current)
	if got := s.posted(t, lined(token, `"row": 0, "label": "a"`)+lined(token, `"row": 1, "label": "b"`)); got != "200 accepted 2" {
		t.Fatal(got)
	}
	want := `
# HELP evenkeel_labels_total Labels by revision, slice and result; slice is empty for all labels. A loss l counts l bad and 1-l good.
# TYPE evenkeel_labels_total counter
evenkeel_labels_total{deployment="shop/elec",process="now",result="bad",revision="",slice=""} 0
evenkeel_labels_total{deployment="shop/elec",process="now",result="bad",revision="r1",slice=""} 1
evenkeel_labels_total{deployment="shop/elec",process="now",result="bad",revision="r1",slice="region=north"} 0
evenkeel_labels_total{deployment="shop/elec",process="now",result="bad",revision="r1",slice="region=other"} 1
evenkeel_labels_total{deployment="shop/elec",process="now",result="good",revision="",slice=""} 0
evenkeel_labels_total{deployment="shop/elec",process="now",result="good",revision="r1",slice=""} 1
evenkeel_labels_total{deployment="shop/elec",process="now",result="good",revision="r1",slice="region=north"} 1
evenkeel_labels_total{deployment="shop/elec",process="now",result="good",revision="r1",slice="region=other"} 0
`
	want = strings.ReplaceAll(want, `"now"`, strconv.Quote(s.metrics.process))
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want), "evenkeel_labels_total"); err != nil {
		t.Error(err)
	}
}

func TestEachLineHasItsOutcome(t *testing.T) {
	s := started(t, Config{})
	good := signed(s.keys, shop, `["a"]`)
	other := "A"
	if good[20] == 'A' {
		other = "B"
	}
	forged := good[:20] + other + good[21:]
	body := lined(good, `"label": "a"`) + "\n" + lined(good, `"label": "b"`) +
		lined(signed(keysWith(t, "a", "fedcba9876543210"), shop, `["a"]`), `"label": "a"`) +
		lined(signed(keysWith(t, "b", key), shop, `["a"]`), `"label": "a"`) +
		lined(signed(s.keys, "shop/other", `["a"]`), `"label": "a"`) +
		lined(forged, `"label": "a"`) + "{}\n[1]\nnull\n" + `{"token": "` + strings.Repeat("x", maxLine) + "\"}\n" +
		lined(signed(s.keys, shop, `["a"]`), `"label": "b"`)
	body = strings.TrimSuffix(body, "\n")
	if got := s.posted(t, body); got != "200 accepted 2 repeated 1 forged 4 unreadable 4" {
		t.Error(got)
	}
	if s.total("", "good") != 1 || s.total("", "bad") != 1 {
		t.Error("the first of two labels counts")
	}
	for reason, want := range map[string]float64{
		"repeated": 1, "forged": 2, "unknown_key": 1, "other_deployment": 1, "unreadable": 4, "expired": 0, "full": 0,
	} {
		if got := s.refusals(reason); got != want {
			t.Errorf("%s: %v, not %v", reason, got, want)
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	s := started(t, Config{})
	answer, err := s.post([]byte("\n" + strings.Repeat("{}\n", 20) + lined(signed(s.keys, shop, `["a"]`), `"label": "a"`)))
	if err != nil || len(answer.Errors) != maxErrors || answer.Errors[0] != (LineError{2, "token is missing"}) {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestLateLabels(t *testing.T) {
	s := started(t, Config{})
	old, older := lined(signed(s.keys, shop, `[1]`), `"label": 1`), lined(signed(s.keys, shop, `[1]`), `"label": 1`)
	s.after = 180*day - time.Minute
	if got := s.posted(t, old); got != "200 accepted 1" {
		t.Error(got)
	}
	s.after = 180*day + time.Minute
	if got := s.posted(t, older); got != "200 expired 1" || s.refusals("expired") != 1 {
		t.Error(got)
	}
}

func TestDoublePostsCountOnceWithinTheWindow(t *testing.T) {
	s := started(t, Config{Window: day})
	token := signed(s.keys, shop, `["a", "b"]`)
	for _, c := range []struct {
		after time.Duration
		row   int
		want  string
	}{
		{0, 0, "200 accepted 1"}, {0, 0, "200 repeated 1"}, {day / 2, 1, "200 accepted 1"}, {day, 0, "200 repeated 1"},
		{day + day/2 - time.Minute, 1, "200 repeated 1"}, {2*day + time.Minute, 0, "200 accepted 1"},
	} {
		s.after = c.after
		if got := s.posted(t, lined(token, fmt.Sprintf(`"row": %d, "label": "a"`, c.row))); got != c.want {
			t.Errorf("row %d after %v: %s", c.row, c.after, got)
		}
	}
}

func TestPostsAtTheSameTimeCountOnce(t *testing.T) {
	s := started(t, Config{Folder: t.TempDir()})
	var body strings.Builder
	const labels, clients = 50, 8
	for range labels {
		body.WriteString(lined(signed(s.keys, shop, `["a"]`), `"label": "a"`))
	}
	var clientsDone sync.WaitGroup
	for range clients {
		clientsDone.Go(func() {
			if got := s.posted(t, body.String()); !strings.HasPrefix(got, "200 ") {
				t.Error(got)
			}
		})
	}
	clientsDone.Wait()
	if s.total("", "good") != labels || s.refusals("repeated") != labels*(clients-1) {
		t.Error(s.total("", "good"), s.refusals("repeated"))
	}
}

func TestWhatFindsNoRoomIsRefused(t *testing.T) {
	s := started(t, Config{Window: day})
	s.seen.most = 2
	line := func() string { return lined(signed(s.keys, shop, `["a"]`), `"label": "a"`) }
	first, third := line(), line()
	if got := s.posted(t, first+line()+third); got != "200 accepted 2 full 1" || s.refusals("full") != 1 {
		t.Error(got)
	}
	if got := s.posted(t, first); got != "200 repeated 1" {
		t.Error(got)
	}
	s.after = day + time.Minute
	if got := s.posted(t, third); got != "200 accepted 1" || testutil.ToFloat64(s.metrics.remembered) != 1 {
		t.Error(got)
	}
}

func TestPostsThatAreRefusedWhole(t *testing.T) {
	s := started(t, Config{})
	good := lined(signed(s.keys, shop, `["a"]`), `"label": "a"`)
	for name, c := range map[string]struct{ body, want string }{
		"empty":     {"", "400"},
		"rubbish":   {"hello\n", "400 unreadable 1"},
		"too large": {good + strings.Repeat(" ", maxBody), "413 more than 8388608 bytes; post them in parts"},
		"too many":  {good + strings.Repeat("{}\n", maxLines), "413 more than 10000 lines; post them in parts"},
		"deep":      {strings.Repeat("[", 1<<20), "400 unreadable 1"},
	} {
		if got := s.posted(t, c.body); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := s.posted(t, good); got != "200 accepted 1" {
		t.Errorf("a label of a post that was refused counted: %s", got)
	}
	for _, c := range []struct {
		method, path, encoding string
		want                   int
	}{{"GET", "/v1/feedback", "", 405}, {"POST", "/v2/feedback", "", 404}, {"POST", "/v1/feedback", "gzip", 415}} {
		request := httptest.NewRequest(c.method, c.path, strings.NewReader(good))
		request.Header.Set("Content-Encoding", c.encoding)
		recorder := httptest.NewRecorder()
		if s.handler().ServeHTTP(recorder, request); recorder.Code != c.want {
			t.Errorf("%+v: %d", c, recorder.Code)
		}
	}
}

func TestServing(t *testing.T) {
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return listener
	}
	public, admin := listen(), listen()
	keys := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	config := Config{Deployment: shop, Keys: keys, MaxAge: day, Window: day, Folder: t.TempDir()}
	go func() { done <- serve(ctx, config, public, admin) }()
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + admin.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		content, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(content)
	}
	if status, text := get("/ready"); status != 503 || !strings.Contains(text, "there is no key in") {
		t.Error(status, text)
	}
	if status, _ := get("/live"); status != 200 {
		t.Error(status)
	}
	response, err := http.Post("http://"+public.Addr().String()+"/v1/feedback", "application/jsonl", bytes.NewBufferString("{}"))
	if err != nil || response.StatusCode != 400 {
		t.Error(response, err)
	}
	_ = response.Body.Close()
	if _, text := get("/metrics"); !strings.Contains(text, `evenkeel_labels_refused_total{reason="unreadable"} 1`) ||
		!strings.Contains(text, "process_start_time_seconds") {
		t.Error(text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConfiguration(t *testing.T) {
	environment := map[string]string{"FEEDBACK_DEPLOYMENT": shop, "FEEDBACK_KEYS": "/keys"}
	config, err := FromEnvironment(func(name string) string { return environment[name] })
	want := Config{Listen: ":8080", AdminListen: ":8092", Deployment: shop, Keys: "/keys", MaxAge: 180 * day, Window: 7 * day}
	if err != nil || config != want {
		t.Errorf("%+v, %v", config, err)
	}
	for name, c := range map[string]struct{ value, want string }{
		"FEEDBACK_DEPLOYMENT":      {"", "FEEDBACK_DEPLOYMENT is empty, but must be given"},
		"FEEDBACK_KEYS":            {"", "FEEDBACK_KEYS is empty, but must be given"},
		"FEEDBACK_MAX_AGE_SECONDS": {"0", `FEEDBACK_MAX_AGE_SECONDS is "0", but must be 1 to 2147483647`},
		"FEEDBACK_WINDOW_SECONDS":  {"1d", `FEEDBACK_WINDOW_SECONDS is "1d", but must be 1 to 2147483647`},
		"FEEDBACK_LOSS_THRESHOLD":  {"NaN", `FEEDBACK_LOSS_THRESHOLD is "NaN", but must be a number from 0 on`},
	} {
		_, err := FromEnvironment(func(asked string) string {
			if asked == name {
				return c.value
			}
			return environment[asked]
		})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPost(f *testing.F) {
	s := started(f, Config{})
	good := signed(s.keys, shop, `["a", 1]`)
	f.Add([]byte(lined(good, `"row": 0, "label": "a"`) + lined(good, `"row": 1, "label": 1`)))
	f.Add([]byte(lined(good, `"row": 0, "loss": 0.5`)))
	f.Add([]byte(strings.Repeat("[", 30000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		if answer, err := s.post(body); err == nil && answer.Accepted > 2 {
			t.Errorf("%+v", answer)
		}
	})
}

func TestALaterProcessHasCountersOfItsOwn(t *testing.T) {
	first, second := started(t, Config{}), started(t, Config{})
	if first.metrics.process == second.metrics.process {
		t.Errorf("both are %s", first.metrics.process)
	}
}
