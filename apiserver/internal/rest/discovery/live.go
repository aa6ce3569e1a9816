package discovery

import (
	"net/http"
	"sync"

	"github.com/keelson/keelson/proto/schema"
)

// Live serves the documents of the kinds that there are now: they are derived again when custom kinds have changed and
// somebody asks.
type Live struct {
	registry *schema.Registry
	serves   Serves
	address  string
	others   Others

	mu             sync.Mutex
	revision, seen int64
	handler        *Handler
}

// NewLive returns a handler that follows a registry and, where not nil, what other servers serve; the others are as in
// New.
func NewLive(r *schema.Registry, serves Serves, address string, others Others) *Live {
	return &Live{registry: r, serves: serves, address: address, others: others}
}

// current returns the documents of this moment.
func (l *Live) current() *Handler {
	revision, _ := l.registry.Revision()
	var seen int64
	if l.others != nil {
		seen = l.others.Revision()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.handler == nil || l.revision != revision || l.seen != seen {
		var external []External
		if l.others != nil {
			external = l.others.External()
		}
		l.handler, l.revision, l.seen = New(l.registry.Kinds(), l.serves, l.address, external...), revision, seen
	}
	return l.handler
}

// Paths lists the documents' paths.
func (l *Live) Paths() []string { return l.current().Paths() }

// Handles tells whether the path is one of discovery's.
func (l *Live) Handles(path string) bool { return l.current().Handles(path) }

// ServeHTTP answers with the document of the path.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.current().ServeHTTP(w, r) }
