package feedback

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Config is that of the feedback server.
type Config struct {
	// Listen and AdminListen are addresses of the endpoint, and of metrics and probes.
	Listen, AdminListen string
	// Deployment is the only one whose tokens are taken.
	Deployment string
	// Keys is the folder of the keys that sign tokens.
	Keys string
	// Folder keeps what must outlive a restart; "": nothing does.
	Folder string
	// MaxAge is the longest time between a prediction and its label.
	MaxAge time.Duration
	// Window is the time within which a label that is posted again counts once.
	Window time.Duration
	// Threshold is the distance from which on a number is bad; nil: a class is bad if it differs.
	Threshold *float64
}

// FromEnvironment reads the variables FEEDBACK_*. The error says which is wrong, and what it must be.
func FromEnvironment(getenv func(string) string) (Config, error) {
	config := Config{
		Listen:      cmp.Or(getenv("FEEDBACK_LISTEN"), ":8080"),
		AdminListen: cmp.Or(getenv("FEEDBACK_ADMIN_LISTEN"), ":8092"),
		Deployment:  getenv("FEEDBACK_DEPLOYMENT"),
		Keys:        getenv("FEEDBACK_KEYS"),
		Folder:      getenv("FEEDBACK_FOLDER"),
	}
	for _, name := range []string{"FEEDBACK_DEPLOYMENT", "FEEDBACK_KEYS"} {
		if getenv(name) == "" {
			return Config{}, fmt.Errorf("%s is empty, but must be given", name)
		}
	}
	var err error
	if config.MaxAge, err = seconds(getenv, "FEEDBACK_MAX_AGE_SECONDS", "15552000"); err != nil {
		return Config{}, err
	}
	if config.Window, err = seconds(getenv, "FEEDBACK_WINDOW_SECONDS", "604800"); err != nil {
		return Config{}, err
	}
	if text := getenv("FEEDBACK_LOSS_THRESHOLD"); text != "" {
		threshold, err := strconv.ParseFloat(text, 64)
		if err != nil || threshold < 0 || math.IsNaN(threshold) || math.IsInf(threshold, 0) {
			return Config{}, fmt.Errorf("FEEDBACK_LOSS_THRESHOLD is %q, but must be a number from 0 on", text)
		}
		config.Threshold = &threshold
	}
	return config, nil
}

func seconds(getenv func(string) string, name, otherwise string) (time.Duration, error) {
	text := cmp.Or(getenv(name), otherwise)
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 1 || number > math.MaxInt32 {
		return 0, fmt.Errorf("%s is %q, but must be 1 to %d", name, text, math.MaxInt32)
	}
	return time.Duration(number) * time.Second, nil
}
