// Command meter-bench is what the meter's benchmark needs beside it: a model server that does nothing, and load.
//
//	meter-bench upstream ADDRESS
//	meter-bench load URL BODYFILE RATE SECONDS
//
// load prints one line of JSON: p50 and p99 in seconds, sent, and failed.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func main() {
	log.SetFlags(0)
	switch arguments := os.Args[1:]; {
	case len(arguments) == 2 && arguments[0] == "upstream":
		log.Fatal(http.ListenAndServe(arguments[1], http.HandlerFunc(answer)))
	case len(arguments) == 5 && arguments[0] == "load":
		if err := load(arguments[1], arguments[2], arguments[3], arguments[4]); err != nil {
			log.Fatal(err)
		}
	default:
		log.Fatal("usage: meter-bench upstream ADDRESS | load URL BODYFILE RATE SECONDS")
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	// As the meter of the revision that copies go to, which finds it by this.
	w.Header().Set("Evenkeel-Revision", "canary")
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"outputs":[{"name":"predict","shape":[1,1],"datatype":"INT64","data":[1]}]}`)
}

// load is open: each request is sent at its time, whether those before are answered or not.
func load(url, file, rate, seconds string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	frequency, err := strconv.Atoi(rate)
	if err != nil {
		return err
	}
	duration, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	targeter := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodPost, URL: url, Body: body,
		Header: http.Header{"Content-Type": []string{"application/json"}},
	})
	attacker := vegeta.NewAttacker(vegeta.Connections(1000))
	var metrics vegeta.Metrics
	pace := vegeta.Rate{Freq: frequency, Per: time.Second}
	var failed int
	for result := range attacker.Attack(targeter, pace, time.Duration(duration)*time.Second, "") {
		metrics.Add(result)
		if result.Code != http.StatusOK {
			failed++
		}
	}
	metrics.Close()
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"p50": metrics.Latencies.P50.Seconds(), "p99": metrics.Latencies.P99.Seconds(),
		"sent": metrics.Requests, "failed": failed,
	})
}
