package grpcdoor

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Weigh guesses how many bytes a list carries; see pipeline.Server.Weigh.
type Weigh func(sel *resourcev1.Selection, limit int64) int64

// gate lets calls of the resource service in, one by one, as fairness has it.
type gate struct {
	limiter *fairness.Limiter
	weigh   Weigh
}

// unary waits for the turn of a call with one request.
func (g *gate) unary(ctx context.Context, req any) (*fairness.Seat, error) {
	ask, ok := g.ask(req)
	if !ok || g.limiter == nil {
		return nil, nil
	}
	return g.acquire(ctx, ask)
}

func (g *gate) acquire(ctx context.Context, ask *fairness.Request) (*fairness.Seat, error) {
	ask.User, _ = identity.FromContext(ctx)
	seat, err := g.limiter.Acquire(ctx, ask)
	if err != nil {
		return nil, apierrors.ToGRPC(err)
	}
	return seat, nil
}

// ask says what a message asks for, in the words of the REST door; false for what is not held back.
func (g *gate) ask(m any) (*fairness.Request, bool) {
	switch r := m.(type) {
	case *resourcev1.GetRequest:
		return one("get", r.GetRef()), true
	case *resourcev1.CreateRequest:
		return one("create", r.GetRef()), true
	case *resourcev1.UpdateRequest:
		return one("update", r.GetRef()), true
	case *resourcev1.PatchRequest:
		return one("patch", r.GetRef()), true
	case *resourcev1.DeleteRequest:
		return one("delete", r.GetRef()), true
	case *resourcev1.DeleteCollectionRequest:
		return g.many("deletecollection", r.GetSelection(), r.GetLimit(), true), true
	case *resourcev1.ListRequest:
		return g.many("list", r.GetSelection(), r.GetLimit(), true), true
	case *resourcev1.WatchRequest:
		open := r.GetOpen()
		if open == nil {
			return nil, false
		}
		rv := open.GetResourceVersion()
		return g.many("watch", open.GetSelection(), 0, open.GetSendInitialEvents() || rv == "" || rv == "0"), true
	case *resourcev1.BatchRequest:
		switch b := r.GetRequest().(type) {
		case *resourcev1.BatchRequest_Create:
			return one("create", b.Create.GetRef()), true
		case *resourcev1.BatchRequest_Update:
			return one("update", b.Update.GetRef()), true
		case *resourcev1.BatchRequest_Patch:
			return one("patch", b.Patch.GetRef()), true
		case *resourcev1.BatchRequest_Delete:
			return one("delete", b.Delete.GetRef()), true
		}
	}
	return nil, false
}

func one(verb string, ref *resourcev1.ObjectRef) *fairness.Request {
	res := ref.GetResource()
	return &fairness.Request{Verb: verb, Group: res.GetGroup(), Resource: res.GetPlural(), Subresource: ref.GetSubresource(), Namespace: ref.GetNamespace()}
}

func (g *gate) many(verb string, sel *resourcev1.Selection, limit int64, weigh bool) *fairness.Request {
	res := sel.GetResource()
	r := &fairness.Request{Verb: verb, Group: res.GetGroup(), Resource: res.GetPlural(), Namespace: sel.GetNamespace()}
	if weigh && g.weigh != nil {
		r.Width = fairness.Width(g.weigh(sel, limit))
	}
	return r
}

// gatedStream waits for the turn of a stream's first request: a list's seat is held until the stream ends, a watch's
// until the watch is up.
type gatedStream struct {
	grpc.ServerStream
	gate *gate
	seat *fairness.Seat
	// asked is set once the first request has come; initial while a watch sends the state that it starts with.
	asked, initial bool
}

// RecvMsg is called by one goroutine at a time.
func (s *gatedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil || s.asked {
		return err
	}
	s.asked = true
	ask, ok := s.gate.ask(m)
	if !ok {
		return nil
	}
	if w, ok := m.(*resourcev1.WatchRequest); ok {
		s.initial = w.GetOpen().GetSendInitialEvents()
	}
	var err error
	s.seat, err = s.gate.acquire(s.Context(), ask)
	return err
}

// SendHeader says that a watch is up: what is costly about one that starts from a known revision is done.
func (s *gatedStream) SendHeader(md metadata.MD) error {
	if !s.initial {
		defer s.seat.Release()
	}
	return s.ServerStream.SendHeader(md)
}

// stallAfter is how long a client may take to read a message before its call gives its seat to somebody else's.
const stallAfter = time.Second

// SendMsg sees the end of a watch's initial state pass.
func (s *gatedStream) SendMsg(m any) error {
	if s.seat.Held() {
		defer time.AfterFunc(stallAfter, s.seat.Release).Stop()
	}
	if r, ok := m.(*resourcev1.WatchResponse); ok && s.initial {
		defer s.afterInitial(r)
	}
	return s.ServerStream.SendMsg(m)
}

func (s *gatedStream) afterInitial(r *resourcev1.WatchResponse) {
	for _, e := range r.GetEvents() {
		if e.GetInitialEventsEnd() {
			s.initial = false
			s.seat.Release()
		}
	}
}

// BatchGate returns what the pipeline asks before each write of a batch stream.
func BatchGate(l *fairness.Limiter) func(ctx context.Context, r *resourcev1.BatchRequest) (release func(), err error) {
	g := &gate{limiter: l}
	return func(ctx context.Context, r *resourcev1.BatchRequest) (func(), error) {
		ask, ok := g.ask(r)
		if !ok {
			return func() {}, nil
		}
		ask.User, _ = identity.FromContext(ctx)
		seat, err := l.Acquire(ctx, ask)
		if err != nil {
			return nil, err
		}
		return seat.Release, nil
	}
}
