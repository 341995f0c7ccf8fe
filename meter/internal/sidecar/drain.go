package sidecar

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// quiet is how long nobody must have asked before listeners close: clients that keep connections learn from
// their last answer that they should go elsewhere.
const quiet = time.Second

// patience is how long that is waited for. What is being answered then is still answered, and clients by HTTP/2
// are told so.
const patience = 5 * time.Second

// busy tells when requests are answered.
type busy struct {
	http.Handler
	now  atomic.Int64
	last atomic.Int64
}

func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.now.Add(1)
	defer func() {
		b.last.Store(time.Now().UnixNano())
		b.now.Add(-1)
	}()
	b.Handler.ServeHTTP(w, r)
}

func (b *busy) quiet() bool {
	return b.now.Load() == 0 && time.Since(time.Unix(0, b.last.Load())) >= quiet
}

// drain goes on accepting until nobody asks any more, and then closes. The pod's preStop hook has withdrawn it
// from its Services before; how long it may take at most is the pod's grace period, which the kubelet ends.
func drain(servers []*opened) {
	var all sync.WaitGroup
	for _, one := range servers {
		all.Go(func() {
			began := time.Now()
			one.busy.last.CompareAndSwap(0, began.UnixNano())
			for !one.busy.quiet() && time.Since(began) < patience {
				time.Sleep(quiet / 20)
			}
			_ = one.Shutdown(context.Background())
		})
	}
	all.Wait()
}
