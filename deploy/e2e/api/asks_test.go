package api

import (
	"net/http"
	"strings"
	"sync"
)

// asks notes what a client asks for.
type asks struct {
	mu   sync.Mutex
	urls []string
}

func (a *asks) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		a.mu.Lock()
		a.urls = append(a.urls, r.URL.String())
		a.mu.Unlock()
		return next.RoundTrip(r)
	})
}

func (a *asks) any(part string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, u := range a.urls {
		if strings.Contains(u, part) {
			return true
		}
	}
	return false
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
