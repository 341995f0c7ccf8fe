// Package division is what the meter is told of another revision: which share of the requests that one gets copies
// of, and which it answers.
package division

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/net/http/httpguts"
)

// Headers of requests that are passed on to another revision, with the revision that they come from.
const (
	ShadowHeader  = "Evenkeel-Shadow"
	DividedHeader = "Evenkeel-Divided"
)

// places are the parts of all keys that a share counts in.
const places = 10_000

// Division is empty where nothing is divided.
type Division struct {
	Mirror *Mirror
	Share  *Share
}

// target is the other revision, of which there is one at a time; nil if there is none.
func (d *Division) target() *Target {
	switch {
	case d.Mirror != nil:
		return &d.Mirror.Target
	case d.Share != nil:
		return &d.Share.Target
	}
	return nil
}

// Target is another revision. Addresses are a host, or host:port.
type Target struct {
	Revision string
	HTTP     string
	// GRPC is for calls to a port of their own; "": they cannot be passed on.
	GRPC string
}

// Address is that of HTTP, or of gRPC's own port; "" if there is none.
func (t *Target) Address(grpc bool) string {
	if grpc {
		return t.GRPC
	}
	return t.HTTP
}

// Mirror has copies of requests sent to the target.
type Mirror struct {
	Target
	Percent float64
}

// Chosen draws whether a request is copied, whatever is in it.
func (m *Mirror) Chosen() bool { return rand.Float64()*100 < m.Percent }

// Share has requests answered by the target, by the value of a header.
type Share struct {
	Target
	Percent float64
	Header  string

	salt  string
	below uint64
}

// Has tells whether the requests with a value are the target's. Those of a smaller share stay its when it grows.
func (s *Share) Has(value string) bool { return place(s.salt, value) < s.below }

// place is the same in all pods of a deployment, and after each restart; it depends on the deployment's name, so
// that it is not the same users who get the new revision of all models.
func place(salt, value string) uint64 { return xxhash.Sum64String(salt+"\n"+value) % places }

// file is the content as it is written. Fields that are not known are left.
type file struct {
	Mirror, Share *struct {
		Percent                        *float64
		URL, GRPCURL, Revision, Header string
	}
}

// Parse reads what the operator has written; blank is an empty one. salt is the deployment's name.
func Parse(content []byte, salt string) (*Division, error) {
	found := &Division{}
	if len(bytes.TrimSpace(content)) == 0 {
		return found, nil
	}
	var read file
	if err := json.Unmarshal(content, &read); err != nil {
		return nil, err
	}
	if one := read.Mirror; one != nil {
		target, percent, err := target(one.Revision, one.URL, one.GRPCURL, one.Percent)
		if err != nil {
			return nil, fmt.Errorf("mirror: %w", err)
		}
		if percent > 0 {
			found.Mirror = &Mirror{target, percent}
		}
	}
	if one := read.Share; one != nil {
		target, percent, err := target(one.Revision, one.URL, one.GRPCURL, one.Percent)
		if err != nil {
			return nil, fmt.Errorf("share: %w", err)
		}
		if !httpguts.ValidHeaderFieldName(one.Header) {
			return nil, fmt.Errorf("share: %q is no header", one.Header)
		}
		if percent > 0 {
			below := uint64(math.Round(percent * places / 100))
			found.Share = &Share{target, percent, one.Header, salt, below}
		}
	}
	return found, nil
}

func target(revision, httpURL, grpcURL string, percent *float64) (Target, float64, error) {
	made := Target{Revision: revision}
	if revision == "" || !httpguts.ValidHeaderFieldValue(revision) {
		return made, 0, fmt.Errorf("%q is no revision", revision)
	}
	if percent == nil || !(0 <= *percent && *percent <= 100) {
		return made, 0, errors.New("percent must be a number from 0 to 100")
	}
	var err error
	if made.HTTP, err = address(httpURL); err == nil && grpcURL != "" {
		made.GRPC, err = address(grpcURL)
	}
	return made, *percent, err
}

func address(text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "http" || parsed.Host == "" || parsed.Path != "" && parsed.Path != "/" {
		return "", fmt.Errorf("%q is no URL such as http://fraud-0123456789.shop.svc:80", text)
	}
	return parsed.Host, nil
}
