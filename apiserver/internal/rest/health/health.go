// Package health serves /healthz, /livez and /readyz: named checks, each at its own path, excludable, and spelled out
// with ?verbose.
package health

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Check tells whether something works; nil is yes. The context ends after checkTimeout.
type Check struct {
	Name string
	Run  func(context.Context) error
	// ReadyOnly checks say that requests should go elsewhere, not that the process should be restarted.
	ReadyOnly bool
}

// checkTimeout bounds each check: a hanging dependency is a failed one.
const checkTimeout = 5 * time.Second

// Ping is the check that always succeeds.
var Ping = Check{Name: "ping", Run: func(context.Context) error { return nil }}

// Set is the server's checks.
type Set struct {
	checks []Check
	// onFailure is told the reasons, which anonymous callers do not see.
	onFailure func(name string, err error)
}

// New returns a set of checks; onFailure may be nil.
func New(onFailure func(name string, err error), checks ...Check) *Set {
	return &Set{checks: append([]Check{Ping}, checks...), onFailure: onFailure}
}

// Paths lists the paths that are served.
func (s *Set) Paths() []string {
	var out []string
	for _, root := range []string{"/healthz", "/livez", "/readyz"} {
		out = append(out, root)
		for _, c := range s.of(root) {
			out = append(out, root+"/"+c.Name)
		}
	}
	return out
}

// Handles tells whether the path is a health endpoint.
func (s *Set) Handles(path string) bool {
	root, name := split(path)
	switch root {
	case "/healthz", "/livez", "/readyz":
	default:
		return false
	}
	return name == "" || slices.ContainsFunc(s.of(root), func(c Check) bool { return c.Name == name })
}

func split(path string) (root, name string) {
	root, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		name = ""
	}
	return "/" + root, name
}

func (s *Set) of(root string) []Check {
	if root == "/readyz" {
		return s.checks
	}
	var out []Check
	for _, c := range s.checks {
		if !c.ReadyOnly {
			out = append(out, c)
		}
	}
	return out
}

// ServeHTTP runs the checks of the path.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	root, name := split(r.URL.Path)
	checks := s.of(root)
	if name != "" {
		checks = slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.Name != name })
	}
	excluded := map[string]bool{}
	for _, e := range r.URL.Query()["exclude"] {
		excluded[e] = true
	}
	var report strings.Builder
	failed := false
	for _, c := range checks {
		if excluded[c.Name] {
			delete(excluded, c.Name)
			fmt.Fprintf(&report, "[+]%s excluded: ok\n", c.Name)
			continue
		}
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		err := c.Run(ctx)
		cancel()
		if err != nil {
			failed = true
			fmt.Fprintf(&report, "[-]%s failed: reason withheld\n", c.Name)
			if s.onFailure != nil {
				s.onFailure(c.Name, err)
			}
			continue
		}
		fmt.Fprintf(&report, "[+]%s ok\n", c.Name)
	}
	if len(excluded) > 0 {
		names := make([]string, 0, len(excluded))
		for e := range excluded {
			names = append(names, fmt.Sprintf("%q", e))
		}
		slices.Sort(names)
		fmt.Fprintf(&report, "warn: some health checks cannot be excluded: no matches for %s\n", strings.Join(names, ","))
	}
	what := strings.TrimPrefix(root, "/")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case failed:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "%s%s check failed\n", report.String(), what)
	case r.URL.Query().Has("verbose"):
		fmt.Fprintf(w, "%s%s check passed\n", report.String(), what)
	default:
		fmt.Fprint(w, "ok")
	}
}
