package learn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// partBytes is the length of a label: some Prometheus servers take no longer ones.
const partBytes = 512

// Published is what metrics tell of the reference: how far it is, and its text once it is there. From there it comes
// to all pods. Its methods may be called by several goroutines.
type Published struct {
	lock  sync.Mutex
	ended bool
	ratio *prometheus.GaugeVec
	text  *prometheus.GaugeVec
}

func publish(registerer prometheus.Registerer) *Published {
	p := &Published{
		ratio: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "evenkeel_model_learning_ratio",
			Help: "How much there is of what is needed to learn a reference: of rows or of time, whichever is less.",
		}, nil),
		text: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "evenkeel_model_learned_profile",
			Help: "The reference that was learned, in parts of its text; the value is the number of parts.",
		}, []string{"digest", "part", "text"}),
	}
	registerer.MustRegister(p.ratio, p.text)
	return p
}

func (p *Published) learning(ratio float64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if !p.ended {
		p.ratio.WithLabelValues().Set(ratio)
	}
}

func (p *Published) learned(text []byte) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if !p.ended {
		p.tell(text)
	}
}

// Shared tells the reference that is used, in place of what this pod has learned: so all pods tell the same one, and
// it can be made again where it was lost.
func (p *Published) Shared(text []byte) {
	p.End()
	p.lock.Lock()
	defer p.lock.Unlock()
	p.tell(text)
}

// End takes back what was told: there is a profile.
func (p *Published) End() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.ended = true
	p.ratio.Reset()
	p.text.Reset()
}

func (p *Published) tell(text []byte) {
	sum := sha256.Sum256(text)
	all := parts(text, partBytes)
	for i, part := range all {
		labels := []string{hex.EncodeToString(sum[:6]), fmt.Sprintf("%04d", i), part}
		p.text.WithLabelValues(labels...).Set(float64(len(all)))
	}
}
