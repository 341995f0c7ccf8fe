package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func from(variables ...string) (Config, error) {
	return FromEnvironment(func(name string) string {
		for i := 0; i < len(variables); i += 2 {
			if variables[i] == name {
				return variables[i+1]
			}
		}
		return ""
	})
}

func TestDefaults(t *testing.T) {
	c, err := from()
	want := Config{Listen: ":8090", Upstream: "127.0.0.1:8080", AdminListen: ":8092", MaxBodyBytes: 1 << 20, ShadowTolerance: 1e-6}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEverythingIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "warm-up.json")
	if err := os.WriteFile(file, []byte("\x00binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := from(
		"METER_LISTEN", ":1", "METER_UPSTREAM", "127.0.0.1:2", "METER_GRPC_LISTEN", ":3", "METER_GRPC_UPSTREAM", "127.0.0.1:4",
		"METER_ADMIN_LISTEN", ":5", "METER_RUNTIME_METRICS", "http://127.0.0.1:6/metrics", "METER_DEPLOYMENT", "fraud",
		"METER_REVISION", "fraud-1", "METER_VERSION", "7", "METER_PROFILE", "/p", "METER_MAX_BODY_BYTES", "9",
		"METER_LEARN_ROWS", "500", "METER_LEARN_SECONDS", "60", "METER_LEARNED_PROFILE", "/l",
		"METER_SPACING_MILLISECONDS", "1500", "METER_READY_PATH", "/ready", "METER_KEYS", "/keys", "METER_SLICES", "a, b,,a",
		"METER_DIVISION", "/d", "METER_SHADOW_TOLERANCE", "0.01",
		"WARM_UP_PATH", "/infer", "WARM_UP_BODY_FILE", file, "WARM_UP_CONTENT_TYPE", "text/csv", "WARM_UP_REQUESTS", "7",
		"WARM_UP_CONCURRENCY", "2", "WARM_UP_TIMEOUT_SECONDS", "1.5", "WARM_UP_FAILURE_POLICY", "Ignore",
	)
	want := Config{
		":1", "127.0.0.1:2", ":3", "127.0.0.1:4", ":5", "http://127.0.0.1:6/metrics", "fraud", "fraud-1", "7", "/p",
		500, time.Minute, "/l", 9,
		1500 * time.Millisecond, "/ready",
		&WarmUp{"/infer", "text/csv", []byte("\x00binary"), 7, 2, 1500 * time.Millisecond, false},
		"/keys", []string{"a", "b"}, "/d", 0.01,
	}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheBodyOfAWarmUpIsReadLiterally(t *testing.T) {
	c, err := from("WARM_UP_PATH", "/p", "WARM_UP_BODY", "é$(A)")
	if err != nil || string(c.WarmUp.Body) != "é$(A)" || !c.WarmUp.Strict {
		t.Errorf("%+v, %v", c.WarmUp, err)
	}
}

func TestWhatIsWrongIsToldInOneLine(t *testing.T) {
	for _, one := range [][]string{
		{"METER_LISTEN", "8090"}, {"METER_UPSTREAM", "127.0.0.1:http"}, {"METER_ADMIN_LISTEN", ":99999"},
		{"METER_GRPC_LISTEN", ":1"}, {"METER_RUNTIME_METRICS", "127.0.0.1:8082"}, {"METER_MAX_BODY_BYTES", "1Mi"},
		{"METER_MAX_BODY_BYTES", "-1"}, {"METER_SPACING_MILLISECONDS", "x"}, {"METER_READY_PATH", "ready"},
		{"METER_SHADOW_TOLERANCE", "2"}, {"METER_SHADOW_TOLERANCE", "NaN"}, {"METER_SHADOW_TOLERANCE", "1%"},
		{"METER_REVISION", "a\nb"}, {"WARM_UP_REQUESTS", "0", "WARM_UP_PATH", "/p"},
		{"WARM_UP_TIMEOUT_SECONDS", "NaN", "WARM_UP_PATH", "/p"}, {"WARM_UP_FAILURE_POLICY", "Never", "WARM_UP_PATH", "/p"},
	} {
		_, err := from(one...)
		if err == nil || !strings.HasPrefix(err.Error(), one[0]+" is ") || !strings.Contains(err.Error(), "must be") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", one, err)
		}
	}
	_, err := from("WARM_UP_PATH", "/p", "WARM_UP_BODY_FILE", "/nowhere/warm-up.json")
	if err == nil || !strings.Contains(err.Error(), "/nowhere/warm-up.json: no such file or directory; put the body") {
		t.Error(err)
	}
}
