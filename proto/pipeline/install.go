package pipeline

import (
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// install wires the built-in kinds' own logic, the default admission plugins and the configured handlers.
func (s *Server) install() {
	s.admission = append(s.admission, s.cfg.Admission...)
	for i := range s.cfg.Handlers {
		s.handle(&s.cfg.Handlers[i])
	}
}

func (s *Server) handle(h *strategy.Handler) {
	s.handlers[handlerKey{h.Group, h.Resource, h.Subresource}] = h
}
