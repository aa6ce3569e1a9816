// Package health answers whether a process is alive and ready: named checks behind /livez, /readyz and /healthz, in
// the form that Kubernetes' components use, so that the same probes and scripts work.
package health

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// checkTimeout bounds one check: a probe that hangs says nothing.
const checkTimeout = 5 * time.Second

// Check returns nil while all is well.
type Check func(ctx context.Context) error

// Checks is a set of named checks. The zero value is ready to use and healthy. Safe for concurrent use.
type Checks struct {
	mu    sync.RWMutex
	live  []named
	ready []named
}

type named struct {
	name  string
	check Check
}

// Live adds a check of which a failure means: restart the process. Ready includes it.
func (c *Checks) Live(name string, check Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = append(c.live, named{name, check})
}

// Ready adds a check of which a failure means: send it no work yet.
func (c *Checks) Ready(name string, check Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = append(c.ready, named{name, check})
}

// Closed is a check that fails until the channel is closed, such as an informer's Synced.
func Closed(ch <-chan struct{}) Check {
	return func(context.Context) error {
		select {
		case <-ch:
			return nil
		default:
			return errors.New("not yet")
		}
	}
}

// Register adds /livez, /readyz and /healthz, with ?verbose, ?exclude=name and one path for each check below them.
func (c *Checks) Register(mux *http.ServeMux) {
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		mux.Handle(path, c.Handler(path))
		mux.Handle(path+"/", c.Handler(path))
	}
}

// Handler serves one of the paths that Register adds, and what is below it.
func (c *Checks) Handler(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checks := c.of(path)
		if name := strings.Trim(strings.TrimPrefix(r.URL.Path, path), "/"); name != "" {
			at := slices.IndexFunc(checks, func(n named) bool { return n.name == name })
			if at < 0 {
				http.NotFound(w, r)
				return
			}
			checks = checks[at : at+1]
		}
		write(w, r, strings.Trim(path, "/"), checks)
	})
}

func (c *Checks) of(path string) []named {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := append([]named{{"ping", func(context.Context) error { return nil }}}, c.live...)
	if path != "/livez" {
		all = append(all, c.ready...)
	}
	return all
}

func write(w http.ResponseWriter, r *http.Request, what string, checks []named) {
	excluded := r.URL.Query()["exclude"]
	_, verbose := r.URL.Query()["verbose"]
	var report strings.Builder
	failed := false
	for _, n := range checks {
		if slices.Contains(excluded, n.name) {
			fmt.Fprintf(&report, "[+]%s excluded: ok\n", n.name)
			continue
		}
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		err := n.check(ctx)
		cancel()
		if err != nil {
			failed = true
			fmt.Fprintf(&report, "[-]%s failed: %v\n", n.name, err)
			continue
		}
		fmt.Fprintf(&report, "[+]%s ok\n", n.name)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case failed:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "%s%s check failed\n", report.String(), what)
	case verbose:
		fmt.Fprintf(w, "%s%s check passed\n", report.String(), what)
	default:
		fmt.Fprint(w, "ok")
	}
}
