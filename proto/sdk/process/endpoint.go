package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/sdk/health"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// closeTimeout is how long a scrape under way may take when the process stops.
const closeTimeout = 2 * time.Second

// endpoint is the HTTP server of metrics and health.
type endpoint struct {
	server *http.Server
	loop   sync.WaitGroup
	addr   net.Addr
}

// handler serves what operators look at. It has no credentials and gives away nothing but numbers: it is bound to the
// loopback address by default.
func handler(checks *health.Checks, profiling bool) http.Handler {
	mux := http.NewServeMux()
	checks.Register(mux)
	mux.Handle("/metrics", promhttp.Handler())
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"version": Version(), "goVersion": runtime.Version()})
	})
	if profiling {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// serve listens at the address; "0" and "" are none.
func serve(address string, h http.Handler, log *zap.Logger) (*endpoint, error) {
	e := &endpoint{}
	if address == "" || address == "0" {
		return e, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-bind-address: %w", err)
	}
	e.addr = l.Addr()
	e.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: zap.NewStdLog(log)}
	e.loop.Go(func() {
		if err := e.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics endpoint ended", zap.Error(err))
		}
	})
	log.Info("serving metrics and health", zap.Stringer("address", e.addr))
	return e, nil
}

func (e *endpoint) close() {
	if e.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if e.server.Shutdown(ctx) != nil {
		_ = e.server.Close()
	}
	e.loop.Wait()
}
