package pipeline

import (
	"slices"

	"github.com/keelson/keelson/proto/pipeline/kinds"
	"github.com/keelson/keelson/proto/pipeline/plugins"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// install wires the built-in kinds' own logic, the default admission plugins and what the configuration adds.
func (s *Server) install() {
	s.kinds = kinds.New(kinds.Config{
		Access: access{s}, Store: s.cfg.Store, ClusterIPRange: s.cfg.ClusterIPRange, NodePortRange: s.cfg.NodePortRange, Logger: s.log, Clock: s.cfg.Clock,
	})
	for _, res := range s.resources {
		res.hooks = s.kinds.Hooks[[2]string{res.kind.Group, res.kind.Plural}]
	}
	for _, list := range [][]strategy.Handler{s.kinds.Handlers, s.cfg.Handlers} {
		for i := range list {
			h := &list[i]
			s.handlers[handlerKey{h.Group, h.Resource, h.Subresource}] = h
		}
	}
	for _, p := range plugins.Default(access{s}, s.maySign) {
		if !slices.Contains(s.cfg.WithoutAdmission, p.Name()) {
			s.admission = append(s.admission, p)
		}
	}
	s.admission = append(s.admission, s.cfg.Admission...)
	plugins.Sort(s.admission)
	for _, p := range s.admission {
		if a, ok := p.(Attacher); ok {
			a.Attach(s)
		}
	}
}

// run starts a goroutine that Close ends and waits for.
func (s *Server) run(f func()) {
	s.background.Add(1)
	go func() {
		defer s.background.Done()
		f()
	}()
}
